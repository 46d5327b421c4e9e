#include "util/base_enc.h"

#include <errno.h>
#include <stdbool.h>

#define BAD 0xff /* in the tables below: no digit */

/* The entries of a table, each computed by the compiler from its index. */
#define ONE(f, c) (uint8_t)(f(c))
#define FOUR(f, c) ONE(f, c), ONE(f, (c) + 1), ONE(f, (c) + 2), ONE(f, (c) + 3)
#define SIXTEEN(f, c) FOUR(f, c), FOUR(f, (c) + 4), FOUR(f, (c) + 8), FOUR(f, (c) + 12)
#define SIXTY_FOUR(f, c)                                                                           \
	SIXTEEN(f, c), SIXTEEN(f, (c) + 16), SIXTEEN(f, (c) + 32), SIXTEEN(f, (c) + 48)
#define HALF_K(f, c)                                                                               \
	SIXTY_FOUR(f, c), SIXTY_FOUR(f, (c) + 64), SIXTY_FOUR(f, (c) + 128),                       \
	    SIXTY_FOUR(f, (c) + 192), SIXTY_FOUR(f, (c) + 256), SIXTY_FOUR(f, (c) + 320),          \
	    SIXTY_FOUR(f, (c) + 384), SIXTY_FOUR(f, (c) + 448)
#define TABLE(f)                                                                                   \
	{                                                                                          \
		SIXTY_FOUR(f, 0), SIXTY_FOUR(f, 64), SIXTY_FOUR(f, 128), SIXTY_FOUR(f, 192)        \
	}
#define TABLE_2K(f)                                                                                \
	{                                                                                          \
		HALF_K(f, 0), HALF_K(f, 512), HALF_K(f, 1024), HALF_K(f, 1536)                     \
	}

#define IN(c, lo, hi) ((c) >= (lo) && (c) <= (hi))
#define ANY_CASE(c, hi) (IN(c, 'a', hi) || IN(c, 'A', (hi) - 'a' + 'A'))
#define DIGIT_THEN_LETTER(c, hi)                                                                   \
	(IN(c, '0', '9') ? (c) - '0' : ANY_CASE(c, hi) ? ((c) | 0x20) - 'a' + 10 : BAD)

#define VALUE_2(c) (IN(c, '0', '1') ? (c) - '0' : BAD)
#define VALUE_16(c) DIGIT_THEN_LETTER(c, 'f')
#define VALUE_32HEX(c) DIGIT_THEN_LETTER(c, 'v')
#define VALUE_36(c) DIGIT_THEN_LETTER(c, 'z')
#define VALUE_32(c) (ANY_CASE(c, 'z') ? ((c) | 0x20) - 'a' : IN(c, '2', '7') ? (c) - '2' + 26 : BAD)
/* Base58 leaves out 0, I, O and l. The two alphabets differ in which letters come first. */
#define UPPER_58(c, first)                                                                         \
	(IN(c, 'A', 'H')   ? (c) - 'A' + (first)                                                   \
	 : IN(c, 'J', 'N') ? (c) - 'J' + (first) + 8                                               \
	 : IN(c, 'P', 'Z') ? (c) - 'P' + (first) + 13                                              \
			   : BAD)
#define LOWER_58(c, first)                                                                         \
	(IN(c, 'a', 'k') ? (c) - 'a' + (first) : IN(c, 'm', 'z') ? (c) - 'm' + (first) + 11 : BAD)
#define VALUE_58(c)                                                                                \
	(IN(c, '1', '9') ? (c) - '1' : IN(c, 'A', 'Z') ? UPPER_58(c, 9) : LOWER_58(c, 33))
#define VALUE_58FLICKR(c)                                                                          \
	(IN(c, '1', '9') ? (c) - '1' : IN(c, 'a', 'z') ? LOWER_58(c, 9) : UPPER_58(c, 34))
#define ALNUM_64(c)                                                                                \
	(IN(c, 'A', 'Z')   ? (c) - 'A'                                                             \
	 : IN(c, 'a', 'z') ? (c) - 'a' + 26                                                        \
	 : IN(c, '0', '9') ? (c) - '0' + 52                                                        \
			   : BAD)
#define VALUE_64(c) ((c) == '+' ? 62 : (c) == '/' ? 63 : ALNUM_64(c))
#define VALUE_64URL(c) ((c) == '-' ? 62 : (c) == '_' ? 63 : ALNUM_64(c))

