#include "net/frame.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "util/varint.h"

#define HEAD_MAX sizeof(((struct frame_reader *)0)->head)
#define FRAME_MAX ((1u << 7 * HEAD_MAX) - 1) /* the greatest length that HEAD_MAX bytes hold */
#define KEEP_MAX 65536 /* memory that a reader keeps from one frame to the next */

void frame_reader_init(struct frame_reader *r, size_t max)
{
	*r = (struct frame_reader){ .max = max, .body = BUF_INIT(max) };
}

void frame_reader_clear(struct frame_reader *r)
{
	buf_deinit(&r->body);
	r->n_head = 0;
	r->want = 0;
}

static bool head_complete(const struct frame_reader *r)
{
	return r->n_head > 0 && !(r->head[r->n_head - 1] & 0x80);
}

static int take_head(struct frame_reader *r, uint8_t c, struct err *e)
{
	uint64_t n;

	if (r->n_head == HEAD_MAX)
		return err_set(e, -EPROTO, "the length of a frame is malformed");
	r->head[r->n_head++] = c;
	if (!head_complete(r) && r->n_head < HEAD_MAX)
		return 0;
	if (varint_get(r->head, r->n_head, 1, &n) < 0)
		return err_set(e, -EPROTO, "the length of a frame is malformed");
	if (n > r->max)
		return err_set(e, -EFBIG, "a frame of %llu bytes, at most %zu",
			       (unsigned long long)n, r->max);
	r->want = (size_t)n;
	return 0;
}

/* Ready for the next frame. */
static void start_over(struct frame_reader *r)
{
	r->n_head = 0;
	r->want = 0;
	buf_reset(&r->body);
	if (r->body.cap > KEEP_MAX)
		buf_deinit(&r->body);
}

/* Hands out the frame as soon as it is complete: straight from the input where it lies there whole.
 * Adds to @used how much of @p belonged to it. */
static int take_body(struct frame_reader *r, const uint8_t *p, size_t n,
		     int (*fn)(void *arg, const uint8_t *frame, size_t n), void *arg, size_t *used,
		     struct err *e)
{
	const uint8_t *frame = p;
	size_t want = r->want - r->body.len;
	int err;

	if (want > n || r->body.len > 0) {
		size_t part = want < n ? want : n;

		err = buf_append(&r->body, p, part);
		if (err < 0)
			return err_sys(e, err, "a frame of %zu bytes", r->want);
		*used += part;
		if (r->body.len < r->want)
			return 0;
		frame = r->body.data;
	} else {
		*used += want;
	}
	err = fn(arg, frame, r->want);
	if (err < 0)
		return err; /* the reader may be gone */
	start_over(r);
	return 0;
}

int frame_feed(struct frame_reader *r, const uint8_t *p, size_t n,
	       int (*fn)(void *arg, const uint8_t *frame, size_t n), void *arg, struct err *e)
{
	size_t used = 0;
	int err = 0;

	while (err == 0 && used < n) {
		if (!head_complete(r))
			err = take_head(r, p[used++], e);
		if (err == 0 && head_complete(r))
			err = take_body(r, p + used, n - used, fn, arg, &used, e);
	}
	return err;
}

int frame_write(const void *p, size_t n, struct buf *out)
{
	uint8_t head[VARINT_MAX];
	size_t head_len;
	int r;

	if (n > FRAME_MAX)
		return -EFBIG;
	head_len = varint_put(head, n);
	r = buf_reserve(out, head_len + n);
	if (r < 0)
		return r;
	buf_append(out, head, head_len);
	return buf_append(out, p, n);
}
