#include "store/sortkey.h"

#include <string.h>

#include "types/hash.h"
#include "util/base_enc.h"

#define SORTKEY_PLAIN_MAX 400
#define SORTKEY_PREFIX 368

/* Five bytes are eight groups of five bits; adds 6 to each, mod 32. */
static uint64_t shift_groups(uint64_t v)
{
	uint64_t out = 0;

	for (int bit = 35; bit >= 0; bit -= 5)
		out |= (((v >> bit) + 6) & 31) << bit;
	return out;
}

/* Writes the @n bytes as shifted groups, as far as SORTKEY_PLAIN_MAX goes; returns the full length.
 */
static size_t encode(const uint8_t *p, size_t n, uint8_t out[SORTKEY_PLAIN_MAX + 5])
{
	static const uint8_t tail_bytes[5] = { 0, 2, 3, 4, 5 }, tail_groups[5] = { 0, 2, 4, 5, 7 };
	size_t o = 0;

	for (; n > 0 && o <= SORTKEY_PLAIN_MAX; o += 5) {
		size_t k = n < 5 ? n : 5;
		uint64_t v = 0;

		for (size_t i = 0; i < 5; i++)
			v = v << 8 | (i < k ? p[i] : 0);
		v = shift_groups(v);
		if (k < 5) /* groups that the text does not have */
			v &= ~0ULL << (40 - 5 * tail_groups[k]);
		for (size_t i = 0; i < 5; i++)
			out[o + i] = (uint8_t)(v >> (32 - 8 * i));
		p += k;
		n -= k;
		if (k < 5)
			return o + tail_bytes[k];
	}
	return o;
}

void sortkey_of_cid(const uint8_t *cid, size_t n, struct sortkey *ret)
{
	uint8_t key[SORTKEY_PLAIN_MAX + 5];
	size_t len = encode(cid, n, key);

	if (len <= SORTKEY_PLAIN_MAX) {
		memcpy(ret->bytes, key, len);
		ret->len = (uint16_t)len;
		return;
	}
	memcpy(ret->bytes, key, SORTKEY_PREFIX);
	hash_blake2b(ret->bytes + SORTKEY_PREFIX, 32, cid, n);
	ret->len = SORTKEY_PREFIX + 32;
}

static int is_cid_key(const char *key, size_t n, struct cid *ret_cid)
{
	struct buf back = BUF_INIT(2 * CID_TEXT_MAX);
	uint8_t bytes[CID_BYTES_MAX];
	int len, same;

	if (n < 2 || key[0] != '/')
		return 0;
	len = base32_decode(key + 1, n - 1, bytes, sizeof(bytes));
	if (len <= 0 || cid_from_bytes(bytes, (size_t)len, ret_cid, NULL) < 0)
		return 0;
	same = base32_upper_encode(&back, bytes, (size_t)len) == 0 && back.len == n - 1 &&
	       memcmp(back.data, key + 1, n - 1) == 0;
	buf_deinit(&back);
	return same;
}

int sortkey_of_delta_key(const char *key, size_t n, struct sortkey *ret, struct cid *ret_cid)
{
	if (is_cid_key(key, n, ret_cid)) {
		sortkey_of_cid(ret_cid->bytes, ret_cid->len, ret);
		return 0;
	}
	ret_cid->len = 0;
	ret->bytes[0] = SORTKEY_OPAQUE;
	hash_blake2b(ret->bytes + 1, 32, key, n);
	ret->len = 33;
	return 1;
}

int sortkey_compare(const struct sortkey *a, const struct sortkey *b)
{
	int c = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

	return c ? c : (int)a->len - (int)b->len;
}