static const uint8_t value_2[256] = TABLE(VALUE_2);
static const uint8_t value_16[256] = TABLE(VALUE_16);
static const uint8_t value_32[256] = TABLE(VALUE_32);
static const uint8_t value_32hex[256] = TABLE(VALUE_32HEX);
static const uint8_t value_36[256] = TABLE(VALUE_36);
static const uint8_t value_58[256] = TABLE(VALUE_58);
static const uint8_t value_58flickr[256] = TABLE(VALUE_58FLICKR);
static const uint8_t value_64[256] = TABLE(VALUE_64);
static const uint8_t value_64url[256] = TABLE(VALUE_64URL);

/* The digits of 0 to 1023 in base 32, two each. */
#define PAIRS_32 2048
#define DIGIT_32(v, a) ((v) < 26 ? (v) + (a) : (v)-26 + '2')
#define PAIR_32(i, a) DIGIT_32((i)&1 ? (i) >> 1 & 31 : (i) >> 6, a)
#define PAIR_32_LOWER(i) PAIR_32(i, 'a')
#define PAIR_32_UPPER(i) PAIR_32(i, 'A')

static const uint8_t pairs_32_lower[PAIRS_32] = TABLE_2K(PAIR_32_LOWER);
static const uint8_t pairs_32_upper[PAIRS_32] = TABLE_2K(PAIR_32_UPPER);

