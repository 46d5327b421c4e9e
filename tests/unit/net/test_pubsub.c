#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "net/frame.h"
#include "net/gossip_internal.h"
#include "net/pubsub.h"
#include "net/yamux.h"
#include "tests/fakes/host_fake.h"
#include "tests/lib/vectors.h"
#include "tests/unit/net/gossip_text.h"

#define LOG_AREA "test"
#include "util/log.h"

#define HEARTBEAT_MS 10000
#define OUR_SEQNO 1000
#define V12 "/meshsub/1.2.0"
#define V11 "/meshsub/1.1.0"
#define V10 "/meshsub/1.0.0"
#define FLOOD "/floodsub/1.0.0"
#define ALL "/ipfs/ping/1.0.0 /meshsub/1.3.0 " FLOOD " " V10 " " V11 " " V12
#define HELLO "+" METRICS " +" HEADS ";graft " METRICS " graft " HEADS ";"

/* The linker puts these in the way of the loop's time. */
uint64_t __wrap_uv_now(const uv_loop_t *loop);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);

static uint64_t now_ms;
static struct {
	uv_timer_t *timer;
	uv_timer_cb cb;
	uint64_t at;
} timer;

uint64_t __wrap_uv_now(const uv_loop_t *loop)
{
	return now_ms;
}

int __wrap_uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	timer.timer = t;
	timer.cb = cb;
	timer.at = now_ms + timeout;
	return 0;
}

/* Time passes, and the timer fires as often as it is set to within it. */
static void pass(uint64_t ms)
{
	uint64_t until = now_ms + ms;

	while (timer.at <= until) {
		now_ms = timer.at;
		timer.at = UINT64_MAX;
		timer.cb(timer.timer);
		assert_int_not_equal(UINT64_MAX, timer.at);
	}
	now_ms = until;
}

struct bench {
	uv_loop_t loop;
	struct host *host;
	struct pubsub *p;
	bool closed;
	struct buf delivered;       /* "3 via 1:data;" */
	const struct peerid *leave; /* goes away while its message is delivered */
};

static const struct peerid *id_of(unsigned peer)
{
	return &fixture_identity(peer)->id;
}

static void on_message(void *arg, const struct peerid *author, const struct peerid *from,
		       const uint8_t *p, size_t n)
{
	struct bench *b = arg;

	assert_int_equal(0, buf_printf(&b->delivered, "%u via %u:%.*s;", fixture_number(author),
				       fixture_number(from), (int)n, (const char *)p));
	if (b->leave)
		host_fake_down(b->host, b->leave);
}

static struct gossip_config config(void)
{
	return (struct gossip_config){
		.self = fixture_identity(0),
		.seqno = OUR_SEQNO,
		.heartbeat_ms = HEARTBEAT_MS,
		.d_factor = 4,
		.history_length = 6,
		.history_gossip = 2,
	};
}

static void start(struct bench *b)
{
	struct gossip_config cfg = config();
	struct gossip_topic metrics = { .name = METRICS, .message = on_message, .arg = b };
	struct gossip_topic heads = { .name = HEADS, .message = on_message, .arg = b };

	*b = (struct bench){ .delivered = BUF_INIT(0) };
	now_ms = 1000;
	assert_int_equal(0, uv_loop_init(&b->loop));
	b->host = host_fake_new();
	assert_int_equal(0, pubsub_new(b->host, &b->loop, &cfg, &b->p, NULL));
	assert_int_equal(0, pubsub_subscribe(b->p, &metrics));
	assert_int_equal(0, pubsub_subscribe(b->p, &heads));
}

static void on_closed(void *arg)
{
	struct bench *b = arg;

	b->closed = true;
}

static void stop(struct bench *b)
{
	host_fake_close(b->host);
	pubsub_close(b->p, on_closed, b);
	assert_false(b->closed);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_true(b->closed);
	assert_int_equal(0, uv_loop_close(&b->loop));
	buf_deinit(&b->delivered);
}

static int read_frame(void *arg, const uint8_t *frame, size_t n)
{
	struct buf text = BUF_INIT(0);

	assert_int_equal(0, fixture_read(frame, n, &text));
	assert_int_equal(0, buf_printf(arg, "%s;", (char *)text.data));
	buf_deinit(&text);
	return 0;
}

