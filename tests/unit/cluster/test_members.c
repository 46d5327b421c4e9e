#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/members.h"
#include "consensus/crdt/crdt_net.h"
#include "tests/lib/store_fixture.h"
#include "types/rpc_types.h"
#include "util/clock.h"

#define SELF 5

/* ---- the network and Kubo, played by the test ---- */

struct gorpc_request {
	unsigned peer;
	struct gorpc_handler handler;
};

static struct {
	struct host_watch *watch;
	struct gossip_topic topic;
	struct gorpc_request requests[16];
	size_t n_requests, n_cancelled;
	unsigned published, kept, learnt, asked_repo;
	unsigned trusted;   /* a bit for each peer */
	unsigned connected; /* as the host says */
	uint64_t bad_tokens;
	struct multiaddr own;
} net;

static struct tracker_kubo kubo;

static int64_t now_ns = 1700000000 * NS_PER_S;

static int64_t now(void)
{
	return now_ns;
}

static struct peerid peer(unsigned i)
{
	const uint8_t key[32] = { (uint8_t)i };
	struct peerid id;

	peerid_from_ed25519(key, &id);
	return id;
}

static unsigned number(const struct peerid *id)
{
	return id->bytes[id->len - 32];
}

void host_watch(struct host *h, struct host_watch *w)
{
	net.watch = w;
}

void host_unwatch(struct host *h, struct host_watch *w)
{
	assert_ptr_equal(net.watch, w);
	net.watch = NULL;
}

int host_learn(struct host *h, const struct peerid *id, const struct multiaddr *a,
	       enum host_address_ttl ttl)
{
	net.learnt |= 1u << number(id);
	return 0;
}

void host_keep(struct host *h, const struct peerid *id)
{
	net.kept |= 1u << number(id);
}

const char *host_agent(const struct host *h, const struct peerid *id)
{
	return "agent/1";
}

uint64_t host_rtt_ms(const struct host *h, const struct peerid *id)
{
	return 7;
}

const struct multiaddr *host_addresses(const struct host *h, size_t *ret_n)
{
	*ret_n = 1;
	return &net.own;
}

void host_each_known(struct host *h,
		     bool (*fn)(void *arg, const struct peerid *peer, const struct multiaddr *v,
				size_t n),
		     void *arg)
{
	for (unsigned i = 1; i < 4; i++) {
		const struct peerid id = peer(i);

		fn(arg, &id, &net.own, 1);
	}
}

void host_each(struct host *h, bool (*fn)(void *arg, const struct peerid *peer), void *arg)
{
	for (unsigned i = 0; i < 32; i++) {
		const struct peerid id = peer(i);

		if (net.connected & 1u << i)
			fn(arg, &id);
	}
}

void host_counts(const struct host *h, struct host_counts *ret)
{
	*ret = (struct host_counts){ .bad_first_token = net.bad_tokens };
}

struct gossip *pubsub_gossip(struct pubsub *p)
{
	return NULL;
}

void gossip_counts(const struct gossip *g, struct gossip_counts *ret)
{
	*ret = (struct gossip_counts){ 0 };
}

int pubsub_subscribe(struct pubsub *p, const struct gossip_topic *t)
{
	net.topic = *t;
	return 0;
}

void pubsub_leave(struct pubsub *p, const char *topic)
{
	assert_string_equal(MEMBERS_TOPIC, topic);
}

int pubsub_publish(struct pubsub *p, const char *topic, const void *data, size_t n,
		   size_t *ret_reached)
{
	net.published++;
	return 0;
}

int gorpc_call(struct gorpc *g, const struct peerid *id, const char *service, const char *method,
	       bool streaming, const void *argument, size_t n, uint64_t timeout_ms,
	       const struct gorpc_handler *handler, struct gorpc_request **ret)
{
	struct gorpc_request *r = &net.requests[net.n_requests++];

	assert_true(net.n_requests <= 16 && streaming && n == 0);
	assert_string_equal("Cluster", service);
	assert_string_equal("IDStream", method);
	*r = (struct gorpc_request){ .peer = number(id), .handler = *handler };
	*ret = r;
	return 0;
}

