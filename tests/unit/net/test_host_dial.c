/* Dialling: which addresses, in what order, for how long. The test looks up names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tests/unit/net/host_fixture.h"

#define MARGIN_MS 2000 /* real time that a test may take between two times that it sets */
#define REFUSED "/ip4/127.0.0.1/tcp/1"

/* ---- names ---- */

static struct multiaddr found[3]; /* that a name stands for */
static size_t n_found;
static atomic_uint looking, most_looking, looked;
static uv_sem_t *gate; /* each lookup waits for it, where there is one */

int __wrap_targets_look_up(struct targets *t, const struct multiaddr *a, const struct peerid *peer,
			   struct err *e);

int __wrap_targets_look_up(struct targets *t, const struct multiaddr *a, const struct peerid *peer,
			   struct err *e)
{
	unsigned now = atomic_fetch_add(&looking, 1) + 1;

	if (now > atomic_load(&most_looking))
		atomic_store(&most_looking, now);
	atomic_fetch_add(&looked, 1);
	if (gate)
		uv_sem_wait(gate);
	atomic_fetch_sub(&looking, 1);
	if (n_found == 0)
		return err_set(e, -ENOENT, "there is no such name");
	for (size_t i = 0; i < n_found; i++)
		targets_add_ip(t, &found[i]);
	return 0;
}

/* ---- fixture ---- */

/* Takes connections, and says nothing. */
static struct {
	uv_tcp_t tcp;
	struct multiaddr at;
} quiet;

static void on_quiet(uv_stream_t *s, int status)
{
}

static void quiet_start(struct hosts *f)
{
	struct sockaddr_in at;
	int len = sizeof(at);

	assert_int_equal(0, uv_tcp_init(&f->loop, &quiet.tcp));
	assert_int_equal(0, uv_ip4_addr("127.0.0.1", 0, &at));
	assert_int_equal(0, uv_tcp_bind(&quiet.tcp, (struct sockaddr *)&at, 0));
	assert_int_equal(0, uv_listen((uv_stream_t *)&quiet.tcp, 128, on_quiet));
	assert_int_equal(0, uv_tcp_getsockname(&quiet.tcp, (struct sockaddr *)&at, &len));
	announce_address_of((struct sockaddr *)&at, &quiet.at);
}

static int setup(void **state)
{
	int r = hosts_setup(state);

	n_found = 0;
	gate = NULL;
	looking = most_looking = looked = 0;
	quiet_start(*state);
	return r;
}

static int teardown(void **state)
{
	uv_close((uv_handle_t *)&quiet.tcp, NULL);
	return hosts_teardown(state);
}

static void learn(struct node *n, const struct peerid *peer, const struct multiaddr *a)
{
	assert_int_equal(0, host_learn(n->h, peer, a, HOST_TTL_HOUR));
}

static void learn_text(struct node *n, const struct peerid *peer, const char *text)
{
	struct multiaddr a = address_of(text);

	learn(n, peer, &a);
}

static void check_fails(struct hosts *f, const struct call *call, const char *why)
{
	until(f, call->n == 1);
	assert_int_equal(-EHOSTUNREACH, call->status);
	assert_int_equal(-EHOSTUNREACH, call->why.code);
	if (!strstr(call->why.msg, why))
		fail_msg("\"%s\" is not in \"%s\"", why, call->why.msg);
}

/* ---- one after the other ---- */

static void the_next_address_is_tried_beside_one_that_takes_its_time(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	learn(f->b, node_id(f->a), &quiet.at);
	node_learn(f->b, f->a);
	node_connect(f->b, f->a, &call);
	hosts_turns(f, 10);
	assert_int_equal(1, node_counts(f->b).dialled);
	hosts_time(f, HOST_STAGGER_MS);
	until(f, call.n == 1);
	assert_int_equal(0, call.status);
	assert_int_equal(2, node_counts(f->b).dialled);
	until(f, f->b->h->n_conns == 1 && f->b->h->n_dials == 0); /* the other one is given up */
	assert_int_equal(0, node_counts(f->b).dial_failures);
}

