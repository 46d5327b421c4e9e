#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/exchange.h"
#include "net/frame.h"
#include "net/yamux.h"
#include "tests/fakes/host_fake.h"
#include "tests/fakes/time_fake.h"
#include "tests/lib/pieces.h"
#include "tests/unit/net/bitswap_text.h"

#define SPEAKS "/ipfs/bitswap /ipfs/bitswap/1.1.0 " EXCHANGE_PROTOCOL
#define NOT_YET "/ipfs/bitswap/1.1.0 /ipfs/bitswap/1.2.0-beta"

struct bench {
	uv_loop_t loop;
	struct host *host;
	struct exchange *x;
	bool closed;
	bool here[BLOCKS_END];
	struct buf got;        /* "7 of 1;" */
	unsigned leaves;       /* this peer goes when a block comes */
	struct stream *breaks; /* this stream ends when a block comes */
};

static int on_get(void *arg, const struct cid *cid, struct buf *out, size_t *ret_size)
{
	const struct bench *b = arg;
	const uint8_t *p = block_bytes(block_number(cid), ret_size);

	if (!b->here[block_number(cid)])
		return 0;
	return out && buf_append(out, p, *ret_size) < 0 ? -ENOMEM : 1;
}

static void on_block(void *arg, const struct cid *cid, const struct peerid *from, const uint8_t *p,
		     size_t n)
{
	struct bench *b = arg;

	assert_int_equal(0, buf_printf(&b->got, "%u of %u;", block_number(cid), peer_number(from)));
	if (b->leaves)
		host_fake_down(b->host, peer_id(b->leaves));
	if (b->breaks)
		stream_fake_end(b->breaks, -ECONNRESET);
	b->leaves = 0;
	b->breaks = NULL;
}

static void start(struct bench *b)
{
	const struct bitswap_config cfg = { .get = on_get, .block = on_block };

	*b = (struct bench){ .host = host_fake_new() };
	time_fake_start(1000000);
	assert_int_equal(0, uv_loop_init(&b->loop));
	assert_int_equal(0, exchange_new(b->host, &b->loop, &cfg, b, &b->x, NULL));
	assert_true(time_fake_due() == UINT64_MAX);
}

static void on_closed(void *arg)
{
	struct bench *b = arg;

	b->closed = true;
}

static void stop(struct bench *b)
{
	size_t opened = host_fake_opened(b->host);

	exchange_close(b->x, on_closed, b);
	assert_false(b->closed);
	assert_int_equal(opened, host_fake_opened(b->host));
	uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_true(b->closed);
	host_fake_close(b->host); /* no stream is left that would be told */
	assert_int_equal(0, uv_loop_close(&b->loop));
	buf_deinit(&b->got);
}

static void up(struct bench *b, unsigned peer)
{
	host_fake_up(b->host, peer_id(peer), SPEAKS, true);
}

static struct stream *inbound(struct bench *b, unsigned peer)
{
	return host_fake_inbound(b->host, peer_id(peer), EXCHANGE_PROTOCOL);
}

static struct stream *outbound(struct bench *b, unsigned peer)
{
	return host_fake_outbound(b->host, peer_id(peer));
}

static void want(struct bench *b, unsigned block, unsigned hint)
{
	assert_int_equal(0, exchange_want(b->x, block_cid(block), peer_id(hint)));
}

static int read_frame(void *arg, const uint8_t *frame, size_t n)
{
	struct buf *text = arg;

	assert_int_equal(0, text_read(frame, n, text));
	return buf_printf(text, ";");
}