/* What was written to the peer on our stream to it, without the lengths. */
static const char *written(struct bench *b, unsigned peer)
{
	static struct buf text = BUF_INIT(0);
	struct frame_reader r;
	const uint8_t *p;
	size_t n;

	assert_non_null(host_fake_outbound(b->host, id_of(peer)));
	p = stream_fake_written(host_fake_outbound(b->host, id_of(peer)), &n);
	buf_reset(&text);
	frame_reader_init(&r, GOSSIP_RPC_MAX);
	assert_int_equal(0, frame_feed(&r, p, n, read_frame, &text, NULL));
	assert_int_equal(0, r.n_head); /* whole frames */
	frame_reader_clear(&r);
	assert_int_equal(0, buf_terminate(&text));
	return (char *)text.data;
}

static const char *delivered(struct bench *b)
{
	assert_int_equal(0, buf_terminate(&b->delivered));
	b->delivered.len = 0;
	return (char *)b->delivered.data;
}

/* The peer says @text on its stream, in pieces of @step (0: at once). */
static void say_steps(struct stream *s, const struct buf *frame, size_t step)
{
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, frame_write(frame->data, frame->len, &out));
	if (step == 0)
		step = out.len;
	for (size_t at = 0; at < out.len && stream_fake_state(s) == STREAM_OPEN; at += step)
		stream_fake_data(s, out.data + at, out.len - at < step ? out.len - at : step);
	buf_deinit(&out);
}

static void say(struct stream *s, const char *text)
{
	struct buf frame = BUF_INIT(0);

	fixture_write(text, &frame);
	say_steps(s, &frame, 0);
	buf_deinit(&frame);
}

static void say_message(struct stream *s, unsigned author, uint64_t seqno, const char *data)
{
	struct buf frame = BUF_INIT(0);

	fixture_message(author, seqno, METRICS, data, strlen(data), &frame);
	say_steps(s, &frame, 0);
	buf_deinit(&frame);
}

/* ---- our streams ---- */

static void a_peer_that_comes_up_is_opened_a_stream_by_the_best_protocol(void **state)
{
	static const struct {
		const char *speaks, *want;
	} cases[] = {
		{ ALL, V12 },
		{ V10 " " V11, V11 },
		{ FLOOD " " V10, V10 },
		{ FLOOD, FLOOD },
		{ "/ipfs/ping/1.0.0 /meshsub/1.2.0-beta", NULL },
		{ "", NULL },
	};
	struct bench b;

	start(&b);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct stream *s;

		host_fake_up(b.host, id_of(i + 1), cases[i].speaks, false);
		s = host_fake_outbound(b.host, id_of(i + 1));
		assert_int_equal(cases[i].want != NULL, s != NULL);
		if (!s)
			continue;
		assert_string_equal(cases[i].want, stream_protocol_name(s));
		assert_string_equal(strcmp(cases[i].want, FLOOD) == 0 ? "+" METRICS " +" HEADS ";"
								      : HELLO,
				    written(&b, i + 1));
	}
	assert_int_equal(4, host_fake_opened(b.host));
	stop(&b);
}

static void the_first_bytes_are_as_recorded(void **state)
{
	json_t *root = vectors_load("gossipsub.json"), *samples;
	uint8_t want[512];
	struct bench b;
	const uint8_t *p;
	size_t n, m;

	start(&b);
	samples = vectors_array(root, "rpc_samples");
	host_fake_up(b.host, id_of(1), ALL, false);
	p = stream_fake_written(host_fake_outbound(b.host, id_of(1)), &n);
	m = vectors_hex(json_array_get(samples, 1), "framed_rpc", want, sizeof(want));
	m += vectors_hex(json_array_get(samples, 3), "framed_rpc", want + m, sizeof(want) - m);
	assert_int_equal(m, n);
	assert_memory_equal(want, p, n);
	json_decref(root);
	stop(&b);
}

static void it_is_known_whom_we_dialled(void **state)
{
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	host_fake_up(b.host, id_of(2), ALL, true);
	assert_false(gossip_peer_find(pubsub_gossip(b.p), id_of(1))->outbound);
	assert_true(gossip_peer_find(pubsub_gossip(b.p), id_of(2))->outbound);
	stop(&b);
}

/* Not yet after @ms less one; then there is one, with all that a new one begins with. */
static void assert_opens_after(struct bench *b, unsigned peer, uint64_t ms)
{
	assert_null(host_fake_outbound(b->host, id_of(peer)));
	pass(ms - 1);
	assert_null(host_fake_outbound(b->host, id_of(peer)));
	pass(1);
	assert_string_equal(HELLO, written(b, peer));
}