static void the_next_address_is_tried_at_once_when_one_fails(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	learn_text(f->b, node_id(f->a), REFUSED);
	learn_text(f->b, node_id(f->a), "/ip4/127.0.0.1/udp/1/quic-v1");
	node_learn(f->b, f->a);
	node_connect(f->b, f->a, &call);
	until(f, call.n == 1);
	assert_int_equal(0, call.status);
	assert_int_equal(2, node_counts(f->b).dialled);
	assert_int_equal(1, node_counts(f->b).dial_failures);
}

static void an_address_that_does_not_answer_has_so_much_time_and_no_more(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	learn(f->b, node_id(f->a), &quiet.at);
	node_connect(f->b, f->a, &call);
	hosts_time(f, DIAL_MS - MARGIN_MS);
	hosts_turns(f, 10);
	assert_int_equal(0, call.n);
	hosts_time(f, MARGIN_MS);
	check_fails(f, &call, "127.0.0.1:");
	assert_int_equal(1, node_counts(f->b).dial_failures);
}

/* ---- why not ---- */

static void each_address_that_failed_is_told(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	learn_text(f->b, node_id(f->a), REFUSED);
	learn_text(f->b, node_id(f->a), "/ip4/127.0.0.1/tcp/2");
	learn_text(f->b, node_id(f->a), "/ip4/127.0.0.1/tcp/2/p2p-circuit");
	node_connect(f->b, f->a, &call);
	check_fails(f, &call, "127.0.0.1:1: ");
	check_fails(f, &call, "refused; 127.0.0.1:2: ");
	assert_int_equal(2, node_counts(f->b).dialled);
}

static void more_failures_than_there_is_room_for_are_cut(void **state)
{
	struct hosts *f = *state;
	const uint64_t start = uv_now(&f->loop);
	struct call call = { 0 };
	char text[64];

	for (unsigned port = 1; port <= ADDRBOOK_PER_PEER_MAX; port++) {
		snprintf(text, sizeof(text), "/ip4/127.0.0.1/tcp/%u", port);
		learn_text(f->b, node_id(f->a), text);
	}
	node_connect(f->b, f->a, &call);
	check_fails(f, &call, "127.0.0.1:1: ");
	assert_int_equal(sizeof(call.why.msg) - 1, strlen(call.why.msg));
	assert_int_equal(ADDRBOOK_PER_PEER_MAX, node_counts(f->b).dialled);
	/* Nothing was waited for. */
	assert_true(uv_now(&f->loop) - start < ADDRBOOK_PER_PEER_MAX * HOST_STAGGER_MS / 2);
}

static void a_peer_of_which_no_address_is_known_cannot_be_dialled(void **state)
{
	struct hosts *f = *state;
	struct call calls[2] = { 0 };

	node_connect(f->b, f->a, &calls[0]);
	check_fails(f, &calls[0], "no address");
	learn_text(f->b, node_id(f->a), "/ip4/127.0.0.1/udp/1/quic-v1");
	node_connect(f->b, f->a, &calls[1]);
	check_fails(f, &calls[1], "no address");
	assert_int_equal(0, node_counts(f->b).dialled);
	assert_true(list_empty(&f->b->h->peers)); /* it is forgotten */
}

static void another_peer_than_the_one_dialled_is_refused(void **state)
{
	struct hosts *f = *state;
	struct multiaddr at = node_address(f->a);
	struct call call = { 0 };

	learn(f->b, node_id(f->c), &at);
	assert_int_equal(0, host_connect(f->b->h, node_id(f->c), call_done, &call));
	check_fails(f, &call, "127.0.0.1:");
	assert_int_equal(1, node_counts(f->b).bad_handshake);
	until(f, f->a->h->n_conns == 0);
	assert_int_equal(0, f->a->ups + f->b->ups);
}

static void another_secret_is_told_and_counted(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	f->c->opt.psk = f->other_secret;
	node_start(f->c);
	node_learn(f->c, f->a);
	node_connect(f->c, f->a, &call);
	check_fails(f, &call, "127.0.0.1:");
	until(f, f->a->h->n_conns == 0);
	/* Whoever sees it first closes, and the other one may see only that. */
	assert_true(node_counts(f->a).bad_first_token + node_counts(f->c).bad_first_token >= 1);
	assert_int_equal(0, f->a->ups + f->c->ups);
	assert_int_equal(1, node_counts(f->a).accepted);
}