/* What is written to the peer on our stream by now, "-": there is none. */
static const char *written(struct bench *b, unsigned peer)
{
	static struct buf text = BUF_INIT(0);
	struct frame_reader r;
	const uint8_t *p;
	size_t n;

	time_fake_pass(0);
	if (!outbound(b, peer))
		return "-";
	p = stream_fake_written(outbound(b, peer), &n);
	buf_reset(&text);
	frame_reader_init(&r, BITSWAP_MESSAGE_MAX);
	assert_int_equal(0, frame_feed(&r, p, n, read_frame, &text, NULL));
	assert_int_equal(0, r.n_head); /* whole frames */
	frame_reader_clear(&r);
	assert_int_equal(0, buf_terminate(&text));
	return (char *)text.data;
}

static const char *got(struct bench *b)
{
	assert_int_equal(0, buf_terminate(&b->got));
	b->got.len = 0;
	return (char *)b->got.data;
}

static void frame_of(const char *text, struct buf *frame)
{
	struct buf message = BUF_INIT(0);

	text_write(text, &message);
	assert_int_equal(0, frame_write(message.data, message.len, frame));
	buf_deinit(&message);
}

static void say(struct stream *s, const char *text)
{
	struct buf frame = BUF_INIT(0);

	frame_of(text, &frame);
	stream_fake_data(s, frame.data, frame.len);
	buf_deinit(&frame);
}

/* ---- our streams ---- */

static void a_stream_is_opened_when_there_is_something_to_say(void **state)
{
	struct bench b;

	start(&b);
	up(&b, 1);
	up(&b, 2);
	time_fake_pass(100000);
	assert_int_equal(0, host_fake_opened(b.host));
	want(&b, 7, 1);
	want(&b, 8, 1);
	assert_string_equal("want 7 want 8;", written(&b, 1));
	assert_string_equal(EXCHANGE_PROTOCOL, stream_protocol_name(outbound(&b, 1)));
	exchange_cancel(b.x, block_cid(7));
	want(&b, 9, 1);
	assert_string_equal("cancel 7;want 9;", written(&b, 1));
	assert_int_equal(1, host_fake_opened(b.host));
	stop(&b);
}

static void who_does_not_speak_it_is_not_asked(void **state)
{
	struct bench b;

	start(&b);
	want(&b, 7, 1);
	host_fake_up(b.host, peer_id(1), NOT_YET, true);
	assert_string_equal("-", written(&b, 1));
	host_fake_changed(b.host, peer_id(1), SPEAKS);
	assert_string_equal("want 7;", written(&b, 1));
	host_fake_changed(b.host, peer_id(1), SPEAKS);
	assert_string_equal("", written(&b, 1));
	/* It does no more: our stream to it is of no use. */
	host_fake_changed(b.host, peer_id(1), NOT_YET);
	assert_string_equal("-", written(&b, 1));
	up(&b, 2);
	assert_string_equal("want 7;", written(&b, 2));
	host_fake_down(b.host, peer_id(1));
	stop(&b);
}

static void what_comes_on_our_stream_means_nothing(void **state)
{
	struct bench b;

	start(&b);
	up(&b, 1);
	want(&b, 7, 1);
	written(&b, 1);
	say(outbound(&b, 1), "block 7");
	stream_fake_eof(outbound(&b, 1));
	assert_string_equal("", got(&b));
	want(&b, 8, 1);
	assert_string_equal("want 8;", written(&b, 1));
	stop(&b);
}

static void a_broken_stream_is_opened_again_soon_and_then_after_a_pause(void **state)
{
	struct bench b;

	start(&b);
	up(&b, 1);
	want(&b, 7, 1);
	assert_string_equal("want 7;", written(&b, 1));
	for (int i = 0; i < EXCHANGE_REOPEN_TRIES; i++) {
		stream_fake_end(outbound(&b, 1), -ECONNRESET);
		time_fake_pass(EXCHANGE_REOPEN_MS - 1);
		assert_string_equal("-", written(&b, 1));
		time_fake_pass(1);
		assert_string_equal("full want 7;", written(&b, 1));
	}
	for (int i = 0; i < 2; i++) {
		stream_fake_end(outbound(&b, 1), -EPROTONOSUPPORT);
		time_fake_pass(EXCHANGE_PAUSE_MS - 1);
		assert_string_equal("-", written(&b, 1));
		time_fake_pass(1);
		/* Meanwhile it counts as one that did not answer. */
		assert_string_equal("full have 7;", written(&b, 1));
	}
	/* One that lasted breaks for the first time. */
	time_fake_pass(EXCHANGE_PAUSE_MS);
	stream_fake_end(outbound(&b, 1), -ECONNRESET);
	time_fake_pass(EXCHANGE_REOPEN_MS);
	assert_string_equal("full have 7;", written(&b, 1));
	say(inbound(&b, 1), "HAVE 7");
	assert_string_equal("want 7;", written(&b, 1));
	stop(&b);
}

