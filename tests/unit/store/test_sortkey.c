#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "store/sortkey.h"
#include "util/base_enc.h"

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void text_of(const uint8_t *p, size_t n, struct buf *out)
{
	buf_reset(out);
	assert_int_equal(0, base32_upper_encode(out, p, n));
	assert_int_equal(0, buf_terminate(out));
}

static int compare_keys(const uint8_t *a, size_t na, const uint8_t *b, size_t nb)
{
	struct sortkey ka, kb;

	sortkey_of_cid(a, na, &ka);
	sortkey_of_cid(b, nb, &kb);
	return sign(sortkey_compare(&ka, &kb));
}

/* Random bytes, the second often the first with a change or a cut. */
static void keys_sort_as_their_base32_texts(void **state)
{
	struct buf ta = BUF_INIT(0), tb = BUF_INIT(0);

	for (int i = 0; i < 20000; i++) {
		uint8_t a[48], b[48];
		size_t na = 1 + randombytes_uniform(sizeof(a)), nb = na;

		randombytes_buf(a, sizeof(a));
		memcpy(b, a, sizeof(b));
		if (i % 3 == 0)
			nb = 1 + randombytes_uniform(sizeof(b));
		if (i % 3 != 2)
			b[randombytes_uniform((uint32_t)nb)] ^=
			    (uint8_t)(1u << randombytes_uniform(8));
		text_of(a, na, &ta);
		text_of(b, nb, &tb);
		assert_int_equal(sign(strcmp((char *)ta.data, (char *)tb.data)),
				 compare_keys(a, na, b, nb));
	}
	buf_deinit(&ta);
	buf_deinit(&tb);
}

static void digits_sort_before_letters(void **state)
{
	/* "7AAA.." and "AAAA..": by bytes it would be the other way round */
	static const uint8_t digit[5] = { 0xf8 }, letter[5] = { 0 };

	assert_int_equal(-1, compare_keys(digit, 5, letter, 5));
}

static void long_cids_have_short_keys_that_differ(void **state)
{
	uint8_t a[CID_BYTES_MAX] = { 1 }, b[CID_BYTES_MAX] = { 1 };
	struct sortkey ka, kb;

	b[CID_BYTES_MAX - 1] = 1;
	sortkey_of_cid(a, sizeof(a), &ka);
	sortkey_of_cid(b, sizeof(b), &kb);
	assert_int_equal(400, ka.len);
	assert_int_equal(400, kb.len);
	assert_int_not_equal(0, sortkey_compare(&ka, &kb));
	sortkey_of_cid(a, 400, &ka);
	sortkey_of_cid(a, 401, &kb);
	assert_int_equal(400, ka.len);
	assert_int_equal(400, kb.len);
	assert_int_not_equal(0, sortkey_compare(&ka, &kb));
}

static void only_canonical_delta_keys_are_cids(void **state)
{
	static const struct {
		const char *form;
		int opaque;
	} cases[] = { { "/%s", 0 }, { "%s", 1 }, { "//%s", 1 }, { "/%s/x", 1 }, { "/%s=", 1 } };
	struct buf text = BUF_INIT(0);
	struct cid cid, got;
	struct sortkey want, key;

	cid_of_block(CODEC_RAW, "x", 1, &cid);
	sortkey_of_cid(cid.bytes, cid.len, &want);
	text_of(cid.bytes, cid.len, &text);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf k = BUF_INIT(0);

		for (const char *c = cases[i].form; *c; c++)
			assert_int_equal(0, *c == '%'   ? buf_str(&k, (char *)text.data)
					    : *c == 's' ? 0
							: buf_byte(&k, (uint8_t)*c));
		assert_int_equal(cases[i].opaque,
				 sortkey_of_delta_key((char *)k.data, k.len, &key, &got));
		assert_int_equal(cases[i].opaque, !cid_defined(&got));
		assert_int_equal(cases[i].opaque, sortkey_compare(&key, &want) != 0);
		assert_int_equal(cases[i].opaque, key.bytes[0] == SORTKEY_OPAQUE);
		buf_deinit(&k);
	}
	buf_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_sort_as_their_base32_texts),
		cmocka_unit_test(digits_sort_before_letters),
		cmocka_unit_test(long_cids_have_short_keys_that_differ),
		cmocka_unit_test(only_canonical_delta_keys_are_cids),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