/* ---- peers that come meanwhile ---- */

static void a_peer_that_comes_by_itself_ends_the_dial(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	learn(f->b, node_id(f->a), &quiet.at);
	learn_text(f->b, node_id(f->a), REFUSED);
	node_connect(f->b, f->a, &call);
	hosts_turns(f, 5);
	node_learn(f->a, f->b);
	node_connect(f->a, f->b, NULL);
	until(f, call.n == 1);
	assert_int_equal(0, call.status);
	hosts_time(f, DIAL_MS);
	until(f, f->b->h->n_dials == 0);
	assert_int_equal(1, node_counts(f->b).dialled); /* the rest was not tried */
	assert_int_equal(1, call.n);
	assert_int_equal(1, f->b->ups);
}

static void say_nothing(void *arg, struct stream *s)
{
	stream_own(s, &talk_ops, arg);
}

/* Whoever waits for it waits for what it says of itself, not for the dial. */
static void a_dial_that_fails_is_nothing_when_the_peer_has_come(void **state)
{
	struct hosts *f = *state;
	struct talk silent = { 0 };
	struct call call = { 0 };
	struct stranger st;

	stranger_start(f, &st);
	stranger_offer(&st, IDENTIFY_PROTOCOL, say_nothing, &silent);
	learn(f->b, &st.id.id, &quiet.at);
	assert_int_equal(0, host_connect(f->b->h, &st.id.id, call_done, &call));
	stranger_dial(&st, f->b);
	until(f, host_is_connected(f->b->h, &st.id.id));
	hosts_time(f, DIAL_MS);
	until(f, f->b->h->n_dials == 0);
	hosts_turns(f, 10);
	assert_int_equal(0, call.n);
	hosts_time(f, IDENTIFY_TIMEOUT_MS);
	until(f, call.n == 1);
	assert_int_equal(-EPROTO, call.status);
	stranger_stop(&st);
}

/* Ours is one too many, which is no failure. */
static void a_dial_of_a_peer_that_came_often_enough_is_over(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };
	struct stranger st;

	stranger_start(f, &st);
	stranger_offer_identify(&st);
	stranger_listen(&st);
	st.deaf = true;
	learn(f->b, &st.id.id, &st.at);
	assert_int_equal(0, host_connect(f->b->h, &st.id.id, call_done, &call));
	hosts_turns(f, 5);
	for (unsigned i = 0; i < HOST_PER_PEER_MAX; i++)
		stranger_dial(&st, f->b);
	until(f, call.n == 1 && f->b->h->n_links == HOST_PER_PEER_MAX + 1);
	assert_int_equal(0, call.status);
	assert_int_equal(1, f->b->h->n_dials);
	stranger_hear(&st);
	until(f, f->b->h->n_dials == 0);
	assert_int_equal(HOST_PER_PEER_MAX, f->b->h->n_links);
	assert_int_equal(1, node_counts(f->b).refused);
	assert_int_equal(0, node_counts(f->b).dial_failures);
	assert_int_equal(1, call.n);
	host_disconnect(f->b->h, &st.id.id);
	until(f, st.closed == HOST_PER_PEER_MAX + 1);
	stranger_stop(&st);
}

/* ---- many of them ---- */