void gorpc_cancel(struct gorpc_request *r)
{
	net.n_cancelled++;
}

void tracker_kubo(struct tracker *t, struct tracker_kubo *ret)
{
	*ret = kubo;
}

void tracker_ask_repo(struct tracker *t)
{
	net.asked_repo++;
}

bool crdt_trusts(const struct crdt_config *cfg, const struct peerid *self, const struct peerid *id)
{
	return number(id) < 32 && (net.trusted & 1u << number(id));
}

/* ---- the loop's time: the timers are called by the test ---- */

uint64_t __wrap_uv_now(const uv_loop_t *loop);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);

static uv_timer_t *tick_timer;
static uv_timer_cb tick_cb;

uint64_t __wrap_uv_now(const uv_loop_t *loop)
{
	return (uint64_t)(now_ns / NS_PER_MS);
}

/* Only the members' own timer repeats. */
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	if (repeat > 0) {
		tick_timer = timer;
		tick_cb = cb;
	}
	return 0;
}

/* ---- members ---- */

struct fix {
	struct store_fix s;
	struct cluster_config config;
	struct informer_config informer;
	struct monitor_config monitor_config;
	struct crdt_config crdt;
	struct members *m;
	char told[256]; /* "+1 -1 ", and "say1 bye1 " of answers and those forgotten */
	bool closed;
};

static void on_alive(void *arg, const struct peerid *id, bool alive)
{
	struct fix *f = arg;
	size_t at = strlen(f->told);

	snprintf(f->told + at, sizeof(f->told) - at, "%c%u ", alive ? '+' : '-', number(id));
}

static void on_said(void *arg, const struct rpc_id *id)
{
	struct fix *f = arg;
	size_t at = strlen(f->told);

	snprintf(f->told + at, sizeof(f->told) - at, "say%u ", number(&id->peer));
}

static void on_gone(void *arg, const struct peerid *id)
{
	struct fix *f = arg;
	size_t at = strlen(f->told);

	snprintf(f->told + at, sizeof(f->told) - at, "bye%u ", number(id));
}

static int setup(void **state)
{
	static char name[] = "us", metric[] = "freespace";
	struct fix *f = calloc(1, sizeof(*f));
	struct members_options opt = { 0 };

	assert_non_null(f);
	memset(&net, 0, sizeof(net));
	memset(&kubo, 0, sizeof(kubo));
	assert_int_equal(0, multiaddr_parse("/ip4/192.0.2.1/tcp/9096", 23, &net.own, NULL));
	clock_fake(now);
	store_fix_setup(&f->s);
	f->config.peername = name;
	f->config.monitor_ping_interval_ms = 15000;
	f->monitor_config.check_interval_ms = 15000;
	f->informer = (struct informer_config){ .disk_metric = metric,
						.disk_ttl_ms = 30000,
						.pinqueue_ttl_ms = 30000,
						.tags_ttl_ms = 30000 };
	opt = (struct members_options){
		.loop = &f->s.loop,
		.config = &f->config,
		.informer = &f->informer,
		.monitor = &f->monitor_config,
		.crdt = &f->crdt,
		.self = peer(SELF),
		.store = f->s.store,
		.events = { .alive = on_alive, .said = on_said, .gone = on_gone, .arg = f }
	};
	assert_int_equal(0, members_new(&opt, &f->m, NULL));
	*state = f;
	return 0;
}

static void on_closed(void *arg)
{
	((struct fix *)arg)->closed = true;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	members_close(f->m, on_closed, f);
	while (!f->closed)
		uv_run(&f->s.loop, UV_RUN_ONCE);
	store_fix_teardown(&f->s);
	clock_fake(NULL);
	free(f);
	return 0;
}

static void tick(int64_t seconds)
{
	now_ns += seconds * NS_PER_S;
	tick_cb(tick_timer);
}

static void up(unsigned i)
{
	const struct peerid id = peer(i);

	net.connected |= 1u << i;
	net.watch->up(net.watch, &id);
}