static void a_broken_stream_is_not_opened_again_for_nothing(void **state)
{
	struct bench b;

	start(&b);
	up(&b, 1);
	want(&b, 7, 1);
	written(&b, 1);
	say(inbound(&b, 1), "block 7");
	stream_fake_end(outbound(&b, 1), -ECONNRESET);
	time_fake_pass(1000000);
	assert_int_equal(1, host_fake_opened(b.host));
	assert_true(time_fake_due() == UINT64_MAX);
	want(&b, 8, 1);
	assert_string_equal("want 8;", written(&b, 1));
	stop(&b);
}

static void what_cannot_be_opened_is_tried_again(void **state)
{
	struct bench b;

	start(&b);
	up(&b, 1);
	host_fake_refuse(b.host, true);
	want(&b, 7, 1);
	time_fake_pass(EXCHANGE_REOPEN_MS * EXCHANGE_REOPEN_TRIES);
	assert_string_equal("-", written(&b, 1));
	host_fake_refuse(b.host, false);
	time_fake_pass(EXCHANGE_PAUSE_MS - 1);
	assert_string_equal("-", written(&b, 1));
	time_fake_pass(1);
	assert_string_equal("have 7;", written(&b, 1));
	stop(&b);
}

static void what_a_full_queue_refuses_is_written_when_it_is_drained(void **state)
{
	struct bench b;
	struct stream *in;

	start(&b);
	b.here[GREAT] = b.here[GREAT + 1] = true;
	up(&b, 1);
	in = inbound(&b, 1);
	say(in, "want 3");
	assert_string_equal("DONT 3;", written(&b, 1));
	stream_fake_queue(outbound(&b, 1), STREAM_QUEUE_MAX - 100000);
	say(in, "want 7000 want 7001");
	want(&b, 8, 1);
	time_fake_pass(10 * BITSWAP_RETRY_MS);
	assert_string_equal("", written(&b, 1));
	say(in, "cancel 7001");
	stream_fake_drained(outbound(&b, 1));
	assert_string_equal("have 8 block 7000;", written(&b, 1));
	assert_int_equal(1, host_fake_opened(b.host));
	stop(&b);
}

/* ---- the peers' streams ---- */

static void what_a_peer_wants_is_answered_on_our_stream(void **state)
{
	struct bench b;
	struct stream *in;
	size_t n;

	start(&b);
	b.here[7] = true;
	up(&b, 1);
	in = inbound(&b, 1);
	say(in, "want 7 want 8");
	assert_string_equal("block 7 DONT 8;", written(&b, 1));
	b.here[8] = true;
	exchange_have(b.x, block_cid(8));
	assert_string_equal("block 8;", written(&b, 1));
	stream_fake_written(in, &n);
	assert_int_equal(0, n);
	stop(&b);
}