static void only_so_many_peers_are_dialled_at_a_time(void **state)
{
	static struct call calls[2 * HOST_DIALS_MAX];
	struct hosts *f = *state;
	uint8_t key[32] = { 0 };
	struct peerid peer;
	unsigned ended = 0;

	memset(calls, 0, sizeof(calls));
	for (unsigned i = 0; i < 2 * HOST_DIALS_MAX; i++) {
		key[0] = (uint8_t)i;
		peerid_from_ed25519(key, &peer);
		learn(f->b, &peer, &quiet.at);
		assert_int_equal(0, host_connect(f->b->h, &peer, call_done, &calls[i]));
	}
	hosts_turns(f, 20);
	assert_int_equal(HOST_DIALS_MAX, node_counts(f->b).dialled);
	hosts_time(f, DIAL_MS);
	until(f, node_counts(f->b).dialled == 2 * HOST_DIALS_MAX);
	for (unsigned i = 0; i < HOST_DIALS_MAX; i++)
		until(f, calls[i].n == 1);
	for (unsigned i = 0; i < 2 * HOST_DIALS_MAX; i++)
		ended += calls[i].n;
	assert_int_equal(HOST_DIALS_MAX, ended);
	hosts_time(f, DIAL_MS);
	for (unsigned i = 0; i < 2 * HOST_DIALS_MAX; i++)
		until(f, calls[i].n == 1);
	until(f, f->b->h->n_dials == 0 && list_empty(&f->b->h->peers));
}

static void who_disconnects_while_dialling_is_told(void **state)
{
	struct hosts *f = *state;
	struct call calls[2] = { 0 };

	learn(f->b, node_id(f->a), &quiet.at);
	node_connect(f->b, f->a, &calls[0]);
	hosts_turns(f, 5);
	host_disconnect(f->b->h, node_id(f->a));
	assert_int_equal(0, calls[0].n); /* not from within */
	node_learn(f->b, f->a);
	node_connect(f->b, f->a, &calls[1]); /* a dial of its own */
	until(f, calls[0].n == 1);
	assert_int_equal(-ECANCELED, calls[0].status);
	assert_int_equal(0, calls[1].n);
	hosts_time(f, HOST_STAGGER_MS);
	until(f, calls[1].n == 1);
	assert_int_equal(0, calls[1].status);
	assert_int_equal(1, calls[0].n);
	until(f, f->b->h->n_conns == 1);
}

/* ---- names ---- */

static void a_name_may_have_several_addresses(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	found[0] = address_of(REFUSED);
	found[1] = node_address(f->a);
	found[2] = node_address(f->a);
	n_found = 3;
	learn_text(f->b, node_id(f->a), "/dns4/a.example/tcp/9096");
	node_connect(f->b, f->a, &call);
	until(f, call.n == 1);
	assert_int_equal(0, call.status);
	assert_int_equal(2, node_counts(f->b).dialled);
	assert_int_equal(1, looked);
}

/* What is at hand is dialled while the name is looked up. */
static void a_name_holds_up_nothing(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };
	struct stranger st;
	uv_sem_t sem;

	assert_int_equal(0, uv_sem_init(&sem, 0));
	gate = &sem;
	stranger_start(f, &st);
	stranger_offer_identify(&st);
	stranger_listen(&st);
	st.deaf = true;
	learn_text(f->b, &st.id.id, "/dnsaddr/a.example");
	learn(f->b, &st.id.id, &st.at);
	assert_int_equal(0, host_connect(f->b->h, &st.id.id, call_done, &call));
	until(f, atomic_load(&looking) == 1);
	stranger_hear(&st);
	until(f, call.n == 1);
	assert_int_equal(0, call.status);
	assert_int_equal(1, f->b->h->n_dials);
	uv_sem_post(&sem);
	until(f, f->b->h->n_dials == 0);
	assert_int_equal(1, node_counts(f->b).dialled);
	uv_sem_destroy(&sem);
	stranger_stop(&st);
}

static void a_name_that_leads_nowhere_is_told(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	learn_text(f->b, node_id(f->a), "/dns/a.example/tcp/1");
	learn_text(f->b, node_id(f->a), REFUSED);
	node_connect(f->b, f->a, &call);
	check_fails(f, &call, "there is no such name");
	check_fails(f, &call, "127.0.0.1:1: ");
}

static void names_take_few_threads(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };
	uv_sem_t sem;
	char text[64];

	assert_int_equal(0, uv_sem_init(&sem, 0));
	gate = &sem;
	for (unsigned i = 0; i < 5 * HOST_LOOKUPS_MAX; i++) {
		snprintf(text, sizeof(text), "/dns/n%u/tcp/1", i);
		learn_text(f->b, node_id(f->a), text);
	}
	node_connect(f->b, f->a, &call);
	until(f, atomic_load(&looking) == HOST_LOOKUPS_MAX);
	for (unsigned i = 0; i < 5 * HOST_LOOKUPS_MAX; i++)
		uv_sem_post(&sem);
	check_fails(f, &call, "there is no such name");
	assert_int_equal(5 * HOST_LOOKUPS_MAX, looked);
	assert_int_equal(HOST_LOOKUPS_MAX, most_looking);
	uv_sem_destroy(&sem);
}

