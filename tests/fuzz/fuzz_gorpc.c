/*
 * What a caller or a server says: how the bytes are cut makes no difference, and names and headers
 * that are read are read again as the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/gorpc_frames.h"
#include "tests/lib/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_id(const uint8_t *p, size_t n)
{
	struct gorpc_id id, again;
	struct buf out = BUF_INIT(GORPC_HEADER_MAX);

	if (gorpc_id_read(p, n, &id, NULL) < 0)
		return;
	check(gorpc_id_write(&id, &out) == 0);
	check(gorpc_id_read(out.data, out.len, &again, NULL) == 0);
	check(strcmp(id.service, again.service) == 0 && strcmp(id.method, again.method) == 0);
	buf_deinit(&out);
}

static void check_header(const uint8_t *p, size_t n)
{
	static const struct gorpc_id id;
	struct gorpc_header h, again;
	struct buf out = BUF_INIT(GORPC_HEADER_MAX);

	if (gorpc_header_read(p, n, &h, NULL) < 0)
		return;
	check(h.failed || h.error[0] == '\0');
	if (h.failed && h.error[0] != '\0') { /* else it begins with a zero byte */
		check(gorpc_header_write(&id, h.type, h.error, &out) == 0);
		check(gorpc_header_read(out.data, out.len, &again, NULL) == 0);
		check(again.failed && h.type == again.type && strcmp(h.error, again.error) == 0);
	}
	buf_deinit(&out);
}

/* All frames, each with its kind in front. @seed 0: not cut. Returns how it ended. */
static int run(const uint8_t *p, size_t n, bool of_caller, uint32_t seed, struct buf *out)
{
	struct gorpc_frames f;
	enum gorpc_frame kind;
	const uint8_t *frame;
	size_t len, part;
	int r = 0;

	gorpc_frames_init(&f, of_caller);
	for (size_t at = 0; r == 0 && at < n; at += part) {
		part = seed ? pieces_next(&seed, n - at) : n;
		check(gorpc_frames_feed(&f, p + at, part) == 0);
		while ((r = gorpc_frames_next(&f, &kind, &frame, &len)) > 0) {
			check(len > 0);
			check(buf_byte(out, (uint8_t)kind) == 0);
			check(buf_append(out, frame, len) == 0);
			if (kind == GORPC_FRAME_ID)
				check_id(frame, len);
			else if (kind == GORPC_FRAME_HEADER)
				check_header(frame, len);
		}
	}
	if (r == 0) {
		const size_t waiting = gorpc_frames_waiting(&f);

		check(out->len - f.n + waiting == n);
	}
	gorpc_frames_clear(&f);
	return r;
}

/* The input: a byte whose lowest bit makes it a server's bytes and whose others seed the cuts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf a = BUF_INIT(0), b = BUF_INIT(0);
	bool of_caller;

	if (n == 0)
		return 0;
	of_caller = (data[0] & 1) == 0;
	check(run(data + 1, n - 1, of_caller, 0, &a) ==
	      run(data + 1, n - 1, of_caller, data[0] | 1, &b));
	check(a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0));
	buf_deinit(&a);
	buf_deinit(&b);
	return 0;
}