static void a_broken_stream_is_opened_again_after_a_while(void **state)
{
	struct bench b;

	start(&b);
	pass(200); /* the first heartbeat is over */
	host_fake_up(b.host, id_of(1), ALL, false);
	stream_fake_end(host_fake_outbound(b.host, id_of(1)), -ECONNRESET);
	assert_int_equal(0, gossip_mesh(pubsub_gossip(b.p), METRICS));
	assert_opens_after(&b, 1, 100);
	stream_fake_end(host_fake_outbound(b.host, id_of(1)), -EPROTONOSUPPORT);
	assert_opens_after(&b, 1, 1000);
	for (int i = 0; i < 3; i++) {
		stream_fake_eof(host_fake_outbound(b.host, id_of(1)));
		assert_opens_after(&b, 1, 5000);
	}
	/* One that lasted breaks for the first time. */
	pass(PUBSUB_STEADY_MS);
	stream_fake_end(host_fake_outbound(b.host, id_of(1)), -ECONNRESET);
	assert_opens_after(&b, 1, 100);
	stop(&b);
}

static void what_cannot_be_opened_is_tried_again(void **state)
{
	struct bench b;

	start(&b);
	host_fake_refuse(b.host, true);
	host_fake_up(b.host, id_of(1), ALL, false);
	pass(99);
	host_fake_refuse(b.host, false);
	assert_opens_after(&b, 1, 1);
	stop(&b);
}

static void a_peer_that_says_what_it_speaks_now_is_opened_a_stream_at_once(void **state)
{
	struct stream *s;
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), "/ipfs/ping/1.0.0", false);
	assert_null(host_fake_outbound(b.host, id_of(1)));
	host_fake_changed(b.host, id_of(1), ALL);
	assert_string_equal(HELLO, written(&b, 1));
	/* The one that there is stays. */
	s = host_fake_outbound(b.host, id_of(1));
	host_fake_changed(b.host, id_of(1), ALL);
	assert_ptr_equal(s, host_fake_outbound(b.host, id_of(1)));
	assert_int_equal(1, host_fake_opened(b.host));
	/* It does not wait for the time set. */
	for (int i = 0; i < 3; i++) {
		stream_fake_end(host_fake_outbound(b.host, id_of(1)), -ECONNRESET);
		host_fake_changed(b.host, id_of(1), ALL);
		assert_string_equal(HELLO, written(&b, 1));
	}
	pass(20000);
	assert_int_equal(4, host_fake_opened(b.host));
	stop(&b);
}

static void a_peer_that_is_gone_is_not_opened_a_stream(void **state)
{
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	host_fake_down(b.host, id_of(1));
	pass(60000);
	assert_int_equal(1, host_fake_opened(b.host));
	assert_int_equal(0, gossip_mesh(pubsub_gossip(b.p), METRICS));
	host_fake_up(b.host, id_of(1), ALL, false);
	assert_string_equal(HELLO, written(&b, 1));
	stop(&b);
}

static void a_full_queue_drops(void **state)
{
	static const char data[1000];
	struct bench b;
	struct stream *s;
	size_t reached;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	s = host_fake_outbound(b.host, id_of(1));
	written(&b, 1);
	stream_fake_queue(s, PUBSUB_QUEUE_MAX - 500);
	assert_int_equal(0, pubsub_publish(b.p, METRICS, data, sizeof(data), &reached));
	assert_int_equal(0, reached);
	assert_string_equal("", written(&b, 1));
	assert_int_equal(0, pubsub_publish(b.p, METRICS, "b", 1, &reached));
	assert_int_equal(1, reached);
	assert_string_equal("msg 0.1001=b;", written(&b, 1));
	stop(&b);
}

static void a_frame_of_any_size_fits_into_an_empty_queue(void **state)
{
	static uint8_t data[GOSSIP_RPC_MAX];
	size_t most = sizeof(data), reached;
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	while (pubsub_publish(b.p, METRICS, data, most, &reached) == -EFBIG)
		most--;
	assert_int_equal(1, reached);
	stop(&b);
}

