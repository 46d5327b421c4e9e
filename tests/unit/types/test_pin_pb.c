#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "tests/lib/vectors.h"
#include "types/pin_json.h"
#include "types/pin_pb.h"
#include "util/varint.h"

#define CAP 4096

static void check_encoding(const char *name, const struct pin *p, const uint8_t *want, size_t n)
{
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, buf_str(&out, "before"));
	assert_int_equal(0, pin_pb_encode(p, &out));
	if (out.len != n + 6 || memcmp(out.data + 6, want, n) != 0)
		fail_msg("%s: encoded differently", name);
	buf_deinit(&out);
}

static void written_pins_have_the_bytes_of_the_reference(void **state)
{
	json_t *root = vectors_load("cluster-pins.json"), *v;
	struct pin_json_keys keys;
	enum pin_mode mode;
	struct pin p;
	size_t i;

	pin_init(&p);
	json_array_foreach (vectors_array(root, "write"), i, v) {
		const char *text = vectors_str(v, "input_json");
		struct buf line = BUF_INIT(0);
		uint8_t want[CAP];
		size_t n = vectors_hex(v, "protobuf_hex", want, sizeof(want));

		assert_int_equal(0, pin_json_decode(text, strlen(text), &p, &mode, &keys, NULL));
		check_encoding(vectors_str(v, "name"), &p, want, n);
		assert_int_equal(0, pin_pb_decode(want, n, &p, NULL));
		check_encoding(vectors_str(v, "name"), &p, want, n);
		assert_int_equal(0, pin_json_line(&p, &line));
		assert_int_equal(0, buf_terminate(&line));
		assert_string_equal(vectors_str(v, "json_after_roundtrip"), (char *)line.data);
		buf_deinit(&line);
	}
	pin_deinit(&p);
	json_decref(root);
}

static void foreign_protobufs_read_as_the_reference_reads_them(void **state)
{
	json_t *root = vectors_load("cluster-pins.json"), *v;
	struct pin p;
	size_t i;

	pin_init(&p);
	json_array_foreach (vectors_array(root, "read_protobuf"), i, v) {
		struct buf line = BUF_INIT(0);
		struct err e = { 0 };
		uint8_t in[CAP], want[CAP];
		size_t n = vectors_hex(v, "protobuf_hex", in, sizeof(in));
		int r = pin_pb_decode(in, n, &p, &e);

		if (json_object_get(v, "error")) {
			if (r != -EBADMSG || !e.msg[0])
				fail_msg("%s is accepted", vectors_str(v, "name"));
			continue;
		}
		assert_int_equal(0, r);
		assert_int_equal(0, pin_json_line(&p, &line));
		assert_int_equal(0, buf_terminate(&line));
		assert_string_equal(vectors_str(v, "json"), (char *)line.data);
		n = vectors_hex(v, "protobuf_reserialized_hex", want, sizeof(want));
		check_encoding(vectors_str(v, "name"), &p, want, n);
		buf_deinit(&line);
	}
	pin_deinit(&p);
	json_decref(root);
}

struct raw_case {
	const char *why;
	const char *hex;
	int want; /* 0 or the error */
};

static void decode_is_as_strict_as_the_reference(void **state)
{
	static const struct raw_case cases[] = {
		{ "nothing at all", "", 0 },
		{ "a cid that is none is unset", "0a020909", 0 },
		{ "a reference that is none is unset", "2a020909", 0 },
		{ "a known field of another wire type is unknown",
		  "0801"
		  "1201ff",
		  0 },
		{ "a group is skipped",
		  "7b0801"
		  "1a0100"
		  "7c",
		  0 },
		{ "a group within a group is skipped",
		  "7b83018401"
		  "7c",
		  0 },
		{ "fixed fields are skipped",
		  "79"
		  "0102030405060708"
		  "7d"
		  "01020304",
		  0 },
		{ "a varint in a long form is read", "10818000", 0 },
		{ "an end without a group", "7c", -EBADMSG },
		{ "a group with another end", "7b84017c", -EBADMSG },
		{ "a group without an end", "7b0801", -EBADMSG },
		{ "field number zero", "0001", -EBADMSG },
		{ "a wire type that does not exist", "7e", -EBADMSG },
		{ "a tag alone", "10", -EBADMSG },
		{ "a cut varint", "1080", -EBADMSG },
		{ "a varint of 65 bits",
		  "38"
		  "80808080808080808002",
		  -EBADMSG },
		{ "a length over the end", "0a05ff", -EBADMSG },
		{ "a huge length", "0affffffffffffffffff01", -EBADMSG },
		{ "cut fixed fields", "79010203", -EBADMSG },
		{ "options cut inside", "32021a05", -EBADMSG },
		{ "metadata cut inside", "320452020a05", -EBADMSG },
		{ "a metadata key that is not UTF-8", "320552030a01ff", -EBADMSG },
		{ "a metadata value that is not UTF-8",
		  "3205520312"
		  "01ff",
		  -EBADMSG },
		{ "an old map entry that is not UTF-8", "320532030a01ff", -EBADMSG },
		{ "a name that is not UTF-8, later another", "32061a01ff1a0161", -EBADMSG },
		{ "an empty allocation", "1a00", -EBADMSG },
	};
	struct pin p;

	pin_init(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t in[256];
		int n = base16_decode(cases[i].hex, strlen(cases[i].hex), in, sizeof(in));

		assert_true(n >= 0);
		if (pin_pb_decode(in, (size_t)n, &p, NULL) != cases[i].want)
			fail_msg("%s", cases[i].why);
	}
	pin_deinit(&p);
}

