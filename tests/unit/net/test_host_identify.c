/* What peers say of themselves, and what those are told who do not say it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/conn_internal.h"
#include "net/frame.h"
#include "tests/unit/net/host_fixture.h"
#include "util/varint.h"

#define MARGIN_MS 2000 /* real time that a test may take between two times that it sets */

static struct stranger st;
static struct sockaddr_in seeming; /* where whoever is accepted comes from; 0: the truth */

const struct sockaddr *__real_conn_remote(const struct conn *c);
const struct sockaddr *__wrap_conn_remote(const struct conn *c);

const struct sockaddr *__wrap_conn_remote(const struct conn *c)
{
	if (seeming.sin_family == AF_INET && !conn_is_dialer(c))
		return (const struct sockaddr *)&seeming;
	return __real_conn_remote(c);
}

/* What the stranger's identify does. */
static unsigned asked;
static struct stream *silent; /* a stream that it leaves */

static int setup(void **state)
{
	int r = hosts_setup(state);

	asked = 0;
	silent = NULL;
	memset(&seeming, 0, sizeof(seeming));
	stranger_start(*state, &st);
	return r;
}

static int teardown(void **state)
{
	stranger_stop(&st);
	return hosts_teardown(state);
}

static void silent_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
}

static void silent_ended(void *arg, struct stream *s, int why)
{
	silent = NULL;
}

static const struct stream_ops silent_ops = { .data = silent_data, .ended = silent_ended };

static void say_nothing(void *arg, struct stream *s)
{
	asked++;
	silent = s;
	stream_own(s, &silent_ops, NULL);
}

static void say_what_is_no_message(void *arg, struct stream *s)
{
	asked++;
	stream_own(s, &silent_ops, NULL);
	assert_int_equal(0, stream_write(s, "\x03\xff\xff\xff", 4));
	stream_close(s);
}

static void say_half_a_message(void *arg, struct stream *s)
{
	asked++;
	stream_own(s, &silent_ops, NULL);
	assert_int_equal(0, stream_write(s, "\x10\x2a", 2));
	stream_close(s);
}

static void say_too_much(void *arg, struct stream *s)
{
	asked++;
	silent = s;
	stream_own(s, &silent_ops, NULL);
	assert_int_equal(0, stream_write(s, "\x81\x40", 2)); /* 8193 */
}

static void hang_up(void *arg, struct stream *s)
{
	asked++;
	conn_close(stream_conn(s));
}

/* What a push says; the stream ends with it. */
static void push(const char *const *protocols, const char *const *addresses)
{
	static const char *const protocol[] = { IDENTIFY_PUSH_PROTOCOL };
	static const struct stream_ops ops = { .data = silent_data, .ended = silent_ended };
	struct stream *s;

	assert_int_equal(0, stream_open(st.conn, protocol, 1, false, &ops, NULL, &s));
	stranger_say(s, protocols, addresses);
}

static const char *const speaks_test[] = { "/test/1", NULL };
static const char *const speaks_more[] = { "/test/1", "/test/2", NULL };

/* a asks the stranger to be connected, by a connection that the stranger makes. */
static void connect_by(struct hosts *f, void (*identify)(void *arg, struct stream *s),
		       struct call *call)
{
	if (identify)
		stranger_offer(&st, IDENTIFY_PROTOCOL, identify, NULL);
	else
		stranger_offer(&st, "/test/1", say_nothing, NULL);
	stranger_dial(&st, f->a);
	until(f, host_is_connected(f->a->h, &st.id.id));
	assert_int_equal(0, host_connect(f->a->h, &st.id.id, call_done, call));
}

/* ---- who does not say ---- */

static void check_mute(struct hosts *f, const struct call *call)
{
	static const char *const protocols[] = { "/test/1", NULL };
	struct talk t;

	until(f, call->n == 1);
	assert_int_equal(-EPROTO, call->status);
	assert_int_not_equal(0, call->why.code);
	assert_true(call->why.msg[0]);
	assert_true(host_is_connected(f->a->h, &st.id.id));
	assert_false(host_speaks(f->a->h, &st.id.id, "/test/1"));
	assert_int_equal(0, f->a->ups);
	assert_string_equal("", host_agent(f->a->h, &st.id.id));
	talk_open(&t, f->a, &st.id.id); /* whoever knows what it speaks may try */
	talk_close(&t);

	push(protocols, NULL);
	until(f, f->a->ups == 1);
	assert_true(host_speaks(f->a->h, &st.id.id, "/test/1"));
	assert_string_equal("stranger", host_agent(f->a->h, &st.id.id));
}

