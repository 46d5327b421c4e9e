#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>

#include "tests/lib/vectors.h"
#include "types/cid.h"

static int setup(void **state)
{
	*state = vectors_load("cid.json");
	return sodium_init() < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	json_decref(*state);
	return 0;
}

static void recorded_bytes_give_the_recorded_text(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "cases"), i, c) {
		uint8_t bytes[CID_BYTES_MAX], hash[CID_BYTES_MAX];
		size_t n = vectors_hex(c, "bytes", bytes, sizeof(bytes)), len;
		size_t hash_len = vectors_hex(c, "multihash", hash, sizeof(hash));
		char text[CID_TEXT_MAX + 1];
		const uint8_t *p;
		struct cid cid;

		assert_int_equal(0, cid_from_bytes(bytes, n, &cid, NULL));
		assert_int_equal(strlen(vectors_str(c, "text")), cid_format(&cid, text));
		assert_string_equal(vectors_str(c, "text"), text);
		assert_int_equal(json_integer_value(json_object_get(c, "version")),
				 cid_version(&cid));
		assert_int_equal(json_integer_value(json_object_get(c, "codec")), cid_codec(&cid));
		p = cid_multihash(&cid, &len);
		assert_int_equal(hash_len, len);
		assert_memory_equal(hash, p, len);
	}
}

static void every_recorded_text_form_is_parsed(void **state)
{
	static const char *const forms[] = { "text",   "base16",    "base32upper",
					     "base36", "base58btc", "base64" };
	size_t i, parsed = 0;
	json_t *c;

	json_array_foreach (vectors_array(*state, "cases"), i, c) {
		struct cid want, got;
		uint8_t bytes[CID_BYTES_MAX];
		size_t n = vectors_hex(c, "bytes", bytes, sizeof(bytes));

		assert_int_equal(0, cid_from_bytes(bytes, n, &want, NULL));
		for (size_t k = 0; k < sizeof(forms) / sizeof(*forms); k++) {
			const char *s = json_string_value(json_object_get(c, forms[k]));

			if (!s)
				continue;
			assert_int_equal(0, cid_parse(s, strlen(s), &got, NULL));
			assert_true(cid_equal(&want, &got));
			parsed++;
		}
	}
	assert_true(parsed > 40);
}

static void a_wrapped_version_0_is_version_0(void **state)
{
	static const char plain[] = "QmUfSmqvAMqp6E9VwNwtjrqoTmbedM1z2k1wgKTnqZ2xk3";
	static const char wrapped[] = "zQmUfSmqvAMqp6E9VwNwtjrqoTmbedM1z2k1wgKTnqZ2xk3";
	char text[CID_TEXT_MAX + 1];
	struct cid cid;

	assert_int_equal(0, cid_parse(wrapped, strlen(wrapped), &cid, NULL));
	assert_int_equal(0, cid_version(&cid));
	cid_format(&cid, text);
	assert_string_equal(plain, text);
}

static void recorded_wrong_bytes_are_refused(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "invalid_bytes"), i, c) {
		uint8_t bytes[CID_BYTES_MAX];
		size_t n = vectors_hex(c, "bytes", bytes, sizeof(bytes));
		struct err e = { 0 };
		struct cid cid;

		if (cid_from_bytes(bytes, n, &cid, &e) != -EBADMSG)
			fail_msg("%s is taken as a CID", vectors_str(c, "bytes"));
		assert_int_equal(-EBADMSG, e.code);
	}
}

static void recorded_wrong_texts_are_refused(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "invalid_text"), i, c) {
		const char *s = vectors_str(c, "text");
		struct err e = { 0 };
		struct cid cid;

		if (cid_parse(s, strlen(s), &cid, &e) != -EINVAL)
			fail_msg("\"%s\" is taken as a CID", s);
		assert_int_equal(-EINVAL, e.code);
		assert_false(cid_defined(&cid));
	}
}

static void parse_refuses_more_than_the_cid(void **state)
{
	static const char *const texts[] = {
		"QmUfSmqvAMqp6E9VwNwtjrqoTmbedM1z2k1wgKTnqZ2xk33", /* v0 with a digit more */
		"/ipfs/QmUfSmqvAMqp6E9VwNwtjrqoTmbedM1z2k1wgKTnqZ2xk3",
		"bafkqad3imvwgy3zamnwhk43umvzgm4y ",
		"bafkqad3imvwgy3zamnwhk43umvzgm4yaa",
		"fa00155000f68656c6c6f20636c75737465726673",
		"f00701220",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct cid cid;

		if (cid_parse(texts[i], strlen(texts[i]), &cid, NULL) != -EINVAL)
			fail_msg("\"%s\" is taken as a CID", texts[i]);
	}
}