static void options_in_parts_are_merged(void **state)
{
	/* Parts with rmin 1 and name a; rmax 2 and name b; a key in each, the later wins. */
	static const char hex[] = "320d08021a016152060a016b120131"
				  "320d10041a016252060a016b120132";
	uint8_t in[64];
	int n = base16_decode(hex, strlen(hex), in, sizeof(in));
	struct pin p;

	pin_init(&p);
	assert_int_equal(0, pin_pb_decode(in, (size_t)n, &p, NULL));
	assert_int_equal(1, p.replication_min);
	assert_int_equal(2, p.replication_max);
	assert_int_equal(1, p.name.n);
	assert_int_equal('b', p.name.p[0]);
	assert_int_equal(1, p.n_metadata);
	assert_int_equal('2', p.metadata[0].value.p[0]);
	pin_deinit(&p);
}

static void long_lists_keep_every_entry(void **state)
{
	static char keys[100][4];
	const int n = 100;
	struct buf out = BUF_INIT(0);
	struct pin p, again;

	pin_init(&p);
	pin_init(&again);
	p.allocations = pin_alloc(&p, n * sizeof(*p.allocations));
	p.metadata = pin_alloc(&p, n * sizeof(*p.metadata));
	p.origins = pin_alloc(&p, n * sizeof(*p.origins));
	assert_true(p.allocations && p.metadata && p.origins);
	p.n_allocations = p.n_metadata = p.n_origins = n;
	for (int i = 0; i < n; i++) {
		uint8_t key[32] = { (uint8_t)i }, ip4[5] = { 4, 127, 0, 0, (uint8_t)i };

		snprintf(keys[i], sizeof(keys[i]), "k%02u", (unsigned)i % 100);
		peerid_from_ed25519(key, &p.allocations[i]);
		assert_int_equal(0, multiaddr_from_bytes(ip4, sizeof(ip4), &p.origins[i], NULL));
		p.metadata[i] = (struct pin_meta){ { keys[i], 3 }, { keys[n - 1 - i], 3 } };
	}
	assert_int_equal(0, pin_pb_encode(&p, &out));
	assert_int_equal(0, pin_pb_decode(out.data, out.len, &again, NULL));
	assert_true(pin_equal_but_time(&p, &again));
	pin_deinit(&p);
	pin_deinit(&again);
	buf_deinit(&out);
}

static void the_two_forms_of_metadata_count_as_one_list(void **state)
{
	uint8_t in[4 * (PIN_LIST_MAX + 1)];
	struct pin p;

	/* Options with an empty entry each, of either form in turn. */
	for (size_t i = 0; i < sizeof(in); i += 4)
		memcpy(in + i, i % 8 ? "\x32\x02\x32\x00" : "\x32\x02\x52\x00", 4);
	pin_init(&p);
	assert_int_equal(0, pin_pb_decode(in, sizeof(in) - 4, &p, NULL));
	assert_int_equal(1, p.n_metadata);
	assert_int_equal(-EFBIG, pin_pb_decode(in, sizeof(in), &p, NULL));
	pin_deinit(&p);
}

static void every_cut_of_a_pin_is_refused_or_shorter(void **state)
{
	json_t *root = vectors_load("cluster-pins.json"), *v;
	struct pin p;
	size_t i;

	pin_init(&p);
	json_array_foreach (vectors_array(root, "write"), i, v) {
		uint8_t in[CAP];
		size_t n = vectors_hex(v, "protobuf_hex", in, sizeof(in));

		for (size_t cut = 0; cut < n; cut++) {
			struct buf out = BUF_INIT(0);
			uint8_t *exact = malloc(cut + 1); /* its end is known to the sanitizer */

			assert_non_null(exact);
			memcpy(exact, in, cut);
			if (pin_pb_decode(exact, cut, &p, NULL) == 0) {
				assert_int_equal(0, pin_pb_encode(&p, &out));
				assert_true(out.len < n);
			}
			free(exact);
			buf_deinit(&out);
		}
	}
	pin_deinit(&p);
	json_decref(root);
}