static void down(unsigned i)
{
	const struct peerid id = peer(i);

	net.connected &= ~(1u << i);
	net.watch->down(net.watch, &id);
}

static void ping_by(unsigned author, unsigned i, int64_t seconds)
{
	const struct peerid by = peer(author), id = peer(i);
	const struct metric m = { .name = "ping",
				  .name_len = 4,
				  .value = "{}",
				  .value_len = 2,
				  .peer = id,
				  .expire_ns = now_ns + seconds * NS_PER_S,
				  .valid = true };
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, metric_encode(&m, &out));
	net.topic.message(net.topic.arg, &by, &by, out.data, out.len);
	buf_deinit(&out);
}

static void ping_of(unsigned i, int64_t seconds)
{
	ping_by(i, i, seconds);
}

static void answer(size_t request, unsigned as)
{
	const struct gorpc_request *r = &net.requests[request];
	const struct peerid id = peer(as), another = peer(3);
	struct multiaddr at = net.own;
	const struct rpc_id said = { .peer = id,
				     .peername = { .p = "name", .n = 4 },
				     .cluster_peers_addresses = &at,
				     .n_cluster_peers_addresses = 1 };
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, multiaddr_add_peerid(&at, &another));
	assert_int_equal(0, rpc_id_encode(&said, &out));
	r->handler.value(r->handler.arg, out.data, out.len);
	buf_deinit(&out);
}

static void done(size_t request, int status, const char *text)
{
	const struct gorpc_result r = { .status = status, .text = text };

	net.requests[request].handler.done(net.requests[request].handler.arg, &r);
}

/* "1ac" for an alive and connected peer, "1t" for a trusted one. */
static bool list_one(void *arg, const struct member *m)
{
	char *text = arg;
	size_t at = strlen(text);

	snprintf(text + at, 64 - at, "%u%s%s%s ", number(&m->peer), m->alive ? "a" : "",
		 m->connected ? "c" : "", m->trusted ? "t" : "");
	return true;
}

static void assert_members(struct fix *f, const char *expected)
{
	char text[64] = "";

	members_each(f->m, list_one, text);
	assert_string_equal(expected, text);
}

static void copy_member(void *arg, const struct member *m)
{
	struct member *to = arg;

	*to = *m; /* what it points to stays until something else happens */
}

static struct member member(struct fix *f, unsigned i)
{
	const struct peerid id = peer(i);
	struct member m = { 0 };

	assert_true(members_find(f->m, &id, copy_member, &m));
	return m;
}

/* ---- tests ---- */

static void a_peer_is_a_member_while_it_is_alive_or_connected(void **state)
{
	struct fix *f = *state;

	net.trusted = 1u << 2;
	ping_of(2, 30);
	up(1);
	assert_members(f, "1c 2at ");
	tick(1);
	assert_members(f, "1ac 2at "); /* one that was seen counts as alive */
	tick(30);
	assert_members(f, "1c ");
	down(1);
	tick(1);
	assert_members(f, "");
	assert_string_equal("+2 +1 -1 -2 bye2 bye1 ", f->told);
}

static void a_peer_that_was_seen_counts_for_two_intervals_of_pings(void **state)
{
	struct fix *f = *state;

	f->config.monitor_ping_interval_ms = 2000;
	up(1);
	tick(4);
	assert_members(f, "1ac ");
	tick(1);
	assert_members(f, "1c ");
}

static void members_are_listed_in_the_order_of_their_ids_and_we_are_none(void **state)
{
	struct fix *f = *state;

	ping_of(9, 30);
	ping_of(SELF, 30);
	ping_of(1, 30);
	ping_of(4, 30);
	assert_members(f, "1a 4a 9a ");
}

static void a_living_member_is_kept_connected_where_it_is_trusted(void **state)
{
	net.trusted = 1u << 3;
	ping_of(3, 30);
	ping_of(4, 30);
	assert_int_equal(1u << 3, net.kept);
}