static void a_peer_that_says_nothing_is_connected_but_not_up(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	connect_by(f, say_nothing, &call);
	until(f, asked == 1);
	hosts_time(f, IDENTIFY_TIMEOUT_MS - MARGIN_MS);
	assert_int_equal(0, call.n);
	hosts_time(f, MARGIN_MS);
	until(f, !silent); /* its stream was reset */
	check_mute(f, &call);
}

static void a_peer_that_does_not_speak_identify_is_not_up(void **state)
{
	struct call call = { 0 };

	connect_by(*state, NULL, &call);
	check_mute(*state, &call);
}

static void a_peer_that_says_too_much_is_not_up(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	connect_by(f, say_too_much, &call);
	until(f, asked == 1 && !silent);
	check_mute(f, &call);
}

static void a_peer_that_is_not_understood_is_not_up(void **state)
{
	struct call call = { 0 };

	connect_by(*state, say_what_is_no_message, &call);
	check_mute(*state, &call);
}

static void a_peer_that_stops_in_the_middle_is_not_up(void **state)
{
	struct call call = { 0 };

	connect_by(*state, say_half_a_message, &call);
	check_mute(*state, &call);
}

static void who_waits_for_a_peer_that_goes_is_told(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	connect_by(f, hang_up, &call);
	until(f, call.n == 1);
	assert_int_equal(-ECONNRESET, call.status);
	assert_int_equal(0, f->a->ups + f->a->downs);
	assert_false(host_is_connected(f->a->h, &st.id.id));
}

static void a_peer_that_did_not_say_is_asked_again(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	connect_by(f, say_half_a_message, &call);
	until(f, call.n == 1);
	assert_int_equal(1, asked);
	assert_int_equal(0, host_connect(f->a->h, &st.id.id, call_done, &call)); /* at once */
	until(f, call.n == 2);
	assert_int_equal(-EPROTO, call.status);
	assert_int_equal(2, asked);

	st.n_offers = 0;
	stranger_offer_identify(&st);
	hosts_time(f, HOST_ASK_AGAIN_MS - MARGIN_MS);
	hosts_turns(f, 20);
	assert_int_equal(0, f->a->ups);
	hosts_time(f, MARGIN_MS);
	until(f, f->a->ups == 1);
}

/* ---- pushes ---- */

static void a_push_replaces_what_a_peer_speaks(void **state)
{
	struct hosts *f = *state;

	stranger_offer_identify(&st);
	stranger_dial(&st, f->a);
	until(f, f->a->ups == 1);
	assert_true(host_speaks(f->a->h, &st.id.id, IDENTIFY_PROTOCOL));
	push(speaks_more, NULL);
	until(f, f->a->changes == 1);
	assert_true(host_speaks(f->a->h, &st.id.id, "/test/2"));
	assert_false(host_speaks(f->a->h, &st.id.id, IDENTIFY_PROTOCOL));
	push(speaks_more, (const char *const[]){ "/ip4/10.0.0.1/tcp/1", NULL });
	until(f, node_knows(f->a, &st.id.id, "/ip4/10.0.0.1/tcp/1"));
	assert_int_equal(1, f->a->changes); /* nothing else was said of that */
	push(speaks_test, NULL);
	until(f, f->a->changes == 2);
	assert_false(node_knows(f->a, &st.id.id, "/ip4/10.0.0.1/tcp/1"));
	assert_int_equal(1, f->a->ups);
}

static void addresses_of_no_use_are_not_learned(void **state)
{
	static const char *const addresses[] = { "/ip4/0.0.0.0/tcp/1", "/ip4/127.0.0.1/tcp/2",
						 "/ip4/1.2.3.4/udp/3/quic-v1", "/dns4/a/tcp/4",
						 NULL };
	struct hosts *f = *state;

	stranger_offer_identify(&st);
	stranger_dial(&st, f->a);
	until(f, f->a->ups == 1);
	push(speaks_more, addresses);
	until(f, f->a->changes == 1);
	assert_false(node_knows(f->a, &st.id.id, addresses[0]));
	for (size_t i = 1; addresses[i]; i++)
		assert_true(node_knows(f->a, &st.id.id, addresses[i]));
}

