#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/net/bitswap_fixture.h"

#define put(b, ...) assert_int_equal(0, buf_printf((b), __VA_ARGS__))

static int on_get(void *arg, const struct cid *cid, struct buf *out, size_t *ret_size)
{
	const struct swap *s = arg;
	unsigned block = block_number(cid);
	const uint8_t *p = block_bytes(block, ret_size);

	if (out && s->lost[block])
		return -EIO;
	if (!s->here[block])
		return 0;
	if (out)
		assert_int_equal(0, buf_append(out, p, *ret_size));
	return 1;
}

static void on_block(void *arg, const struct cid *cid, const struct peerid *from, const uint8_t *p,
		     size_t n)
{
	struct swap *s = arg;
	unsigned block = block_number(cid);
	size_t size;

	assert_memory_equal(block_bytes(block, &size), p, n);
	assert_int_equal(size, n);
	if (!s->quiet)
		put(&s->got, "%u of %u;", block, peer_number(from));
	if (s->on_block)
		s->on_block(s, block);
}

static bool on_send(void *arg, const struct peerid *to, const uint8_t *message, size_t n)
{
	struct swap *s = arg;
	unsigned peer = peer_number(to);

	assert_in_range(n, 1, BITSWAP_MESSAGE_MAX);
	if (s->full == peer)
		return false;
	s->n_sent++;
	if (n > s->largest)
		s->largest = n;
	if (s->quiet)
		return true;
	put(&s->sent, "%u:", peer);
	assert_int_equal(0, text_read(message, n, &s->sent));
	put(&s->sent, ";");
	return true;
}

void swap_start(struct swap *s)
{
	const struct bitswap_config cfg = {
		.get = on_get, .block = on_block, .send = on_send, .arg = s, .send_arg = s
	};

	*s = (struct swap){ .now = 1000000 };
	assert_int_equal(0, bitswap_new(&cfg, &s->b));
	assert_true(bitswap_deadline(s->b) == UINT64_MAX);
}

void swap_stop(struct swap *s)
{
	size_t sent = s->n_sent;

	bitswap_free(s->b);
	assert_int_equal(sent, s->n_sent);
	buf_deinit(&s->sent);
	buf_deinit(&s->got);
}

void swap_start_among(struct swap *s, unsigned peers)
{
	swap_start(s);
	for (unsigned p = 1; p <= peers; p++)
		swap_up(s, p);
}

void swap_up(struct swap *s, unsigned peer)
{
	assert_int_equal(0, bitswap_peer_up(s->b, peer_id(peer), s->now));
}

void swap_down(struct swap *s, unsigned peer)
{
	bitswap_peer_down(s->b, peer_id(peer), s->now);
}

void swap_want(struct swap *s, unsigned block, unsigned hint)
{
	assert_int_equal(0,
			 bitswap_want(s->b, block_cid(block), hint ? peer_id(hint) : NULL, s->now));
}

int swap_feed_bytes(struct swap *s, unsigned peer, const void *p, size_t n)
{
	struct err e = { 0 };
	int r = bitswap_feed(s->b, peer_id(peer), p, n, s->now, &e);

	assert_int_equal(r, e.code);
	return r;
}

void swap_feed(struct swap *s, unsigned peer, const char *text)
{
	struct buf message = BUF_INIT(0);

	text_write(text, &message);
	assert_int_equal(0, swap_feed_bytes(s, peer, message.data, message.len));
	buf_deinit(&message);
}

void swap_pass(struct swap *s, uint64_t ms)
{
	uint64_t until = s->now + ms;

	for (unsigned n = 0; bitswap_deadline(s->b) <= until; n++) {
		assert_true(n < 100000); /* it would never end */
		if (bitswap_deadline(s->b) > s->now)
			s->now = bitswap_deadline(s->b);
		bitswap_tick(s->b, s->now);
	}
	s->now = until;
}

static const char *take(struct buf *b)
{
	assert_int_equal(0, buf_terminate(b));
	b->len = 0;
	return (const char *)b->data;
}

const char *swap_sent(struct swap *s)
{
	swap_pass(s, 0);
	return take(&s->sent);
}

const char *swap_got(struct swap *s)
{
	return take(&s->got);
}

struct bitswap_counts swap_counts(const struct swap *s)
{
	struct bitswap_counts c;

	bitswap_counts(s->b, &c);
	return c;
}