static void a_member_is_asked_when_it_comes_and_every_thirty_seconds(void **state)
{
	struct fix *f = *state;

	up(1);
	assert_int_equal(1, net.n_requests);
	tick(31);
	assert_int_equal(1, net.n_requests); /* the first has not ended yet */
	answer(0, 1);
	done(0, 0, "");
	tick(29);
	assert_int_equal(1, net.n_requests);
	tick(2);
	assert_int_equal(2, net.n_requests);
	assert_members(f, "1c ");
}

static void where_a_member_is_that_is_not_connected_the_others_are_asked_soon(void **state)
{
	net.trusted = 1u << 1 | 1u << 2;
	up(1);
	answer(0, 1);
	done(0, 0, "");
	ping_of(2, 3600);
	tick(1);
	assert_int_equal(1, net.n_requests);
	tick(2);
	assert_int_equal(2, net.n_requests);
	answer(1, 1);
	done(1, 0, "");
	tick(3);
	assert_int_equal(2, net.n_requests);
	tick(1);
	assert_int_equal(3, net.n_requests);
	answer(2, 1);
	done(2, 0, "");
	up(2);
	answer(3, 2);
	done(3, 0, "");
	tick(20);
	assert_int_equal(4, net.n_requests);
}

static void what_it_said_is_shown_with_its_time(void **state)
{
	struct fix *f = *state;
	struct member m;

	up(1);
	m = member(f, 1);
	assert_null(m.id);
	assert_string_equal("agent/1", m.agent);
	now_ns += NS_PER_S;
	answer(0, 1);
	done(0, 0, "");
	tick(1);
	m = member(f, 1);
	assert_string_equal("name", json_string_value(json_object_get(m.id, "peername")));
	assert_int_equal(now_ns - NS_PER_S, m.asked_ns);
	assert_int_equal(7, m.rtt_ms);
	assert_string_equal("", m.error);
}

static void a_failed_question_is_told_and_the_old_answer_stays(void **state)
{
	struct fix *f = *state;
	struct member m;

	up(1);
	answer(0, 1);
	done(0, 0, "");
	tick(31);
	done(1, -ETIMEDOUT, "no answer");
	m = member(f, 1);
	assert_string_equal("no answer", m.error);
	assert_non_null(m.id);
	tick(31);
	answer(2, 1);
	done(2, 0, "");
	assert_string_equal("", member(f, 1).error);
}

static void an_answer_in_the_name_of_another_counts_for_nothing(void **state)
{
	struct fix *f = *state;

	up(1);
	answer(0, 2);
	done(0, 0, "");
	assert_null(member(f, 1).id);
	assert_string_equal("", f->told);
	assert_int_equal(0, net.learnt);
}

static void answers_are_passed_on_until_the_peer_is_forgotten(void **state)
{
	struct fix *f = *state;

	up(1);
	answer(0, 1);
	done(0, 0, "");
	members_ask_all(f->m);
	answer(1, 1);
	done(1, 0, "");
	down(1);
	tick(31);
	assert_string_equal("say1 say1 bye1 ", f->told);
}

static void addresses_that_it_told_of_are_learnt_where_it_is_trusted(void **state)
{
	up(1);
	answer(0, 1);
	done(0, 0, "");
	assert_int_equal(0, net.learnt);
	net.trusted = 1u << 2;
	up(2);
	answer(1, 2);
	done(1, 0, "");
	assert_int_equal(1u << 3, net.learnt);
}

static void garbage_on_the_topic_makes_no_member(void **state)
{
	struct fix *f = *state;
	const struct peerid id = peer(1);

	net.topic.message(net.topic.arg, &id, &id, (const uint8_t *)"\xff\x01", 2);
	assert_members(f, "");
}

static void nobody_is_made_a_member_by_another(void **state)
{
	struct fix *f = *state;
	const struct peerid id = peer(2);

	ping_by(1, 2, 30);
	assert_members(f, "");
	assert_false(monitor_is_alive(members_monitor(f->m), &id, now_ns));
}

