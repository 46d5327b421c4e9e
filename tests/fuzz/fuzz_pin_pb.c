/* Any bytes: what decodes encodes to canonical bytes, which decode to the same pin. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "types/pin_json.h"
#include "types/pin_pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf first = BUF_INIT(0), second = BUF_INIT(0), line = BUF_INIT(0);
	struct pin p, again;
	struct err e = { 0 };
	int r;

	pin_init(&p);
	pin_init(&again);
	r = pin_pb_decode(data, n, &p, &e);
	check(r == 0 || e.code == r);
	if (r == 0 && pin_pb_encode(&p, &first) == 0) {
		check(pin_pb_decode(first.data, first.len, &again, NULL) == 0);
		check(pin_equal_but_time(&p, &again) && p.timestamp == again.timestamp);
		check(pin_pb_encode(&again, &second) == 0);
		check(first.len == second.len);
		check(memcmp(first.data, second.data, first.len) == 0);
		r = pin_json_line(&p, &line);
		check(r == 0 || r == -ERANGE);
		/* Types of a newer peer have no text of their own, nor do addresses that are not
		 * UTF-8. */
		if (r == 0 && line.len <= PIN_BYTES_MAX && p.type <= PIN_TYPE_SHARD &&
		    !memmem(line.data, line.len, "\\ufffd", 6)) {
			check(pin_json_decode_canonical((char *)line.data, line.len, &again));
			check(pin_equal_but_time(&p, &again) && p.timestamp == again.timestamp);
		}
	}
	buf_deinit(&first);
	buf_deinit(&second);
	buf_deinit(&line);
	pin_deinit(&p);
	pin_deinit(&again);
	return 0;
}
