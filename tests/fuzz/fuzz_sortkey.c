/*
 * Names in a delta, two keys or block names in two lines: a key that is a CID's is that CID's only
 * one, all others are apart from every CID, and CIDs sort as the reference sorts their texts.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "store/blocks.h"
#include "store/sortkey.h"
#include "types/hash.h"
#include "util/base_enc.h"
#include "util/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* 0 for a CID's key. */
static int check_key(const char *key, size_t n, struct sortkey *sk, struct cid *cid)
{
	struct buf text = BUF_INIT(0);
	struct sortkey own;
	int r = sortkey_of_delta_key(key, n, sk, cid);

	assert(r == 0 || r == 1);
	assert(sk->len > 0 && sk->len <= SORTKEY_MAX);
	assert(cid_defined(cid) == (r == 0));
	assert((sk->bytes[0] == SORTKEY_OPAQUE) == (r == 1));
	if (r == 0) {
		sortkey_of_cid(cid->bytes, cid->len, &own);
		assert(sortkey_compare(sk, &own) == 0);
		assert(buf_byte(&text, '/') == 0);
		assert(base32_upper_encode(&text, cid->bytes, cid->len) == 0);
		assert(text.len == n && memcmp(text.data, key, n) == 0);
	}
	buf_deinit(&text);
	return r;
}

/* Keys this long are cut and hashed, so that their order is that of hashes. */
static int is_cut(const struct sortkey *sk)
{
	return sk->len == 400;
}

static void check_order(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	struct sortkey x, y;
	struct cid cid;
	int keys, texts;

	if (check_key(a, a_len, &x, &cid) + check_key(b, b_len, &y, &cid) > 0 || is_cut(&x) ||
	    is_cut(&y))
		return;
	texts = memcmp(a, b, n);
	if (texts == 0)
		texts = (a_len > b_len) - (a_len < b_len);
	keys = sortkey_compare(&x, &y);
	assert((texts > 0) == (keys > 0) && (texts < 0) == (keys < 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data, *end = n ? memchr(text, '\n', n) : NULL;
	struct block_id id;

	assert(hash_init() == 0);
	block_id_of_text(text, n, &id);
	if (end)
		check_order(text, (size_t)(end - text), end + 1, n - (size_t)(end + 1 - text));
	return 0;
}
