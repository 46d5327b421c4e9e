#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/base_enc.h"

typedef int encode_fn(struct buf *out, const uint8_t *p, size_t n);
typedef int decode_fn(const char *s, size_t n, uint8_t *out, size_t cap);

struct encoding {
	const char *name;
	encode_fn *encode;
	decode_fn *decode;
};

static const struct encoding encodings[] = {
	{ "base16", base16_encode, base16_decode },
	{ "base32", base32_lower_encode, base32_decode },
	{ "base32 upper", base32_upper_encode, base32_decode },
	{ "base36", base36_lower_encode, base36_decode },
	{ "base58", base58_encode, base58_decode },
	{ "base64", base64_encode, base64_decode },
};

#define EACH(item, array) for (size_t item = 0; item < sizeof(array) / sizeof(*(array)); item++)

static void encode_gives_the_known_text(void **state)
{
	static const struct {
		encode_fn *encode;
		const char *bytes, *text;
	} cases[] = {
		/* RFC 4648, section 10 */
		{ base64_encode, "", "" },
		{ base64_encode, "f", "Zg==" },
		{ base64_encode, "fo", "Zm8=" },
		{ base64_encode, "foobar", "Zm9vYmFy" },
		{ base32_upper_encode, "f", "MY" },
		{ base32_upper_encode, "fo", "MZXQ" },
		{ base32_upper_encode, "foo", "MZXW6" },
		{ base32_upper_encode, "foob", "MZXW6YQ" },
		{ base32_upper_encode, "fooba", "MZXW6YTB" },
		{ base32_lower_encode, "foobar", "mzxw6ytboi" },
		{ base16_encode, "foobar", "666f6f626172" },
		/* multibase test tables */
		{ base36_lower_encode, "yes mani !", "2lcpzo5yikidynfl" },
		{ base58_encode, "yes mani !", "7paNL19xttacUY" },
		{ base58_encode, "", "" },
	};

	EACH(i, cases)
	{
		struct buf out = BUF_INIT(0);

		assert_int_equal(0, cases[i].encode(&out, (const uint8_t *)cases[i].bytes,
						    strlen(cases[i].bytes)));
		assert_int_equal(0, buf_terminate(&out));
		assert_string_equal(cases[i].text, (const char *)out.data);
		buf_deinit(&out);
	}
}

/* A fixed stream of bytes that are neither equal nor in order (xorshift32). */
static void fill(uint8_t *p, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 17;
		seed ^= seed << 5;
		p[i] = (uint8_t)seed;
	}
}

static void round_trip(const struct encoding *enc, const uint8_t *p, size_t n)
{
	uint8_t back[512];
	struct buf out = BUF_INIT(0);
	int r;

	assert_int_equal(0, buf_str(&out, "kept"));
	assert_int_equal(0, enc->encode(&out, p, n));
	assert_memory_equal("kept", out.data, 4);
	r = enc->decode((const char *)out.data + 4, out.len - 4, back, n);
	if (r != (int)n || memcmp(back, p, n) != 0)
		fail_msg("%s of %zu bytes does not come back", enc->name, n);
	if (n > 0)
		assert_int_equal(-EFBIG,
				 enc->decode((const char *)out.data + 4, out.len - 4, back, n - 1));
	buf_deinit(&out);
}

static void decode_gives_back_every_length(void **state)
{
	uint8_t bytes[300];

	EACH(i, encodings)
	{
		for (size_t n = 0; n <= sizeof(bytes); n++) {
			fill(bytes, n, 0x9e3779b9u + (uint32_t)n);
			round_trip(&encodings[i], bytes, n);
		}
	}
}

static void zero_bytes_in_front_are_kept(void **state)
{
	uint8_t bytes[40];

	EACH(i, encodings)
	{
		for (size_t zeros = 0; zeros <= sizeof(bytes); zeros++) {
			memset(bytes, 0xff, sizeof(bytes));
			memset(bytes, 0, zeros);
			round_trip(&encodings[i], bytes, sizeof(bytes));
		}
	}
}

static void decode_takes_only_its_alphabet(void **state)
{
	static const struct {
		decode_fn *decode;
		const char *alphabet;
		size_t n; /* of a valid text in which the digit stands */
	} cases[] = {
		{ base16_decode, "0123456789abcdefABCDEF", 2 },
		{ base32_decode, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16 },
		{ base36_decode, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
		  9 },
		{ base58_decode, "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", 9 },
		{ base64_decode, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		  8 },
	};

	EACH(i, cases)
	{
		for (int c = 0; c < 256; c++) {
			bool member = c != 0 && strchr(cases[i].alphabet, c);
			char text[16];
			uint8_t out[16];
			int r;

			memset(text, cases[i].alphabet[0], sizeof(text));
			text[1] = (char)c;
			r = cases[i].decode(text, cases[i].n, out, sizeof(out));
			if (member != (r >= 0) || (!member && r != -EINVAL))
				fail_msg("case %zu, byte %d: %d", i, c, r);
		}
	}
}

