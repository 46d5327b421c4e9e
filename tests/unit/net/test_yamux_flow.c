/* Two machines exchange megabytes over a line that splits at random, with slow consumers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/yamux_internal.h"
#include "util/container.h"

#define STREAMS 24 /* that each side opens */
#define BYTES_MAX (600u * 1024)
#define STEPS_MAX 3000000 /* a stall otherwise */
#define LINE_MAX 100000   /* bytes on the line above which nothing is drained */

struct side;

struct flow {
	struct side *side;
	struct yamux_stream *s; /* NULL: over */
	uint32_t id;
	size_t to_send, sent, got, held;
	bool eof;
};

struct side {
	struct yamux *y;
	struct buf line; /* to the other side */
	struct flow flows[2 * STREAMS];
	size_t n_flows, n_over;
};

static uint64_t seed;

static size_t pick(size_t n) /* 0 to n - 1 */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % n);
}

static uint8_t byte_at(uint32_t id, size_t at)
{
	return (uint8_t)(id * 31 + at * 7 + (at >> 9));
}

static void close_if_over(struct flow *f)
{
	if (!f->s || !f->eof || f->held > 0 || f->sent < f->to_send)
		return;
	yamux_stream_release(f->s);
	f->s = NULL;
	f->side->n_over++;
}

/* Until the machine takes no more; then only its event goes on. */
static void write_on(struct flow *f)
{
	uint8_t piece[5000];
	size_t n, took;

	do {
		n = 1 + pick(sizeof(piece));
		if (n > f->to_send - f->sent)
			n = f->to_send - f->sent;
		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(f->id, f->sent + i);
		took = yamux_write(f->s, piece, n);
		assert_true(took <= n);
		f->sent += took;
		if (f->sent == f->to_send) {
			yamux_shut(f->s);
			return;
		}
	} while (took == n);
}

static struct flow *start_flow(struct side *side, struct yamux_stream *s)
{
	struct flow *f = &side->flows[side->n_flows++];

	assert_true(side->n_flows <= ARRAY_LEN(side->flows));
	*f = (struct flow){ .side = side, .s = s, .id = s->id, .to_send = pick(BYTES_MAX) };
	yamux_stream_set_arg(s, f);
	write_on(f);
	return f;
}

static void opened(void *arg, struct yamux_stream *s)
{
	start_flow(arg, s);
}

static void data(void *arg, struct yamux_stream *s, const uint8_t *p, size_t n)
{
	struct flow *f = yamux_stream_arg(s);

	for (size_t i = 0; i < n; i++)
		if (p[i] != byte_at(f->id, f->got + i))
			fail_msg("stream %u differs at %zu", f->id, f->got + i);
	f->got += n;
	f->held += n;
	assert_true(f->held <= YAMUX_WINDOW);
}

static void eof(void *arg, struct yamux_stream *s)
{
	struct flow *f = yamux_stream_arg(s);

	f->eof = true;
	close_if_over(f);
}

static void reset(void *arg, struct yamux_stream *s, uint32_t code)
{
	fail_msg("stream %u is reset: %x", s->id, code);
}

static void writable(void *arg, struct yamux_stream *s)
{
	struct flow *f = yamux_stream_arg(s);

	write_on(f);
	close_if_over(f);
}

/* Nothing of the window is lost: what is not with the peer is with the owner, or on its way. */
static void check_window(const struct yamux_stream *s, size_t held)
{
	size_t coming = s->y->current == s ? s->y->payload_left : 0;

	assert_int_equal(YAMUX_WINDOW, s->recv_credit + s->consumed + held + coming);
}

static void consume(struct side *side)
{
	struct flow *f = side->n_flows ? &side->flows[pick(side->n_flows)] : NULL;
	size_t n = f && f->held ? 1 + pick(f->held) : 0;

	if (n == 0 || !f->s)
		return;
	yamux_consumed(f->s, n);
	f->held -= n;
	if (!f->eof)
		check_window(f->s, f->held);
	close_if_over(f);
}

/* Some bytes from one end of the line to the other. */
static void carry(struct side *from, struct side *to, size_t most)
{
	struct err e = { 0 };
	size_t n;

	if (from->line.len < LINE_MAX)
		assert_int_equal(0, yamux_drain(from->y, &from->line));
	if (from->line.len == 0)
		return;
	n = 1 + pick(most < from->line.len ? most : from->line.len);
	if (yamux_feed(to->y, from->line.data, n, 1, &e) < 0)
		fail_msg("%s", e.msg);
	memmove(from->line.data, from->line.data + n, from->line.len - n);
	from->line.len -= n;
}

static void check_end(const struct side *side, const struct side *peer)
{
	assert_int_equal(2 * STREAMS, side->n_flows);
	assert_int_equal(0, yamux_streams(side->y));
	assert_int_equal(0, side->y->buffered);
	for (size_t i = 0; i < side->n_flows; i++)
		for (size_t j = 0; j < peer->n_flows; j++)
			if (side->flows[i].id == peer->flows[j].id)
				assert_int_equal(side->flows[i].to_send, peer->flows[j].got);
}

static void exchange(uint64_t with, size_t most)
{
	static struct side sides[2];
	size_t left[2] = { STREAMS, STREAMS };

	seed = with;
	memset(sides, 0, sizeof(sides));
	for (size_t i = 0; i < 2; i++) {
		struct yamux_events ev = { opened, data, eof, reset, writable, &sides[i] };

		assert_int_equal(0, yamux_new(i == 0, &ev, 0, &sides[i].y));
	}
	for (size_t step = 0; sides[0].n_over + sides[1].n_over < 4 * STREAMS; step++) {
		size_t i = pick(2);
		struct yamux_stream *s;

		assert_true(step < STEPS_MAX);
		if (left[i] > 0 && pick(20) == 0) {
			left[i]--;
			assert_int_equal(0, yamux_open(sides[i].y, &s));
			start_flow(&sides[i], s);
		}
		carry(&sides[i], &sides[1 - i], most);
		if (pick(3) == 0)
			consume(&sides[pick(2)]);
	}
	check_end(&sides[0], &sides[1]);
	check_end(&sides[1], &sides[0]);
	for (size_t i = 0; i < 2; i++) {
		yamux_free(sides[i].y);
		buf_deinit(&sides[i].line);
	}
}

static void all_bytes_arrive_through_large_pieces(void **state)
{
	exchange(0x5eed1, 60000);
}

static void all_bytes_arrive_through_middling_pieces(void **state)
{
	exchange(0x5eed2, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_bytes_arrive_through_large_pieces),
		cmocka_unit_test(all_bytes_arrive_through_middling_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