static void heartbeats_are_held(void **state)
{
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	say(host_fake_inbound(b.host, id_of(1), V11), "+" METRICS " prune " METRICS " 1");
	written(&b, 1);
	pass(99);
	assert_int_equal(0, gossip_mesh(pubsub_gossip(b.p), METRICS));
	pass(2 * HEARTBEAT_MS);
	assert_string_equal("graft " METRICS ";", written(&b, 1));
	stop(&b);
}

static void what_comes_on_our_stream_means_nothing(void **state)
{
	struct bench b;
	struct buf frame = BUF_INIT(0);

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	fixture_message(3, 1, METRICS, "a", 1, &frame);
	say_steps(host_fake_outbound(b.host, id_of(1)), &frame, 0);
	assert_string_equal("", delivered(&b));
	assert_string_equal(HELLO, written(&b, 1));
	buf_deinit(&frame);
	stop(&b);
}

/* ---- the peers' streams ---- */

static void assert_nothing_written(struct stream *s)
{
	size_t n;

	stream_fake_written(s, &n);
	assert_int_equal(0, n);
}

static void a_peer_is_read_on_each_protocol_and_however_it_is_split(void **state)
{
	static const char *const names[] = { V12, V11, V10, FLOOD };
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	for (unsigned i = 0; i < 2 * ARRAY_LEN(names); i++) {
		struct stream *s = host_fake_inbound(b.host, id_of(1), names[i / 2]);
		struct buf frame = BUF_INIT(0);

		fixture_message(3, i, METRICS, "a", 1, &frame);
		say_steps(s, &frame, i % 2);
		assert_string_equal("3 via 1:a;", delivered(&b));
		assert_nothing_written(s);
		buf_deinit(&frame);
	}
	stop(&b);
}

static void a_peer_may_speak_before_it_is_known(void **state)
{
	struct stream *s;
	struct bench b;

	start(&b);
	s = host_fake_inbound(b.host, id_of(1), V11);
	say(s, "+" METRICS);
	say_message(s, 3, 1, "a");
	assert_string_equal("3 via 1:a;", delivered(&b));
	assert_int_equal(1, gossip_subscribers(pubsub_gossip(b.p), METRICS));
	host_fake_up(b.host, id_of(1), ALL, false);
	assert_string_equal("+" METRICS " +" HEADS ";graft " METRICS ";", written(&b, 1));
	stop(&b);
}

static void messages_go_from_one_peer_to_the_other(void **state)
{
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	host_fake_up(b.host, id_of(2), V11, false);
	written(&b, 2);
	say_message(host_fake_inbound(b.host, id_of(1), V12), 3, 1, "a");
	assert_string_equal("msg 3.1=a;", written(&b, 2));
	assert_string_equal(HELLO, written(&b, 1));
	stop(&b);
}

static void a_second_stream_takes_the_place_of_the_first(void **state)
{
	struct stream *first, *second;
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	first = host_fake_inbound(b.host, id_of(1), V12);
	say(first, "+" METRICS " +" HEADS);
	stream_fake_data(first, "\x05", 1); /* a frame that never ends */
	second = host_fake_inbound(b.host, id_of(1), V11);
	assert_int_equal(STREAM_RESET, stream_fake_state(first));
	assert_int_equal(YAMUX_RESET_NONE, stream_fake_code(first));
	assert_int_equal(0, gossip_subscribers(pubsub_gossip(b.p), HEADS));
	say(second, "+" METRICS);
	assert_int_equal(1, gossip_subscribers(pubsub_gossip(b.p), METRICS));
	assert_int_equal(0, gossip_subscribers(pubsub_gossip(b.p), HEADS));
	assert_int_equal(STREAM_OPEN, stream_fake_state(second));
	stop(&b);
}

static void a_stream_that_ends_takes_the_subscriptions_along(void **state)
{
	struct stream *s;
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	s = host_fake_inbound(b.host, id_of(1), V12);
	say(s, "+" METRICS);
	stream_fake_end(s, -ECONNRESET);
	assert_int_equal(0, gossip_subscribers(pubsub_gossip(b.p), METRICS));
	s = host_fake_inbound(b.host, id_of(1), V12);
	say(s, "+" METRICS);
	stream_fake_eof(s);
	assert_int_equal(STREAM_CLOSED, stream_fake_state(s));
	assert_int_equal(0, gossip_subscribers(pubsub_gossip(b.p), METRICS));
	assert_non_null(host_fake_outbound(b.host, id_of(1)));
	stop(&b);
}