static void open_push(struct talk *t)
{
	static const char *const protocol[] = { IDENTIFY_PUSH_PROTOCOL };

	*t = (struct talk){ 0 };
	assert_int_equal(0, stream_open(st.conn, protocol, 1, false, &talk_ops, t, &t->s));
}

static void a_peer_pushes_so_much_at_a_time_and_no_more(void **state)
{
	struct talk pushes[HOST_PUSHES_MAX + 1];
	struct hosts *f = *state;

	stranger_offer_identify(&st);
	stranger_dial(&st, f->a);
	until(f, f->a->ups == 1);
	for (size_t i = 0; i < HOST_PUSHES_MAX; i++) {
		open_push(&pushes[i]);
		until(f, pushes[i].agreed);
	}
	open_push(&pushes[HOST_PUSHES_MAX]);
	until(f, pushes[HOST_PUSHES_MAX].ended);
	hosts_time(f, IDENTIFY_TIMEOUT_MS); /* those that do not end are ended */
	until(f, !pushes[0].s && !pushes[1].s);
	push(speaks_more, NULL);
	until(f, f->a->changes == 1);
	assert_int_equal(0, f->a->downs);
}

/* Appends @times a protocol whose name is @n times @c. */
static void put_names(struct buf *out, char c, size_t n, unsigned times)
{
	uint8_t head[1 + VARINT_MAX] = { 0x1a };
	size_t len = 1 + varint_put(head + 1, n);

	while (times-- > 0) {
		assert_int_equal(0, buf_append(out, head, len));
		for (size_t i = 0; i < n; i++)
			assert_int_equal(0, buf_byte(out, (uint8_t)c));
	}
}

static void send_frame(struct stream *s, struct buf *message)
{
	struct buf frame = BUF_INIT(0);

	assert_int_equal(0, frame_write(message->data, message->len, &frame));
	assert_int_equal(0, stream_write(s, frame.data, frame.len));
	buf_deinit(&frame);
	buf_deinit(message);
}

/* The last name would fill the room for names, but for the zero at its end. */
static void names_beyond_the_room_for_them_are_left_out(void **state)
{
	static const char *const protocol[] = { IDENTIFY_PUSH_PROTOCOL };
	char name[IDENTIFY_TEXT_MAX + 1] = { 0 };
	struct buf m = BUF_INIT(0);
	struct hosts *f = *state;
	struct talk t = { 0 };
	unsigned n = 0;

	stranger_offer_identify(&st);
	stranger_dial(&st, f->a);
	until(f, f->a->ups == 1);
	assert_int_equal(0, stream_open(st.conn, protocol, 1, false, &talk_ops, &t, &t.s));
	for (; n < HOST_SPOKEN_BYTES_MAX / sizeof(name) - 1; n++) {
		put_names(&m, 'x', IDENTIFY_TEXT_MAX, 1);
		if (m.len > IDENTIFY_FRAME_MAX - 2 * sizeof(name))
			send_frame(t.s, &m);
	}
	put_names(&m, 'y', HOST_SPOKEN_BYTES_MAX - IDENTIFY_TEXT_MAX - n * sizeof(name) - 1, 1);
	put_names(&m, 'z', IDENTIFY_TEXT_MAX, 1);
	send_frame(t.s, &m);
	talk_close(&t);
	until(f, f->a->changes == 1);
	memset(name, 'x', IDENTIFY_TEXT_MAX);
	assert_true(host_speaks(f->a->h, &st.id.id, name));
	assert_true(host_speaks(f->a->h, &st.id.id, "y"));
	memset(name, 'z', IDENTIFY_TEXT_MAX);
	assert_false(host_speaks(f->a->h, &st.id.id, name));
}

/* ---- what we say ---- */

struct heard {
	struct identify_reader reader;
	struct identify id;
	bool done;
};

static void hear_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	assert_int_equal(0, identify_feed(&((struct heard *)arg)->reader, p, n, NULL));
}

static void hear_eof(void *arg, struct stream *s)
{
	struct heard *h = arg;

	assert_int_equal(0, identify_finish(&h->reader, &h->id, NULL));
	h->done = true;
	stream_close(s);
}

static void hear_ended(void *arg, struct stream *s, int why)
{
	fail_msg("the stream ended: %s", strerror(-why));
}

