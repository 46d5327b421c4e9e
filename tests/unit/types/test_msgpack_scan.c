#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/vectors.h"
#include "types/msgpack_scan.h"

#define MAX 4096

/* What it says of hex bytes, and the length it found. */
static int scan(const char *hex, size_t max, size_t *ret_n)
{
	uint8_t bytes[MAX];
	int n = base16_decode(hex, strlen(hex), bytes, sizeof(bytes));

	assert_true(n >= 0);
	return mp_object_size(bytes, (size_t)n, max, ret_n);
}

static void each_format_has_its_length(void **state)
{
	static const char *const whole[] = {
		"00",
		"7f",
		"e0",
		"ff",
		"c0",
		"c2",
		"c3",
		"80",
		"90",
		"a0",
		"cc01",
		"cd0001",
		"ce00000001",
		"cf0000000000000001",
		"d001",
		"d10001",
		"d200000001",
		"d30000000000000001",
		"ca00000000",
		"cb0000000000000000",
		"a161",
		"d90161",
		"da000161",
		"db0000000161",
		"c40161",
		"c5000161",
		"c60000000161",
		"d4ff00",
		"d5ff0000",
		"d6ff00000000",
		"d7ff0000000000000000",
		"d8ff00000000000000000000000000000000",
		"c701ff61",
		"c80001ff61",
		"c900000001ff61",
		"9101",
		"dc000101",
		"dd0000000101",
		"810102",
		"de00010102",
		"df000000010102",
		"93018102039180",
		"82a16190a1629181a163c0",
	};

	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		const size_t n = strlen(whole[i]) / 2;
		char cut[128];
		size_t got = 0;

		assert_int_equal(1, scan(whole[i], MAX, &got));
		assert_int_equal(n, got);
		assert_int_equal(1, scan(whole[i], n, &got));
		/* One byte less of room, and each cut. */
		assert_int_equal(-EFBIG, scan(whole[i], n - 1, &got));
		for (size_t k = 0; k < n; k++) {
			snprintf(cut, sizeof(cut), "%.*s", (int)(2 * k), whole[i]);
			assert_int_equal(0, scan(cut, MAX, &got));
		}
		/* What follows is another object. */
		snprintf(cut, sizeof(cut), "%sc1", whole[i]);
		assert_int_equal(1, scan(cut, MAX, &got));
		assert_int_equal(n, got);
	}
}

static void counts_that_cannot_fit_are_refused_at_once(void **state)
{
	static const char *const huge[] = {
		"ddffffffff",   "dfffffffff", "dbffffffff", "c6ffffffff", "c9ffffffffff",
		"9fddffffffff", "dd00001000", "df00000800", "db00001000",
	};
	size_t n;

	for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++)
		assert_int_equal(-EFBIG, scan(huge[i], MAX, &n));
	assert_int_equal(0, scan("dd00000ffb", MAX, &n)); /* just fits */
}

static void what_is_no_msgpack_is_refused(void **state)
{
	size_t n;

	assert_int_equal(-EBADMSG, scan("c1", MAX, &n));
	assert_int_equal(-EBADMSG, scan("92c0c1", MAX, &n));
}

static void depth_is_limited(void **state)
{
	uint8_t nested[MSGPACK_DEPTH_MAX + 2];
	size_t n;

	memset(nested, 0x91, sizeof(nested));
	nested[MSGPACK_DEPTH_MAX] = 0xc0;
	assert_int_equal(1, mp_object_size(nested, sizeof(nested), MAX, &n));
	assert_int_equal(MSGPACK_DEPTH_MAX + 1, n);
	nested[MSGPACK_DEPTH_MAX] = 0x90; /* an empty one is not gone into */
	assert_int_equal(1, mp_object_size(nested, sizeof(nested), MAX, &n));
	nested[MSGPACK_DEPTH_MAX] = 0x91;
	assert_int_equal(-EBADMSG, mp_object_size(nested, sizeof(nested), MAX, &n));
}

/* Every recorded stream, byte by byte: the same objects, and no byte is looked at twice. */
static void a_scan_goes_on_where_it_stopped(void **state)
{
	json_t *root = vectors_load("cluster-rpc-streams.json"), *v;
	static uint8_t bytes[8192];
	size_t i, objects;

	json_array_foreach (vectors_array(root, "streams"), i, v) {
		size_t n = vectors_hex(v, "request_hex", bytes, sizeof(bytes)), at = 0;

		for (objects = 0; at < n; objects++) {
			struct mp_scan s = { 0 };
			size_t have = 0, whole = 0, before = 0;

			while (mp_scan(&s, bytes + at, have, MAX) == 0) {
				assert_true(s.at >= before && have < n - at);
				before = s.at;
				have++;
			}
			assert_int_equal(1, mp_object_size(bytes + at, n - at, MAX, &whole));
			assert_int_equal(whole, s.at);
			assert_int_equal(whole, have);
			at += whole;
		}
		assert_int_equal(json_array_size(json_object_get(v, "request")), objects);
	}
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_format_has_its_length),
		cmocka_unit_test(counts_that_cannot_fit_are_refused_at_once),
		cmocka_unit_test(what_is_no_msgpack_is_refused),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(a_scan_goes_on_where_it_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
