/* Any text: both decoders agree, and what one accepts writes back to something it accepts. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "types/pin_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool is_line_of(const struct pin *p, const void *text, size_t n)
{
	struct buf line = BUF_INIT(0);
	bool ret = pin_json_line(p, &line) == 0 && line.len == n && memcmp(line.data, text, n) == 0;

	buf_deinit(&line);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data;
	struct pin fast, general, again;
	struct buf out = BUF_INIT(0);
	struct pin_json_keys keys;
	enum pin_mode mode;
	struct err e = { 0 };
	bool canonical;
	int r;

	pin_init(&fast);
	pin_init(&general);
	pin_init(&again);
	r = pin_json_decode(text, n, &general, &mode, &keys, &e);
	canonical = pin_json_decode_canonical(text, n, &fast);
	check(canonical == (r == 0 && is_line_of(&general, text, n)));
	check(!canonical ||
	      (pin_equal_but_time(&fast, &general) && fast.timestamp == general.timestamp));
	check(r == 0 || e.code == r);
	if (r == 0) {
		check(pin_json_line(&general, &out) == 0);
		check(out.len > PIN_BYTES_MAX ||
		      pin_json_decode_canonical((char *)out.data, out.len, &again));
		check(out.len > PIN_BYTES_MAX || pin_equal_but_time(&again, &general));
		buf_reset(&out);
		check(pin_json_document(&general, &out) == 0);
		check(out.len > PIN_BYTES_MAX ||
		      pin_json_decode((char *)out.data, out.len, &again, &mode, &keys, NULL) == 0);
		check(out.len > PIN_BYTES_MAX || pin_equal_but_time(&again, &general));
	}
	buf_deinit(&out);
	pin_deinit(&fast);
	pin_deinit(&general);
	pin_deinit(&again);
	return 0;
}