static const char digits_36[] = "0123456789abcdefghijklmnopqrstuvwxyz";
static const char digits_58[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
static const char digits_64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/*
 * Encodings whose digits are whole bits.
 */

int base16_encode(struct buf *out, const uint8_t *p, size_t n)
{
	uint8_t *o;
	int r = n > SIZE_MAX / 2 ? -EFBIG : buf_reserve(out, 2 * n);

	if (r < 0)
		return r;
	o = out->data + out->len;
	for (size_t i = 0; i < n; i++) {
		*o++ = (uint8_t)digits_36[p[i] >> 4];
		*o++ = (uint8_t)digits_36[p[i] & 15];
	}
	out->len += 2 * n;
	return 0;
}

/* @pairs: the two digits of each ten bits. */
static inline void base32_group(uint8_t o[8], uint64_t bits, const uint8_t pairs[PAIRS_32])
{
	memcpy(o, &pairs[bits >> 30 << 1], 2);
	memcpy(o + 2, &pairs[(bits >> 20 & 1023) << 1], 2);
	memcpy(o + 4, &pairs[(bits >> 10 & 1023) << 1], 2);
	memcpy(o + 6, &pairs[(bits & 1023) << 1], 2);
}

static inline uint64_t load_40(const uint8_t *p)
{
	return (uint64_t)p[0] << 32 | (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 |
	       (uint64_t)p[3] << 8 | p[4];
}

static int base32_encode(struct buf *out, const uint8_t *p, size_t n, const uint8_t pairs[PAIRS_32])
{
	uint8_t *o, rest[5] = { 0 }, text[8];
	size_t len, i;
	int r;

	if (n > SIZE_MAX / 8 - 1)
		return -EFBIG;
	len = (n * 8 + 4) / 5;
	r = buf_reserve(out, len);
	if (r < 0)
		return r;
	o = out->data + out->len;
	for (i = 0; i + 5 <= n; i += 5, o += 8)
		base32_group(o, load_40(p + i), pairs);
	if (i < n) {
		memcpy(rest, p + i, n - i);
		base32_group(text, load_40(rest), pairs);
		memcpy(o, text, len % 8);
	}
	out->len += len;
	return 0;
}

int base32_lower_encode(struct buf *out, const uint8_t *p, size_t n)
{
	return base32_encode(out, p, n, pairs_32_lower);
}

int base32_upper_encode(struct buf *out, const uint8_t *p, size_t n)
{
	return base32_encode(out, p, n, pairs_32_upper);
}

int base64_encode(struct buf *out, const uint8_t *p, size_t n)
{
	size_t i, len;
	uint8_t *o;
	int r;

	if (n > SIZE_MAX / 2)
		return -EFBIG;
	len = (n + 2) / 3 * 4;
	r = buf_reserve(out, len);
	if (r < 0)
		return r;
	o = out->data + out->len;
	for (i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t bits = (uint32_t)p[i] << 16;

		if (left > 1)
			bits |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			bits |= p[i + 2];
		*o++ = (uint8_t)digits_64[bits >> 18];
		*o++ = (uint8_t)digits_64[bits >> 12 & 63];
		*o++ = left > 1 ? (uint8_t)digits_64[bits >> 6 & 63] : '=';
		*o++ = left > 2 ? (uint8_t)digits_64[bits & 63] : '=';
	}
	out->len += len;
	return 0;
}

/* @bits per digit. The bits left over at the end must be zero and too few for a digit. */
static int bits_decode(const uint8_t value[256], unsigned bits, const char *s, size_t n,
		       uint8_t *out, size_t cap)
{
	uint32_t acc = 0;
	unsigned have = 0;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t v = value[(uint8_t)s[i]];

		if (v == BAD)
			return -EINVAL;
		acc = acc << bits | v;
		have += bits;
		if (have < 8)
			continue;
		have -= 8;
		if (len == cap)
			return -EFBIG;
		out[len++] = (uint8_t)(acc >> have);
		acc &= (1u << have) - 1;
	}
	return have >= bits || acc ? -EINVAL : (int)len;
}

/* Text padded with '=' to a multiple of @group digits; the padding may not be left out. */
static int padded_decode(const uint8_t value[256], unsigned bits, size_t group, const char *s,
			 size_t n, uint8_t *out, size_t cap)
{
	size_t pad = 0;

	if (n % group)
		return -EINVAL;
	while (pad < n && pad < group && s[n - 1 - pad] == '=')
		pad++;
	return pad == group ? -EINVAL : bits_decode(value, bits, s, n - pad, out, cap);
}

int base16_decode(const char *s, size_t n, uint8_t *out, size_t cap)
{
	return bits_decode(value_16, 4, s, n, out, cap);
}

int base32_decode(const char *s, size_t n, uint8_t *out, size_t cap)
{
	const uint8_t *t = (const uint8_t *)s;
	size_t len = 0, i = 0;
	int r;

	for (; n - i >= 8 && cap - len >= 5; i += 8, len += 5) {
		uint64_t bits = 0;
		uint8_t seen = 0;

		for (size_t k = 0; k < 8; k++) {
			uint8_t v = value_32[t[i + k]];

			seen |= v;
			bits = bits << 5 | v;
		}
		if (seen & 0x80)
			return -EINVAL;
		out[len] = (uint8_t)(bits >> 32);
		out[len + 1] = (uint8_t)(bits >> 24);
		out[len + 2] = (uint8_t)(bits >> 16);
		out[len + 3] = (uint8_t)(bits >> 8);
		out[len + 4] = (uint8_t)bits;
	}
	r = bits_decode(value_32, 5, s + i, n - i, out + len, cap - len);
	return r < 0 ? r : (int)len + r;
}

int base64_decode(const char *s, size_t n, uint8_t *out, size_t cap)
{
	return padded_decode(value_64, 6, 4, s, n, out, cap);
}

/*
 * Encodings that are one big number, least significant limb first, with one zero digit in front
 * for each zero byte in front.
 */

#define LIMBS_MAX (BASE_ENC_MAX / 4 + 1)

struct radix {
	uint32_t base;
	unsigned chunk;      /* digits whose number fits 32 bits */
	uint32_t chunk_base; /* base to the power of chunk */
};

static const struct radix radix_36 = { 36, 6, 2176782336u };
static const struct radix radix_58 = { 58, 5, 656356768u };

/* Divides by @d and returns the remainder. Inlined, so that the divisor is a constant: twice as
 * fast. */
static inline __attribute__((always_inline)) uint32_t limbs_div(uint32_t *limb, size_t *used,
								uint32_t d)
{
	uint64_t rest = 0;

	for (size_t i = *used; i-- > 0;) {
		rest = rest << 32 | limb[i];
		limb[i] = (uint32_t)(rest / d);
		rest %= d;
	}
	while (*used > 0 && limb[*used - 1] == 0)
		--*used;
	return (uint32_t)rest;
}

static inline __attribute__((always_inline)) int number_encode(struct buf *out, const uint8_t *p,
							       size_t n, const struct radix *radix,
							       const char *digits)
{
	char text[BASE_ENC_MAX * 2]; /* filled from its end; base 36 needs 1.55 digits a byte */
	uint32_t limb[LIMBS_MAX];
	size_t zeros = 0, used, at = sizeof(text);

	if (n > BASE_ENC_MAX)
		return -EFBIG;
	while (zeros < n && p[zeros] == 0)
		zeros++;
	used = (n - zeros + 3) / 4;
	memset(limb, 0, used * sizeof(*limb));
	for (size_t i = 0; i < n - zeros; i++)
		limb[i / 4] |= (uint32_t)p[n - 1 - i] << (8 * (i % 4));
	while (used > 0) {
		uint32_t rest = limbs_div(limb, &used, radix->chunk_base);

		/* The most significant chunk ends with its last digit that is not zero. */
		for (unsigned k = 0; used > 0 ? k < radix->chunk : rest > 0; k++) {
			text[--at] = digits[rest % radix->base];
			rest /= radix->base;
		}
	}
	for (size_t i = 0; i < zeros; i++)
		text[--at] = digits[0];
	return buf_append(out, text + at, sizeof(text) - at);
}

int base36_lower_encode(struct buf *out, const uint8_t *p, size_t n)
{
	return number_encode(out, p, n, &radix_36, digits_36);
}

int base58_encode(struct buf *out, const uint8_t *p, size_t n)
{
	return number_encode(out, p, n, &radix_58, digits_58);
}

/* limb = limb * @mul + @add; -EFBIG when that needs more than @max limbs. */
static int limbs_mul_add(uint32_t *limb, size_t *used, size_t max, uint32_t mul, uint32_t add)
{
	uint64_t carry = add;

	for (size_t i = 0; i < *used; i++) {
		carry += (uint64_t)limb[i] * mul;
		limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry == 0)
		return 0;
	if (*used == max)
		return -EFBIG;
	limb[(*used)++] = (uint32_t)carry;
	return 0;
}

/* @zeros zero bytes, then the number, most significant byte first. */
static int limbs_store(const uint32_t *limb, size_t used, size_t zeros, uint8_t *out, size_t cap)
{
	size_t len = used * 4;

	if (used > 0)
		len -= (size_t)__builtin_clz(limb[used - 1]) / 8;
	if (zeros > cap || len > cap - zeros)
		return -EFBIG;
	memset(out, 0, zeros);
	for (size_t i = 0; i < len; i++)
		out[zeros + len - 1 - i] = (uint8_t)(limb[i / 4] >> (8 * (i % 4)));
	return (int)(zeros + len);
}

static int number_decode(const char *s, size_t n, const struct radix *radix,
			 const uint8_t value[256], uint8_t *out, size_t cap)
{
	uint32_t limb[LIMBS_MAX];
	size_t used = 0, zeros = 0, i, max = cap / 4 + 1;

	if (max > LIMBS_MAX)
		max = LIMBS_MAX;
	while (zeros < n && value[(uint8_t)s[zeros]] == 0)
		zeros++;
	for (i = zeros; i < n;) {
		uint32_t mul = 1, add = 0;

		for (unsigned k = 0; k < radix->chunk && i < n; k++, i++) {
			uint8_t v = value[(uint8_t)s[i]];

			if (v == BAD)
				return -EINVAL;
			mul *= radix->base;
			add = add * radix->base + v;
		}
		if (limbs_mul_add(limb, &used, max, mul, add) < 0)
			return -EFBIG;
	}
	return limbs_store(limb, used, zeros, out, cap);
}

int base36_decode(const char *s, size_t n, uint8_t *out, size_t cap)
{
	return number_decode(s, n, &radix_36, value_36, out, cap);
}

int base58_decode(const char *s, size_t n, uint8_t *out, size_t cap)
{
	return number_decode(s, n, &radix_58, value_58, out, cap);
}

static int identity_decode(const char *s, size_t n, uint8_t *out, size_t cap)
{
	if (n > cap || n > BASE_ENC_MAX)
		return -EFBIG;
	memcpy(out, s, n);
	return (int)n;
}

int multibase_decode(const char *s, size_t n, uint8_t *out, size_t cap)
{
	if (n == 0)
		return -EINVAL;
	switch (*s++) {
	case '\0':
		return identity_decode(s, n - 1, out, cap);
	case '0':
		return bits_decode(value_2, 1, s, n - 1, out, cap);
	case 'f':
	case 'F':
		return base16_decode(s, n - 1, out, cap);
	case 'b':
	case 'B':
		return base32_decode(s, n - 1, out, cap);
	case 'c':
	case 'C':
		return padded_decode(value_32, 5, 8, s, n - 1, out, cap);
	case 'v':
	case 'V':
		return bits_decode(value_32hex, 5, s, n - 1, out, cap);
	case 't':
	case 'T':
		return padded_decode(value_32hex, 5, 8, s, n - 1, out, cap);
	case 'k':
	case 'K':
		return base36_decode(s, n - 1, out, cap);
	case 'z':
		return base58_decode(s, n - 1, out, cap);
	case 'Z':
		return number_decode(s, n - 1, &radix_58, value_58flickr, out, cap);
	case 'm':
		return bits_decode(value_64, 6, s, n - 1, out, cap);
	case 'M':
		return base64_decode(s, n - 1, out, cap);
	case 'u':
		return bits_decode(value_64url, 6, s, n - 1, out, cap);
	case 'U':
		return padded_decode(value_64url, 6, 4, s, n - 1, out, cap);
	default:
		return -EINVAL;
	}
}
