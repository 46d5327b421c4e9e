/*
 * A connection: the input is a row of steps, each an opcode and what it needs. Most opcodes feed
 * the bytes that follow, as the peer's; the others act as the owner of the streams. Whatever the
 * peer does, the accounts of memory and credit hold.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "net/yamux_internal.h"

#define OURS_MAX 32   /* streams that we open */
#define STEPS_MAX 256 /* of an input; the rest of it does not matter */
#define ZEROS_MORE (2 * YAMUX_HEADER)
#define OUT_MAX (YAMUX_QUEUE_MAX + YAMUX_CONTROL_MAX + 1024 * YAMUX_HEADER)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct owner {
	struct yamux *y;
	struct buf sent;
	uint64_t now;
	unsigned opened_by_us;
	uint8_t in_events; /* bits: consume, write, shut, release, open in an event */
};

enum op {
	OP_FEED = 0x00,
	OP_OPEN = 0xc0,
	OP_WRITE,
	OP_CONSUME,
	OP_SHUT,
	OP_RESET,
	OP_RELEASE,
	OP_DRAIN,
	OP_TICK,
	OP_EVENTS
};

static uint8_t zeros[YAMUX_WINDOW];

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void open_one(struct owner *o)
{
	struct yamux_stream *s;
	int r;

	if (o->opened_by_us == OURS_MAX)
		return;
	r = yamux_open(o->y, &s);
	check(r == 0 || r == o->y->failed);
	o->opened_by_us += r == 0;
}

static void in_event(struct owner *o, struct yamux_stream *s, bool may_release)
{
	if (o->in_events & 1)
		yamux_consumed(s, s->unconsumed);
	if (o->in_events & 2)
		yamux_write(s, zeros, 1000);
	if (o->in_events & 4)
		yamux_shut(s);
	if (o->in_events & 16)
		open_one(o);
	if (o->in_events & 8 && may_release)
		yamux_stream_release(s);
}

static void on_stream(void *arg, struct yamux_stream *s)
{
	in_event(arg, s, true);
}

static void on_data(void *arg, struct yamux_stream *s, const uint8_t *p, size_t n)
{
	check(n > 0 && s->unconsumed >= n && s->unconsumed <= YAMUX_WINDOW && !s->got_fin);
	in_event(arg, s, true);
}

static void on_reset(void *arg, struct yamux_stream *s, uint32_t code)
{
	check(s->gone && s->unconsumed == 0);
	in_event(arg, s, false);
	yamux_stream_release(s);
}

/* The stream that the byte chooses, NULL where there is none. */
static struct yamux_stream *choose(struct owner *o, uint8_t which)
{
	struct list *it;
	size_t n = yamux_streams(o->y);

	if (n == 0)
		return NULL;
	n = which % n;
	list_each (it, &o->y->streams)
		if (n-- == 0)
			return container_of(it, struct yamux_stream, all);
	abort();
}

static void drain(struct owner *o)
{
	size_t at = 0;

	buf_reset(&o->sent);
	check(yamux_drain(o->y, &o->sent) == 0);
	while (at < o->sent.len) {
		struct yamux_frame f;

		check(o->sent.len - at >= YAMUX_HEADER);
		yamux_frame_get(o->sent.data + at, &f);
		check(f.version == 0 && f.type <= YAMUX_GO_AWAY);
		at += YAMUX_HEADER + (f.type == YAMUX_DATA ? f.length : 0);
	}
	check(at == o->sent.len && at <= OUT_MAX);
}

static void check_accounts(struct owner *o)
{
	size_t buffered = 0, inbound = 0, streams = 0;
	struct list *it;

	list_each (it, &o->y->streams) {
		struct yamux_stream *s = container_of(it, struct yamux_stream, all);

		buffered += s->unconsumed;
		inbound += (s->id % 2 == 1) != o->y->dialer;
		streams++;
		check(s->recv_credit + s->unconsumed + s->consumed <= YAMUX_WINDOW || s->gone);
		check((yamux_stream_find(o->y, s->id) == s) != s->gone);
	}
	check(buffered == o->y->buffered && buffered <= YAMUX_BUFFERED_MAX);
	check(inbound == o->y->n_inbound && inbound <= YAMUX_INBOUND_MAX);
	check(streams == yamux_streams(o->y));
	check(o->y->out.len + o->y->urgent.len <= OUT_MAX);
}

static void act(struct owner *o, enum op op, uint8_t arg)
{
	struct yamux_stream *s = choose(o, arg);

	if (op == OP_OPEN)
		open_one(o);
	else if (op == OP_WRITE && s)
		check(yamux_write(s, zeros, 1 + 300u * arg) <= 1 + 300u * arg);
	else if (op == OP_CONSUME && s)
		yamux_consumed(s, s->unconsumed - s->unconsumed / (1 + arg % 4u));
	else if (op == OP_SHUT && s)
		yamux_shut(s);
	else if (op == OP_RESET && s)
		yamux_reset(s, arg);
	else if (op == OP_RELEASE && s)
		yamux_stream_release(s);
	else if (op == OP_DRAIN)
		drain(o);
	else if (op == OP_TICK)
		yamux_tick(o->y, o->now += 1000u * arg);
	else if (op == OP_EVENTS)
		o->in_events = arg;
}

/* One step; the input that it took. */
static size_t step(struct owner *o, const uint8_t *p, size_t n)
{
	size_t feed = 1 + (p[0] & 0x3f);
	struct err e = { 0 };
	int r;

	if (p[0] >= OP_OPEN) {
		act(o, (enum op)p[0], n > 1 ? p[1] : 0);
		return n > 1 ? 2 : 1;
	}
	if (p[0] & 0x80) { /* zeros, of which large payloads are made, and little beyond them */
		size_t rest = o->y->payload_left + ZEROS_MORE;

		r = yamux_feed(o->y, zeros, feed * 4096 < rest ? feed * 4096 : rest, o->now, &e);
		feed = 0;
	} else {
		if (feed > n - 1)
			feed = n - 1;
		r = yamux_feed(o->y, p + 1, feed, o->now, &e);
	}
	check(r == e.code && r == o->y->failed);
	return 1 + feed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct owner o = { .sent = BUF_INIT(0) };
	struct yamux_events ev = { on_stream, on_data, on_stream, on_reset, on_stream, &o };

	if (n == 0 || yamux_new(data[0] & 1, &ev, 0, &o.y) < 0)
		return 0;
	for (size_t at = 1, steps = 0; at < n && steps < STEPS_MAX; steps++) {
		at += step(&o, data + at, n - at);
		check_accounts(&o);
	}
	drain(&o);
	yamux_free(o.y);
	buf_deinit(&o.sent);
	return 0;
}