/* Those that wait are dropped; those that have begun are waited for, by the host alone. */
static void names_of_a_dial_that_is_given_up_are_not_looked_up(void **state)
{
	struct hosts *f = *state;
	struct call calls[2] = { 0 };
	uv_sem_t sem;
	char text[64];

	assert_int_equal(0, uv_sem_init(&sem, 0));
	gate = &sem;
	for (unsigned i = 0; i < 3 * HOST_LOOKUPS_MAX; i++) {
		snprintf(text, sizeof(text), "/dns/n%u/tcp/1", i);
		learn_text(f->b, node_id(f->a), text);
	}
	learn_text(f->b, node_id(f->c), "/dns/n/tcp/1");
	node_connect(f->b, f->a, &calls[0]);
	until(f, atomic_load(&looking) == HOST_LOOKUPS_MAX);
	host_disconnect(f->b->h, node_id(f->a));
	node_connect(f->b, f->c, &calls[1]);
	until(f, calls[0].n == 1);
	assert_int_equal(-ECANCELED, calls[0].status);
	assert_int_equal(HOST_LOOKUPS_MAX, looked);
	assert_int_equal(0, calls[1].n);
	for (unsigned i = 0; i < HOST_LOOKUPS_MAX + 1; i++)
		uv_sem_post(&sem);
	check_fails(f, &calls[1], "there is no such name");
	assert_int_equal(HOST_LOOKUPS_MAX + 1, looked);
	uv_sem_destroy(&sem);
}

static void closing_waits_for_names_that_are_looked_up(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };
	uv_sem_t sem;

	assert_int_equal(0, uv_sem_init(&sem, 0));
	gate = &sem;
	learn_text(f->b, node_id(f->a), "/dns/a/tcp/1");
	learn_text(f->b, node_id(f->a), "/dns/b/tcp/1");
	learn_text(f->b, node_id(f->a), "/dns/c/tcp/1");
	node_connect(f->b, f->a, &call);
	until(f, atomic_load(&looking) == HOST_LOOKUPS_MAX);
	node_close(f->b);
	until(f, call.n == 1);
	assert_int_equal(-ECANCELED, call.status);
	hosts_turns(f, 20);
	assert_false(f->b->closed);
	for (unsigned i = 0; i < HOST_LOOKUPS_MAX; i++)
		uv_sem_post(&sem);
	until(f, f->b->closed);
	assert_int_equal(HOST_LOOKUPS_MAX, looked);
	uv_sem_destroy(&sem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(the_next_address_is_tried_beside_one_that_takes_its_time),
		TEST(the_next_address_is_tried_at_once_when_one_fails),
		TEST(an_address_that_does_not_answer_has_so_much_time_and_no_more),
		TEST(each_address_that_failed_is_told),
		TEST(more_failures_than_there_is_room_for_are_cut),
		TEST(a_peer_of_which_no_address_is_known_cannot_be_dialled),
		TEST(another_peer_than_the_one_dialled_is_refused),
		TEST(another_secret_is_told_and_counted),
		TEST(a_peer_that_comes_by_itself_ends_the_dial),
		TEST(a_dial_that_fails_is_nothing_when_the_peer_has_come),
		TEST(a_dial_of_a_peer_that_came_often_enough_is_over),
		TEST(only_so_many_peers_are_dialled_at_a_time),
		TEST(who_disconnects_while_dialling_is_told),
		TEST(a_name_may_have_several_addresses),
		TEST(a_name_holds_up_nothing),
		TEST(a_name_that_leads_nowhere_is_told),
		TEST(names_take_few_threads),
		TEST(names_of_a_dial_that_is_given_up_are_not_looked_up),
		TEST(closing_waits_for_names_that_are_looked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