/* The reference gives each answer on a stream of its own. */
static void blocks_come_on_any_stream_in_any_pieces(void **state)
{
	struct bench b;
	uint32_t seed = 1;

	start(&b);
	up(&b, 1);
	for (unsigned i = 0; i < 100; i++) {
		struct stream *in = inbound(&b, 1);
		struct buf frames = BUF_INIT(0);
		size_t at = 0;

		want(&b, i, 1);
		want(&b, LARGE + i, 1);
		frame_of("block 4000 HAVE 4000", &frames);
		for (unsigned j = 0; j < 2; j++) {
			char text[32];

			snprintf(text, sizeof(text), "block %u", j ? LARGE + i : i);
			frame_of(text, &frames);
		}
		while (at < frames.len) {
			size_t n = pieces_next(&seed, frames.len - at);

			stream_fake_data(in, frames.data + at, n);
			at += n;
		}
		stream_fake_eof(in);
		assert_int_equal(STREAM_CLOSED, stream_fake_state(in));
		assert_int_equal(0, bitswap_wants(exchange_bitswap(b.x)));
		buf_deinit(&frames);
	}
	stop(&b);
}

/* A peer may speak before it has said that it does, and is a partner for as long as it speaks. */
static void who_opens_a_stream_takes_part(void **state)
{
	struct bench b;
	struct stream *in;

	start(&b);
	b.here[7] = true;
	host_fake_up(b.host, peer_id(1), NOT_YET, false);
	want(&b, 8, 1);
	in = inbound(&b, 1);
	assert_string_equal("want 8;", written(&b, 1));
	say(in, "want 7");
	assert_string_equal("block 7;", written(&b, 1));
	stream_fake_end(in, -ECONNRESET);
	assert_string_equal("-", written(&b, 1));
	/* Now it says so. */
	in = inbound(&b, 1);
	host_fake_changed(b.host, peer_id(1), SPEAKS);
	stream_fake_eof(in);
	assert_string_equal("want 8;", written(&b, 1));
	stop(&b);
}

static void a_malformed_message_ends_its_stream_alone(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{ "\x03\x0a\x01\x00", 4 }, /* an entry without CID */
		{ "\x02\xff\xff", 3 },     /* no protobuf */
		{ "\x81\x80\x80\x02", 4 }, /* a frame of 4194305 bytes */
		{ "\x80\x00", 2 },         /* a length that is not minimal */
		{ "\xff\xff\xff\xff", 4 }, /* or does not end */
	};
	struct bench b;
	struct stream *other;

	start(&b);
	b.here[7] = true;
	up(&b, 1);
	want(&b, 8, 1);
	written(&b, 1);
	other = inbound(&b, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct stream *in = inbound(&b, 1);

		stream_fake_data(in, cases[i].bytes, cases[i].n);
		assert_int_equal(STREAM_RESET, stream_fake_state(in));
		assert_int_equal(YAMUX_RESET_PROTOCOL, stream_fake_code(in));
	}
	say(other, "want 7 block 8");
	assert_string_equal("8 of 1;", got(&b));
	assert_string_equal("block 7;", written(&b, 1));
	stop(&b);
}

static void an_answer_on_its_way_is_waited_for(void **state)
{
	struct buf frame = BUF_INIT(0);
	struct bench b;
	struct stream *in;
	size_t at = 0;

	start(&b);
	up(&b, 1);
	up(&b, 2);
	want(&b, GREAT, 1);
	written(&b, 1);
	in = inbound(&b, 1);
	frame_of("block 7000", &frame);
	while (at < frame.len) { /* 11 s in all */
		size_t n = frame.len - at < 400000 ? frame.len - at : 400000;

		time_fake_pass(BITSWAP_ASK_MS - 1000);
		stream_fake_data(in, frame.data + at, n);
		at += n;
	}
	assert_string_equal("7000 of 1;", got(&b));
	assert_string_equal("-", written(&b, 2));
	/* Without a byte of it the other one is asked. */
	want(&b, 8, 1);
	time_fake_pass(BITSWAP_ASK_MS);
	assert_string_equal("want 8;", written(&b, 2));
	buf_deinit(&frame);
	stop(&b);
}