/* The stranger asks a. */
static void ask(struct hosts *f, struct heard *h)
{
	static const char *const protocol[] = { IDENTIFY_PROTOCOL };
	static const struct stream_ops ops = { .data = hear_data,
					       .eof = hear_eof,
					       .ended = hear_ended };
	struct stream *s;

	*h = (struct heard){ 0 };
	identify_reader_init(&h->reader);
	assert_int_equal(0, stream_open(st.conn, protocol, 1, false, &ops, h, &s));
	until(f, h->done);
	identify_reader_clear(&h->reader);
}

static void check_bytes(const struct multiaddr *want, const struct identify_bytes *got)
{
	assert_int_equal(want->len, got->n);
	assert_memory_equal(want->bytes, got->p, want->len);
}

static void we_say_who_we_are(void **state)
{
	struct hosts *f = *state;
	struct sockaddr_in ours;
	struct multiaddr a;
	struct heard h;
	int len = sizeof(ours);

	stranger_dial(&st, f->a);
	ask(f, &h);
	assert_int_equal(strlen("test/1"), h.id.agent.n);
	assert_memory_equal("test/1", h.id.agent.p, h.id.agent.n);
	assert_int_equal(36, h.id.public_key.n);
	assert_memory_equal(f->a->id.id.bytes + 2, h.id.public_key.p, 36); /* it is in the ID */
	assert_int_equal(4, h.id.n_protocols);
	assert_true(identify_speaks(&h.id, "/test/1"));
	assert_true(identify_speaks(&h.id, IDENTIFY_PROTOCOL));
	assert_true(identify_speaks(&h.id, IDENTIFY_PUSH_PROTOCOL));
	assert_true(identify_speaks(&h.id, PING_PROTOCOL));
	assert_int_equal(1, h.id.n_addrs);
	a = node_address(f->a);
	check_bytes(&a, &h.id.addrs[0]);
	assert_int_equal(0, uv_tcp_getsockname(&st.conn->tcp, (struct sockaddr *)&ours, &len));
	announce_address_of((struct sockaddr *)&ours, &a);
	check_bytes(&a, &h.id.observed);
	identify_clear(&h.id);
}

static void loopback_is_told_to_loopback_only(void **state)
{
	struct multiaddr a = address_of("/ip4/10.0.0.1/tcp/7");
	struct hosts *f = *state;
	struct heard h;

	assert_int_equal(0, uv_ip4_addr("10.0.0.1", 7, &seeming));
	stranger_dial(&st, f->a);
	ask(f, &h);
	assert_int_equal(0, h.id.n_addrs);
	check_bytes(&a, &h.id.observed);
	identify_clear(&h.id);
}

static void what_is_said_from_afar_is_sifted(void **state)
{
	static const char *const addresses[] = { "/ip4/127.0.0.1/tcp/1", "/ip4/10.9.9.9/tcp/2",
						 "/ip4/1.2.3.4/tcp/3", NULL };
	struct hosts *f = *state;

	assert_int_equal(0, uv_ip4_addr("1.2.3.4", 7, &seeming));
	stranger_offer_identify(&st);
	stranger_dial(&st, f->a);
	until(f, f->a->ups == 1);
	push(speaks_more, addresses);
	until(f, f->a->changes == 1);
	assert_false(node_knows(f->a, &st.id.id, addresses[0]));
	assert_false(node_knows(f->a, &st.id.id, addresses[1]));
	assert_true(node_knows(f->a, &st.id.id, addresses[2]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_peer_that_says_nothing_is_connected_but_not_up),
		TEST(a_peer_that_does_not_speak_identify_is_not_up),
		TEST(a_peer_that_says_too_much_is_not_up),
		TEST(a_peer_that_is_not_understood_is_not_up),
		TEST(a_peer_that_stops_in_the_middle_is_not_up),
		TEST(who_waits_for_a_peer_that_goes_is_told),
		TEST(a_peer_that_did_not_say_is_asked_again),
		TEST(a_push_replaces_what_a_peer_speaks),
		TEST(addresses_of_no_use_are_not_learned),
		TEST(a_peer_pushes_so_much_at_a_time_and_no_more),
		TEST(names_beyond_the_room_for_them_are_left_out),
		TEST(we_say_who_we_are),
		TEST(loopback_is_told_to_loopback_only),
		TEST(what_is_said_from_afar_is_sifted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