/* A new stream of the peer, on which @bytes come. */
static struct stream *inbound_with(struct bench *b, unsigned peer, const char *bytes, size_t n)
{
	struct stream *s = host_fake_inbound(b->host, id_of(peer), V12);

	if (stream_fake_state(s) == STREAM_OPEN)
		stream_fake_data(s, bytes, n);
	return s;
}

static void what_is_malformed_resets_that_stream_alone(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{ "\x02\x12\x05", 3 }, /* a message cut */
		{ "\x80\x00", 2 },     /* a length that is not minimal */
		{ "\x81\x80\x40", 3 }, /* of 1 MiB and a byte */
	};
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stream *s = inbound_with(&b, 1, cases[i].bytes, cases[i].n);

		assert_int_equal(STREAM_RESET, stream_fake_state(s));
		assert_int_equal(YAMUX_RESET_PROTOCOL, stream_fake_code(s));
		assert_non_null(host_fake_outbound(b.host, id_of(1)));
	}
	say_message(host_fake_inbound(b.host, id_of(1), V12), 3, 1, "a");
	assert_string_equal("3 via 1:a;", delivered(&b));
	/* A frame of 1 MiB may begin. */
	assert_int_equal(STREAM_OPEN, stream_fake_state(inbound_with(&b, 1, "\x80\x80\x40", 3)));
	stop(&b);
}

/* Whoever has begun the most loses its stream; that is no offence. */
static void frames_that_have_begun_are_limited(void **state)
{
	enum {
		GREEDY = 60,
		BEGUN = (1 << 20) - 1
	};
	struct stream *greedy[GREEDY], *modest, *s;
	uint8_t *p = calloc(1, BEGUN);
	unsigned gone = 0;
	struct bench b;

	assert_non_null(p);
	memcpy(p, "\x80\x80\x40", 3); /* a frame of 1 MiB */
	start(&b);
	modest = inbound_with(&b, GREEDY + 1, "\x05\x12", 2);
	for (unsigned i = 0; i < GREEDY; i++) {
		greedy[i] = s = host_fake_inbound(b.host, id_of(i + 1), V12);
		for (size_t at = 0; at < BEGUN && stream_fake_state(s) == STREAM_OPEN; at += 65536)
			stream_fake_data(s, p + at, BEGUN - at < 65536 ? BEGUN - at : 65536);
	}
	for (unsigned i = 0; i < GREEDY; i++)
		gone += stream_fake_state(greedy[i]) == STREAM_RESET &&
			stream_fake_code(greedy[i]) == YAMUX_RESET_LIMIT;
	/* A little is of the modest one. */
	assert_int_equal(GREEDY - (PUBSUB_PARTIAL_MAX / (1 << 20) - 1), gone);
	assert_int_equal(STREAM_OPEN, stream_fake_state(modest));
	stream_fake_data(modest, "\x03\x00\x00\x00", 4); /* that was malformed */
	assert_int_equal(YAMUX_RESET_PROTOCOL, stream_fake_code(modest));
	/* What is given back can be used again. */
	for (unsigned i = 0; i < GREEDY; i++)
		host_fake_up(b.host, id_of(i + 1), V12, false);
	for (unsigned i = 0; i < GREEDY; i++)
		host_fake_down(b.host, id_of(i + 1));
	s = host_fake_inbound(b.host, id_of(1), V12);
	stream_fake_data(s, p, BEGUN);
	assert_int_equal(STREAM_OPEN, stream_fake_state(s));
	say_message(host_fake_inbound(b.host, id_of(1), V12), 3, 1, "a");
	assert_string_equal("3 via 1:a;", delivered(&b));
	stop(&b);
	free(p);
}

static void who_is_malformed_often_is_not_read_for_a_while(void **state)
{
	struct stream *s;
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	host_fake_up(b.host, id_of(2), ALL, false);
	for (int i = 0; i < PUBSUB_STRIKES_MAX; i++) {
		s = inbound_with(&b, 1, "\x02\x12\x05", 3);
		assert_int_equal(YAMUX_RESET_PROTOCOL, stream_fake_code(s));
		pass(1000);
	}
	s = host_fake_inbound(b.host, id_of(1), V12);
	assert_int_equal(YAMUX_RESET_LIMIT, stream_fake_code(s));
	/* Coming back does not help. */
	host_fake_down(b.host, id_of(1));
	s = host_fake_inbound(b.host, id_of(1), V12);
	assert_int_equal(YAMUX_RESET_LIMIT, stream_fake_code(s));
	/* Others are read. */
	say_message(host_fake_inbound(b.host, id_of(2), V12), 3, 1, "a");
	assert_string_equal("3 via 2:a;", delivered(&b));
	pass(PUBSUB_STRIKES_MS - PUBSUB_STRIKES_MAX * 1000 - 1);
	s = host_fake_inbound(b.host, id_of(1), V12);
	assert_int_equal(STREAM_RESET, stream_fake_state(s));
	pass(1);
	say_message(host_fake_inbound(b.host, id_of(1), V12), 3, 2, "a");
	assert_string_equal("3 via 1:a;", delivered(&b));
	stop(&b);
}