/* @n entries of field @tag: an allocation, or options with one origin or metadata entry. */
static void check_list_limit(const char *entry, size_t n, int want)
{
	struct buf in = BUF_INIT(0);
	struct pin p;

	pin_init(&p);
	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[16];
		int len = base16_decode(entry, strlen(entry), bytes, sizeof(bytes));

		assert_true(len > 0);
		assert_int_equal(0, buf_append(&in, bytes, (size_t)len));
	}
	assert_int_equal(want, pin_pb_decode(in.data, in.len, &p, NULL));
	pin_deinit(&p);
	buf_deinit(&in);
}

static void lists_are_limited(void **state)
{
	static const char *const entries[] = { "1a03000100",
					       "32074a0504"
					       "01020304",
					       "3202"
					       "5200",
					       "3202"
					       "3200" };

	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		check_list_limit(entries[i], PIN_LIST_MAX, 0);
		check_list_limit(entries[i], PIN_LIST_MAX + 1, -EFBIG);
	}
}

static void a_pin_over_the_limit_is_neither_written_nor_read(void **state)
{
	struct buf out = BUF_INIT(0);
	struct pin p;
	char *name = malloc(PIN_BYTES_MAX);

	assert_non_null(name);
	memset(name, 'n', PIN_BYTES_MAX);
	pin_init(&p);
	p.name = (struct pin_text){ name, PIN_BYTES_MAX - 8 }; /* two tags, two lengths of 3 */
	assert_int_equal(0, pin_pb_encode(&p, &out));
	assert_int_equal(PIN_BYTES_MAX, out.len);
	assert_int_equal(0, pin_pb_decode(out.data, out.len, &p, NULL));
	p.name = (struct pin_text){ name, PIN_BYTES_MAX - 7 };
	assert_int_equal(-EFBIG, pin_pb_encode(&p, &out));
	assert_int_equal(PIN_BYTES_MAX, out.len);
	assert_int_equal(0, buf_byte(&out, 0));
	assert_int_equal(-EFBIG, pin_pb_decode(out.data, out.len, &p, NULL));
	pin_deinit(&p);
	buf_deinit(&out);
	free(name);
}

static void encode_leaves_a_full_buffer_as_it_was(void **state)
{
	struct buf out = BUF_INIT(3);
	struct pin p;

	pin_init(&p);
	p.shard_size = 1u << 20;
	assert_int_equal(0, buf_str(&out, "xy"));
	assert_int_equal(-EFBIG, pin_pb_encode(&p, &out));
	assert_int_equal(2, out.len);
	buf_deinit(&out);
}

static void extreme_numbers_survive(void **state)
{
	struct buf out = BUF_INIT(0);
	struct pin p;

	pin_init(&p);
	p.replication_min = INT32_MIN;
	p.replication_max = INT32_MAX;
	p.max_depth = INT32_MIN;
	p.shard_size = UINT64_MAX;
	p.timestamp = INT64_MIN;
	p.expire_at = INT64_MAX;
	assert_int_equal(0, pin_pb_encode(&p, &out));
	assert_int_equal(0, pin_pb_decode(out.data, out.len, &p, NULL));
	assert_true(p.replication_min == INT32_MIN && p.replication_max == INT32_MAX);
	assert_true(p.max_depth == INT32_MIN && p.shard_size == UINT64_MAX);
	assert_true(p.timestamp == INT64_MIN && p.expire_at == INT64_MAX);
	pin_deinit(&p);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_pins_have_the_bytes_of_the_reference),
		cmocka_unit_test(foreign_protobufs_read_as_the_reference_reads_them),
		cmocka_unit_test(decode_is_as_strict_as_the_reference),
		cmocka_unit_test(options_in_parts_are_merged),
		cmocka_unit_test(long_lists_keep_every_entry),
		cmocka_unit_test(the_two_forms_of_metadata_count_as_one_list),
		cmocka_unit_test(every_cut_of_a_pin_is_refused_or_shorter),
		cmocka_unit_test(lists_are_limited),
		cmocka_unit_test(a_pin_over_the_limit_is_neither_written_nor_read),
		cmocka_unit_test(encode_leaves_a_full_buffer_as_it_was),
		cmocka_unit_test(extreme_numbers_survive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
