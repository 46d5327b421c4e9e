#include "net/ping.h"

#include <errno.h>
#include <sodium.h>

void ping_acceptor_init(struct ping_acceptor *a, uint64_t now_ms)
{
	a->end = now_ms + PING_TOTAL_MS;
	a->idle = now_ms + PING_IDLE_MS;
	a->n = 0;
}

int ping_acceptor_feed(struct ping_acceptor *a, const uint8_t *p, size_t n, uint64_t now_ms,
		       struct buf *out)
{
	int r = buf_reserve(out, (a->n + n) / PING_BYTES * PING_BYTES);

	if (r < 0)
		return r;
	while (n > 0) {
		size_t part = PING_BYTES - a->n;

		if (part > n)
			part = n;
		memcpy(a->bytes + a->n, p, part);
		a->n += part;
		p += part;
		n -= part;
		if (a->n < PING_BYTES)
			break;
		buf_append(out, a->bytes, PING_BYTES);
		a->n = 0;
		a->idle = now_ms + PING_IDLE_MS;
	}
	return 0;
}

uint64_t ping_acceptor_deadline(const struct ping_acceptor *a)
{
	return a->idle < a->end ? a->idle : a->end;
}

void ping_opener_init(struct ping_opener *o)
{
	*o = (struct ping_opener){ 0 };
}

int ping_opener_send(struct ping_opener *o, uint64_t now_ms, struct buf *out)
{
	int r;

	if (o->waiting)
		return -EBUSY;
	randombytes_buf(o->bytes, PING_BYTES);
	r = buf_append(out, o->bytes, PING_BYTES);
	if (r < 0)
		return r;
	o->waiting = true;
	o->sent_at = now_ms;
	o->n = 0;
	return 0;
}

int ping_opener_feed(struct ping_opener *o, const uint8_t *p, size_t n, uint64_t now_ms,
		     uint64_t *ret_ms, struct err *e)
{
	if (n == 0)
		return 0;
	if (!o->waiting || n > PING_BYTES - o->n)
		return err_set(e, -EPROTO, "ping: an answer to nothing");
	if (memcmp(o->bytes + o->n, p, n) != 0)
		return err_set(e, -EPROTO, "ping: the answer differs from what was sent");
	o->n += n;
	if (o->n < PING_BYTES)
		return 0;
	o->waiting = false;
	*ret_ms = now_ms - o->sent_at;
	return 1;
}

uint64_t ping_opener_deadline(const struct ping_opener *o)
{
	return o->waiting ? o->sent_at + PING_IDLE_MS : UINT64_MAX;
}