/* A message begins, and grows. */
static void begin(struct stream *s, const uint8_t *p, size_t n)
{
	for (int i = 0; i < 4; i++)
		stream_fake_data(s, p + n / 4 * i, n / 4);
}

/* Who holds the most memory loses its largest part. */
static void begun_messages_are_limited(void **state)
{
	enum {
		STREAMS = 10,
		BEGUN = 4000000
	};
	struct stream *greedy[STREAMS], *modest;
	uint8_t *p = calloc(1, BEGUN);
	struct bench b;

	assert_non_null(p);
	memcpy(p, "\xf0\xff\xff\x01", 4); /* a frame of 4194288 bytes */
	start(&b);
	up(&b, 1);
	up(&b, 2);
	modest = inbound(&b, 2);
	begin(modest, p, BEGUN);
	for (unsigned i = 0; i < STREAMS; i++) {
		greedy[i] = inbound(&b, 1);
		begin(greedy[i], p, i == 0 ? BEGUN / 4 : BEGUN);
	}
	assert_int_equal(STREAM_OPEN, stream_fake_state(modest));
	assert_int_equal(STREAM_OPEN, stream_fake_state(greedy[0]));
	/* 1, 4 and 8 or 9 times 4 MiB. */
	for (unsigned i = 1, gone = 0; i < STREAMS; i++) {
		if (stream_fake_state(greedy[i]) == STREAM_RESET) {
			assert_int_equal(YAMUX_RESET_LIMIT, stream_fake_code(greedy[i]));
			gone++;
		}
		if (i == STREAMS - 1)
			assert_int_equal(3, gone);
	}
	/* What ends gives its room back: now the other one is the one with the most. */
	for (unsigned i = 0; i < STREAMS; i++)
		if (stream_fake_state(greedy[i]) == STREAM_OPEN)
			stream_fake_end(greedy[i], -ECONNRESET);
	greedy[0] = inbound(&b, 1);
	begin(greedy[0], p, BEGUN);
	for (unsigned i = 1; i < 7; i++) {
		greedy[i] = inbound(&b, 2);
		begin(greedy[i], p, BEGUN);
	}
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(STREAM_OPEN, stream_fake_state(greedy[i]));
	begin(inbound(&b, 2), p, BEGUN);
	assert_int_equal(STREAM_OPEN, stream_fake_state(greedy[0]));
	assert_int_equal(STREAM_RESET, stream_fake_state(modest));
	stop(&b);
	free(p);
}

/* ---- coming and going ---- */

static void a_peer_that_goes_is_followed_by_the_others(void **state)
{
	struct bench b;

	start(&b);
	up(&b, 1);
	up(&b, 2);
	want(&b, 7, 1);
	inbound(&b, 1);
	assert_string_equal("want 7;", written(&b, 1));
	host_fake_down(b.host, peer_id(1));
	assert_string_equal("want 7;", written(&b, 2));
	up(&b, 1);
	assert_string_equal("-", written(&b, 1));
	say(inbound(&b, 2), "DONT 7");
	assert_string_equal("want 7;", written(&b, 1)); /* it is new */
	stop(&b);
}

static void a_peer_may_go_while_its_block_is_taken(void **state)
{
	for (int how = 0; how < 3; how++) {
		struct bench b;
		struct stream *in;

		start(&b);
		host_fake_up(b.host, peer_id(1), how == 2 ? NOT_YET : SPEAKS, false);
		in = inbound(&b, 1);
		want(&b, 7, 1);
		want(&b, 8, 1);
		written(&b, 1);
		if (how == 0)
			b.breaks = in;
		else
			b.leaves = 1;
		say(in, "block 7 block 8");
		/* It had come whole. */
		assert_string_equal("7 of 1;8 of 1;", got(&b));
		assert_int_equal(STREAM_ENDED, stream_fake_state(in));
		if (how > 0)
			assert_string_equal("-", written(&b, 1));
		stop(&b);
	}
}