static void decode_refuses_what_no_encoder_writes(void **state)
{
	static const struct {
		decode_fn *decode;
		const char *text;
	} cases[] = {
		{ base16_decode, "f" }, /* half a byte */
		{ base32_decode, "m" }, /* too few digits for a byte */
		{ base32_decode, "mzx" },
		{ base32_decode, "mzxw6y" },
		{ base32_decode, "mz" }, /* bits behind the last byte */
		{ base32_decode, "mzxw6ytbm" },
		{ base32_decode, "my======" },
		{ base64_decode, "Zg" }, /* no padding */
		{ base64_decode, "Zg=" },
		{ base64_decode, "Zh==" }, /* bits behind the last byte */
		{ base64_decode, "Zm9=" },
		{ base64_decode, "Z===" },
		{ base64_decode, "====" },
		{ base64_decode, "Zg==Zg==" },
		{ base64_decode, "Zm9v\n" },
		{ multibase_decode, "" },
		{ multibase_decode, "xabc" },
		{ multibase_decode, "mZg==" },
		{ multibase_decode, "MZg" },
		{ multibase_decode, "m-_-_" },
		{ multibase_decode, "u+/+/" },
		{ multibase_decode, "cmy" },
		{ multibase_decode, "c========" },
		{ multibase_decode, "01111" },
		{ multibase_decode, "vw0" },
	};

	EACH(i, cases)
	{
		uint8_t out[64];
		int r = cases[i].decode(cases[i].text, strlen(cases[i].text), out, sizeof(out));

		if (r != -EINVAL)
			fail_msg("\"%s\" gives %d", cases[i].text, r);
	}
}

static void multibase_knows_the_bases_by_their_prefix(void **state)
{
	/* multibase test tables: "yes mani !" in every base */
	static const char *const texts[] = {
		"001111001011001010111001100100000011011010110000101101110011010010010000000100001",
		"f796573206d616e692021",
		"F796573206D616E692021",
		"bpfsxgidnmfxgsibb",
		"BPFSXGIDNMFXGSIBB",
		"vf5in683dc5n6i811",
		"VF5IN683DC5N6I811",
		"cpfsxgidnmfxgsibb",
		"tf5in683dc5n6i811",
		"k2lcpzo5yikidynfl",
		"K2LCPZO5YIKIDYNFL",
		"z7paNL19xttacUY",
		"Z7Pznk19XTTzBtx",
		"meWVzIG1hbmkgIQ",
		"MeWVzIG1hbmkgIQ==",
		"ueWVzIG1hbmkgIQ",
		"UeWVzIG1hbmkgIQ==",
	};
	uint8_t out[64];

	EACH(i, texts)
	{
		int r = multibase_decode(texts[i], strlen(texts[i]), out, sizeof(out));

		if (r != 10 || memcmp(out, "yes mani !", 10) != 0)
			fail_msg("\"%s\" gives %d", texts[i], r);
	}
	assert_int_equal(2, multibase_decode("\0hi", 3, out, sizeof(out)));
	assert_memory_equal("hi", out, 2);
}

static void the_quadratic_encodings_are_bounded(void **state)
{
	size_t digits = 3 * BASE_ENC_MAX;
	uint8_t *bytes = calloc(2, BASE_ENC_MAX);
	char *text = malloc(digits);
	struct buf out = BUF_INIT(0);

	assert_non_null(bytes);
	assert_non_null(text);
	memset(bytes, 0xff, 2 * BASE_ENC_MAX);
	assert_int_equal(-EFBIG, base58_encode(&out, bytes, BASE_ENC_MAX + 1));
	assert_int_equal(-EFBIG, base36_lower_encode(&out, bytes, BASE_ENC_MAX + 1));
	assert_int_equal(0, out.len);
	assert_int_equal(0, base36_lower_encode(&out, bytes, BASE_ENC_MAX));
	assert_int_equal(BASE_ENC_MAX,
			 base36_decode((const char *)out.data, out.len, bytes, 2 * BASE_ENC_MAX));
	memset(text, 'z', digits);
	assert_int_equal(-EFBIG, base58_decode(text, digits, bytes, 2 * BASE_ENC_MAX));
	assert_int_equal(-EFBIG, base36_decode(text, digits, bytes, 2 * BASE_ENC_MAX));
	buf_deinit(&out);
	free(text);
	free(bytes);
}

static void encode_into_a_full_buffer_changes_nothing(void **state)
{
	static const uint8_t bytes[5] = "abcde";

	EACH(i, encodings)
	{
		struct buf out = BUF_INIT(6);

		assert_int_equal(0, buf_str(&out, "12"));
		assert_int_equal(-EFBIG, encodings[i].encode(&out, bytes, sizeof(bytes)));
		assert_int_equal(2, out.len);
		assert_memory_equal("12", out.data, 2);
		buf_deinit(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encode_gives_the_known_text),
		cmocka_unit_test(decode_gives_back_every_length),
		cmocka_unit_test(zero_bytes_in_front_are_kept),
		cmocka_unit_test(decode_takes_only_its_alphabet),
		cmocka_unit_test(decode_refuses_what_no_encoder_writes),
		cmocka_unit_test(multibase_knows_the_bases_by_their_prefix),
		cmocka_unit_test(the_quadratic_encodings_are_bounded),
		cmocka_unit_test(encode_into_a_full_buffer_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