static void every_cut_of_a_cid_is_refused(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "cases"), i, c) {
		uint8_t bytes[CID_BYTES_MAX];
		size_t n = vectors_hex(c, "bytes", bytes, sizeof(bytes));
		struct cid cid;

		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(-EBADMSG, cid_from_bytes(bytes, cut, &cid, NULL));
	}
}

static void prefix_len_stops_at_the_end_of_the_cid(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "cases"), i, c) {
		uint8_t bytes[CID_BYTES_MAX] = { 0 };
		size_t n = vectors_hex(c, "bytes", bytes, sizeof(bytes) - 8);

		assert_int_equal(n, cid_prefix_len(bytes, n, NULL));
		assert_int_equal(n, cid_prefix_len(bytes, n + 8, NULL));
		assert_int_equal(-EBADMSG, cid_prefix_len(bytes, n - 1, NULL));
	}
}

static void the_longest_cid_fits_and_a_longer_one_does_not(void **state)
{
	/* Version 1, raw, identity digest of a length in two bytes. */
	uint8_t bytes[CID_BYTES_MAX + 1] = { 0x01, 0x55, 0x00 };
	char text[CID_TEXT_MAX + 1];
	struct cid cid, back;
	size_t digest = CID_BYTES_MAX - 5, n;

	bytes[3] = (uint8_t)(0x80 | (digest & 0x7f));
	bytes[4] = (uint8_t)(digest >> 7);
	assert_int_equal(0, cid_from_bytes(bytes, CID_BYTES_MAX, &cid, NULL));
	n = cid_format(&cid, text);
	assert_int_equal(CID_TEXT_MAX, n);
	assert_int_equal(0, cid_parse(text, n, &back, NULL));
	assert_true(cid_equal(&cid, &back));
	digest++;
	bytes[3] = (uint8_t)(0x80 | (digest & 0x7f));
	bytes[4] = (uint8_t)(digest >> 7);
	assert_int_equal(-EBADMSG, cid_from_bytes(bytes, CID_BYTES_MAX + 1, &cid, NULL));
}

static void the_cid_of_a_block_is_the_recorded_one(void **state)
{
	size_t i, checked = 0;
	json_t *c;

	json_array_foreach (vectors_array(*state, "cases"), i, c) {
		uint8_t data[256], bytes[CID_BYTES_MAX];
		size_t n = vectors_hex(c, "bytes", bytes, sizeof(bytes));
		struct cid want, got;

		assert_int_equal(0, cid_from_bytes(bytes, n, &want, NULL));
		if (n != 36 || bytes[2] != MULTIHASH_SHA2_256)
			continue;
		n = vectors_hex(c, "data", data, sizeof(data));
		cid_of_block(cid_codec(&want), data, n, &got);
		assert_true(cid_equal(&want, &got));
		checked++;
	}
	assert_int_equal(3, checked);
}

static void copies_are_equal_and_no_cid_is_undefined(void **state)
{
	struct cid none = { 0 }, a, b;
	char text[CID_TEXT_MAX + 1];

	cid_of_block(CODEC_RAW, "a", 1, &a);
	cid_copy(&b, &a);
	assert_true(cid_equal(&a, &b));
	b.bytes[b.len - 1] ^= 1;
	assert_false(cid_equal(&a, &b));
	assert_false(cid_equal(&a, &none));
	assert_false(cid_defined(&none));
	assert_int_equal(0, cid_format(&none, text));
	assert_string_equal("", text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_bytes_give_the_recorded_text),
		cmocka_unit_test(every_recorded_text_form_is_parsed),
		cmocka_unit_test(a_wrapped_version_0_is_version_0),
		cmocka_unit_test(recorded_wrong_bytes_are_refused),
		cmocka_unit_test(recorded_wrong_texts_are_refused),
		cmocka_unit_test(parse_refuses_more_than_the_cid),
		cmocka_unit_test(every_cut_of_a_cid_is_refused),
		cmocka_unit_test(prefix_len_stops_at_the_end_of_the_cid),
		cmocka_unit_test(the_longest_cid_fits_and_a_longer_one_does_not),
		cmocka_unit_test(the_cid_of_a_block_is_the_recorded_one),
		cmocka_unit_test(copies_are_equal_and_no_cid_is_undefined),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