/* Two messages in one piece: the second is of a stream that is gone. */
static void nothing_is_read_of_a_stream_that_has_ended(void **state)
{
	struct buf frames = BUF_INIT(0);
	struct bench b;
	struct stream *in;

	start(&b);
	up(&b, 1);
	in = inbound(&b, 1);
	want(&b, 7, 1);
	want(&b, 8, 1);
	b.breaks = in;
	frame_of("block 7", &frames);
	frame_of("block 8", &frames);
	stream_fake_data(in, frames.data, frames.len);
	assert_string_equal("7 of 1;", got(&b));
	buf_deinit(&frames);
	stop(&b);
}

static void closing_ends_all_streams_and_opens_none(void **state)
{
	struct stream *s[4];
	struct bench b;

	start(&b);
	up(&b, 1);
	up(&b, 2);
	want(&b, 7, 1);
	time_fake_pass(0);
	s[0] = outbound(&b, 1);
	s[1] = inbound(&b, 1);
	s[2] = inbound(&b, 1);
	host_fake_up(b.host, peer_id(3), NOT_YET, false);
	s[3] = inbound(&b, 3);
	want(&b, 8, 3);
	time_fake_pass(0);
	assert_int_equal(2, host_fake_opened(b.host));
	exchange_close(b.x, on_closed, &b);
	for (int i = 0; i < 4; i++)
		assert_int_equal(STREAM_RESET, stream_fake_state(s[i]));
	assert_int_equal(2, host_fake_opened(b.host));
	/* One that comes before the host is closed. */
	assert_int_equal(STREAM_RESET, stream_fake_state(inbound(&b, 2)));
	uv_run(&b.loop, UV_RUN_DEFAULT);
	assert_true(b.closed);
	host_fake_close(b.host);
	assert_int_equal(0, uv_loop_close(&b.loop));
}

static void it_cannot_start_where_the_host_takes_no_protocol(void **state)
{
	const struct bitswap_config cfg = { .get = on_get, .block = on_block };
	struct host *host = host_fake_new();
	struct err e = { 0 };
	struct exchange *x;
	uv_loop_t loop;

	assert_int_equal(0, uv_loop_init(&loop));
	host_fake_refuse(host, true);
	assert_int_equal(-ENOSPC, exchange_new(host, &loop, &cfg, NULL, &x, &e));
	assert_int_equal(-ENOSPC, e.code);
	host_fake_close(host);
	assert_int_equal(0, uv_loop_close(&loop));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_is_opened_when_there_is_something_to_say),
		cmocka_unit_test(who_does_not_speak_it_is_not_asked),
		cmocka_unit_test(what_comes_on_our_stream_means_nothing),
		cmocka_unit_test(a_broken_stream_is_opened_again_soon_and_then_after_a_pause),
		cmocka_unit_test(a_broken_stream_is_not_opened_again_for_nothing),
		cmocka_unit_test(what_cannot_be_opened_is_tried_again),
		cmocka_unit_test(what_a_full_queue_refuses_is_written_when_it_is_drained),
		cmocka_unit_test(what_a_peer_wants_is_answered_on_our_stream),
		cmocka_unit_test(blocks_come_on_any_stream_in_any_pieces),
		cmocka_unit_test(who_opens_a_stream_takes_part),
		cmocka_unit_test(a_malformed_message_ends_its_stream_alone),
		cmocka_unit_test(an_answer_on_its_way_is_waited_for),
		cmocka_unit_test(begun_messages_are_limited),
		cmocka_unit_test(a_peer_that_goes_is_followed_by_the_others),
		cmocka_unit_test(a_peer_may_go_while_its_block_is_taken),
		cmocka_unit_test(nothing_is_read_of_a_stream_that_has_ended),
		cmocka_unit_test(closing_ends_all_streams_and_opens_none),
		cmocka_unit_test(it_cannot_start_where_the_host_takes_no_protocol),
	};

	return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