static void there_are_only_so_many_members(void **state)
{
	struct fix *f = *state;
	struct metric m = { .name = "ping",
			    .name_len = 4,
			    .value = "",
			    .expire_ns = now_ns + 30 * NS_PER_S,
			    .valid = true };

	for (unsigned i = 0; i <= MEMBERS_MAX; i++) {
		const uint8_t key[32] = { 31, (uint8_t)(i >> 8), (uint8_t)i };
		struct buf out = BUF_INIT(0);

		peerid_from_ed25519(key, &m.peer);
		assert_int_equal(0, metric_encode(&m, &out));
		net.topic.message(net.topic.arg, &m.peer, &m.peer, out.data, out.len);
		buf_deinit(&out);
	}
	assert_false(members_find(f->m, &m.peer, copy_member, &(struct member){ 0 }));
}

static void how_full_kubo_is_is_told_while_it_is_there_and_known(void **state)
{
	struct fix *f = *state;
	unsigned before = net.published;

	kubo = (struct tracker_kubo){ .repo = { .repo_size = 1, .storage_max = 3 }, .repo_ns = 1 };
	members_publish_disk(f->m);
	kubo.up = true; /* what is known is of before it came */
	members_publish_disk(f->m);
	assert_int_equal(before, net.published);
	kubo.repo_known = true;
	members_publish_disk(f->m);
	assert_int_equal(before + 1, net.published);
	kubo.up = false;
	members_publish_disk(f->m);
	assert_int_equal(before + 1, net.published);
}

static void every_so_often_that_kubo_worked_our_metrics_are_told(void **state)
{
	struct fix *f = *state;
	unsigned before = net.published;

	for (int i = 0; i < 3; i++)
		members_kubo_worked(f->m, 0);
	members_kubo_worked(f->m, 2);
	assert_int_equal(before, net.published);
	members_kubo_worked(f->m, 2);
	assert_int_equal(before + 1, net.published); /* the queue; there are no tags */
	assert_int_equal(1, net.asked_repo);
}

static void the_network_is_looked_at_as_time_goes_by(void **state)
{
	struct fix *f = *state;
	struct buf own = BUF_INIT(0), others = BUF_INIT(0);
	struct cluster_network n;

	net.trusted = 1u << 1 | 1u << 2;
	up(1);
	ping_of(2, 30);
	net.bad_tokens = 3;
	tick(3);
	net_state_get(members_net(f->m), &n);
	assert_int_equal(1, n.announced);
	assert_int_equal(1, n.connected);
	assert_int_equal(2, n.trusted_known);
	assert_int_equal(1, n.trusted_connected);
	assert_int_equal(now_ns, n.other_secret_ns);
	assert_int_equal(0, net_state_addresses(members_net(f->m), &own, &others));
	assert_int_equal(0, buf_terminate(&own));
	assert_non_null(strstr((char *)own.data, "/ip4/192.0.2.1/tcp/9096/p2p/12D3KooW"));
	/* Of the three that are known, two are members, whose lines are as long as ours. */
	assert_int_equal(2 * own.len, others.len);
	buf_deinit(&own);
	buf_deinit(&others);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_peer_is_a_member_while_it_is_alive_or_connected),
		TEST(a_peer_that_was_seen_counts_for_two_intervals_of_pings),
		TEST(members_are_listed_in_the_order_of_their_ids_and_we_are_none),
		TEST(a_living_member_is_kept_connected_where_it_is_trusted),
		TEST(a_member_is_asked_when_it_comes_and_every_thirty_seconds),
		TEST(where_a_member_is_that_is_not_connected_the_others_are_asked_soon),
		TEST(what_it_said_is_shown_with_its_time),
		TEST(a_failed_question_is_told_and_the_old_answer_stays),
		TEST(an_answer_in_the_name_of_another_counts_for_nothing),
		TEST(answers_are_passed_on_until_the_peer_is_forgotten),
		TEST(addresses_that_it_told_of_are_learnt_where_it_is_trusted),
		TEST(garbage_on_the_topic_makes_no_member),
		TEST(nobody_is_made_a_member_by_another),
		TEST(there_are_only_so_many_members),
		TEST(how_full_kubo_is_is_told_while_it_is_there_and_known),
		TEST(every_so_often_that_kubo_worked_our_metrics_are_told),
		TEST(the_network_is_looked_at_as_time_goes_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