static void a_peer_may_go_away_while_its_message_is_delivered(void **state)
{
	struct buf two = BUF_INIT(0);
	struct stream *s;
	struct bench b;

	start(&b);
	host_fake_up(b.host, id_of(1), ALL, false);
	s = host_fake_inbound(b.host, id_of(1), V12);
	for (uint64_t i = 0; i < 2; i++) {
		struct buf frame = BUF_INIT(0);

		fixture_message(3, i, METRICS, "a", 1, &frame);
		assert_int_equal(0, frame_write(frame.data, frame.len, &two));
		buf_deinit(&frame);
	}
	b.leave = id_of(1);
	stream_fake_data(s, two.data, two.len);
	assert_string_equal("3 via 1:a;", delivered(&b));
	/* The same with the second half of a frame that came in two. */
	b.leave = NULL;
	s = host_fake_inbound(b.host, id_of(1), V12);
	stream_fake_data(s, two.data + two.len / 2, 10);
	b.leave = id_of(1);
	stream_fake_data(s, two.data + two.len / 2 + 10, two.len / 2 - 10);
	assert_string_equal("3 via 1:a;", delivered(&b));
	buf_deinit(&two);
	stop(&b);
}

static void a_host_that_serves_no_more_is_an_error(void **state)
{
	struct gossip_config cfg = config();
	struct err e = { 0 };
	struct pubsub *p;
	struct host *h = host_fake_new();
	uv_loop_t loop;

	assert_int_equal(0, uv_loop_init(&loop));
	host_fake_refuse(h, true);
	assert_int_equal(-ENOSPC, pubsub_new(h, &loop, &cfg, &p, &e));
	assert_int_equal(-ENOSPC, e.code);
	cfg.d_factor = 0;
	assert_int_equal(-EINVAL, pubsub_new(h, &loop, &cfg, &p, &e));
	assert_int_equal(0, uv_loop_close(&loop));
	host_fake_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_that_comes_up_is_opened_a_stream_by_the_best_protocol),
		cmocka_unit_test(the_first_bytes_are_as_recorded),
		cmocka_unit_test(it_is_known_whom_we_dialled),
		cmocka_unit_test(a_broken_stream_is_opened_again_after_a_while),
		cmocka_unit_test(what_cannot_be_opened_is_tried_again),
		cmocka_unit_test(a_peer_that_says_what_it_speaks_now_is_opened_a_stream_at_once),
		cmocka_unit_test(a_peer_that_is_gone_is_not_opened_a_stream),
		cmocka_unit_test(a_full_queue_drops),
		cmocka_unit_test(a_frame_of_any_size_fits_into_an_empty_queue),
		cmocka_unit_test(heartbeats_are_held),
		cmocka_unit_test(what_comes_on_our_stream_means_nothing),
		cmocka_unit_test(a_peer_is_read_on_each_protocol_and_however_it_is_split),
		cmocka_unit_test(a_peer_may_speak_before_it_is_known),
		cmocka_unit_test(messages_go_from_one_peer_to_the_other),
		cmocka_unit_test(a_second_stream_takes_the_place_of_the_first),
		cmocka_unit_test(a_stream_that_ends_takes_the_subscriptions_along),
		cmocka_unit_test(what_is_malformed_resets_that_stream_alone),
		cmocka_unit_test(frames_that_have_begun_are_limited),
		cmocka_unit_test(who_is_malformed_often_is_not_read_for_a_while),
		cmocka_unit_test(a_peer_may_go_away_while_its_message_is_delivered),
		cmocka_unit_test(a_host_that_serves_no_more_is_an_error),
	};

	log_init(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests_name("pubsub", tests, NULL, NULL);
}
