#include "types/cid.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "util/base_enc.h"
#include "util/varint.h"

#define V0_LEN 34 /* of the binary form: 0x12, 0x20, a digest */
#define V0_TEXT_LEN 46
#define SHA2_256_LEN 32

/* How much of a wrong text an error message repeats. */
#define QUOTE_MAX 80

bool cid_equal(const struct cid *a, const struct cid *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

void cid_copy(struct cid *dst, const struct cid *src)
{
	dst->len = src->len;
	memcpy(dst->bytes, src->bytes, src->len);
}

/* Reads a varint at *@at and moves on. */
static int next_varint(const uint8_t *p, size_t n, size_t *at, uint64_t *ret)
{
	int r = varint_get(p + *at, n - *at, 1, ret);

	if (r < 0)
		return r;
	*at += (size_t)r;
	return 0;
}

int cid_prefix_len(const uint8_t *p, size_t n, struct err *e)
{
	uint64_t version, codec, hash, digest;
	size_t at = 0;

	if (n >= 2 && p[0] == MULTIHASH_SHA2_256 && p[1] == SHA2_256_LEN)
		return n >= V0_LEN ? V0_LEN : err_set(e, -EBADMSG, "a version 0 CID is cut");
	if (next_varint(p, n, &at, &version) < 0)
		return err_set(e, -EBADMSG, "malformed CID version");
	if (version != 1)
		return err_set(e, -EBADMSG, "unknown CID version %llu",
			       (unsigned long long)version);
	if (next_varint(p, n, &at, &codec) < 0 || next_varint(p, n, &at, &hash) < 0 ||
	    next_varint(p, n, &at, &digest) < 0)
		return err_set(e, -EBADMSG, "malformed CID");
	if (digest > n - at)
		return err_set(e, -EBADMSG, "the digest of a CID is cut");
	if (digest > CID_BYTES_MAX - at)
		return err_set(e, -EBADMSG, "a CID is longer than %d bytes", CID_BYTES_MAX);
	return (int)(at + (size_t)digest);
}

static int check_bytes(const uint8_t *p, size_t n, struct err *e)
{
	int r = cid_prefix_len(p, n, e);

	if (r >= 0 && (size_t)r != n)
		return err_set(e, -EBADMSG, "%zu bytes follow a CID", n - (size_t)r);
	return r < 0 ? r : 0;
}

int cid_from_bytes(const uint8_t *p, size_t n, struct cid *ret, struct err *e)
{
	int r = check_bytes(p, n, e);

	if (r < 0)
		return r;
	ret->len = (uint16_t)n;
	memcpy(ret->bytes, p, n);
	return 0;
}

static int not_a_cid(struct err *e, const char *s, size_t n, const char *why)
{
	return err_set(e, -EINVAL, "\"%.*s\" is not a CID: %s",
		       (int)(n < QUOTE_MAX ? n : QUOTE_MAX), s, why);
}

int cid_parse(const char *s, size_t n, struct cid *ret, struct err *e)
{
	struct err inner;
	bool v0 = n == V0_TEXT_LEN && s[0] == 'Q' && s[1] == 'm';
	int r;

	ret->len = 0;
	if (n < 2)
		return not_a_cid(e, s, n, "too short");
	if (v0)
		r = base58_decode(s, n, ret->bytes, sizeof(ret->bytes));
	else
		r = multibase_decode(s, n, ret->bytes, sizeof(ret->bytes));
	if (r == -EFBIG)
		return not_a_cid(e, s, n, "too long");
	if (r < 0)
		return not_a_cid(e, s, n, "not a text form of a CID");
	if (check_bytes(ret->bytes, (size_t)r, e ? &inner : NULL) < 0)
		return not_a_cid(e, s, n, e ? inner.msg : "");
	if (v0 && r != V0_LEN)
		return not_a_cid(e, s, n, "not a sha2-256 multihash");
	ret->len = (uint16_t)r;
	return 0;
}

size_t cid_format(const struct cid *c, char out[CID_TEXT_MAX + 1])
{
	/* Every CID fits, so the buffer never leaves the storage of the caller. */
	struct buf text = { .data = (uint8_t *)out, .cap = CID_TEXT_MAX, .max = CID_TEXT_MAX };

	if (cid_defined(c) && cid_version(c) == 0)
		base58_encode(&text, c->bytes, c->len);
	else if (cid_defined(c) && buf_byte(&text, 'b') == 0)
		base32_lower_encode(&text, c->bytes, c->len);
	out[text.len] = '\0';
	return text.len;
}

unsigned cid_version(const struct cid *c)
{
	return c->bytes[0] == MULTIHASH_SHA2_256 ? 0 : 1;
}

uint64_t cid_codec(const struct cid *c)
{
	uint64_t codec = CODEC_DAG_PB;

	if (cid_version(c) == 1)
		varint_get(c->bytes + 1, c->len - 1u, 1, &codec);
	return codec;
}

const uint8_t *cid_multihash(const struct cid *c, size_t *ret_len)
{
	size_t skip = cid_version(c) == 1 ? 1 + varint_len(cid_codec(c)) : 0;

	*ret_len = c->len - skip;
	return c->bytes + skip;
}

void cid_of_block(uint64_t codec, const void *data, size_t n, struct cid *ret)
{
	size_t at = 0;

	ret->bytes[at++] = 1;
	at += varint_put(ret->bytes + at, codec);
	ret->bytes[at++] = MULTIHASH_SHA2_256;
	ret->bytes[at++] = SHA2_256_LEN;
	crypto_hash_sha256(ret->bytes + at, data, n);
	ret->len = (uint16_t)(at + SHA2_256_LEN);
}
