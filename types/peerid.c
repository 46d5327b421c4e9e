#include "types/peerid.h"

#include <errno.h>
#include <string.h>

#include "types/cid.h"
#include "util/base_enc.h"
#include "util/buf.h"
#include "util/varint.h"

#define SHA2_256_LEN 32
#define QUOTE_MAX 80 /* how much of a wrong text an error message repeats */

bool peerid_equal(const struct peerid *a, const struct peerid *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

int peerid_compare(const struct peerid *a, const struct peerid *b)
{
	int r = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

	return r != 0 ? r : (int)a->len - (int)b->len;
}

int peerid_from_bytes(const uint8_t *p, size_t n, struct peerid *ret, struct err *e)
{
	uint64_t code, digest;
	int code_len, digest_len;

	if (n > PEERID_BYTES_MAX)
		return err_set(e, -EBADMSG, "a peer ID of %zu bytes is too long", n);
	code_len = varint_get(p, n, 1, &code);
	if (code_len < 0)
		return err_set(e, -EBADMSG, "malformed peer ID");
	digest_len = varint_get(p + code_len, n - (size_t)code_len, 1, &digest);
	if (digest_len < 0 || digest != n - (size_t)code_len - (size_t)digest_len)
		return err_set(e, -EBADMSG, "the length of a peer ID is wrong");
	if (code != MULTIHASH_IDENTITY && (code != MULTIHASH_SHA2_256 || digest != SHA2_256_LEN))
		return err_set(e, -EBADMSG, "a peer ID with an unknown hash");
	ret->len = (uint8_t)n;
	memcpy(ret->bytes, p, n);
	return 0;
}

static int not_a_peerid(struct err *e, const char *s, size_t n, const char *why)
{
	return err_set(e, -EINVAL, "\"%.*s\" is not a peer ID: %s",
		       (int)(n < QUOTE_MAX ? n : QUOTE_MAX), s, why);
}

int peerid_parse(const char *s, size_t n, struct peerid *ret, struct err *e)
{
	uint8_t raw[PEERID_BYTES_MAX];
	const uint8_t *hash = raw;
	struct err inner = { 0 };
	struct cid cid;
	size_t len;
	int r;

	if (n > 0 && (s[0] == '1' || (n > 1 && s[0] == 'Q' && s[1] == 'm'))) {
		r = base58_decode(s, n, raw, sizeof(raw));
		if (r < 0)
			return not_a_peerid(e, s, n, "not base58");
		len = (size_t)r;
	} else {
		if (cid_parse(s, n, &cid, NULL) < 0)
			return not_a_peerid(e, s, n, "neither base58 nor a CID");
		if (cid_codec(&cid) != CODEC_LIBP2P_KEY)
			return not_a_peerid(e, s, n, "a CID, but not of a key");
		hash = cid_multihash(&cid, &len);
	}
	if (peerid_from_bytes(hash, len, ret, &inner) < 0)
		return not_a_peerid(e, s, n, inner.msg);
	return 0;
}

size_t peerid_format(const struct peerid *id, char out[PEERID_TEXT_MAX])
{
	/* PEERID_BYTES_MAX bytes are 88 digits: the storage of the caller is always enough. */
	struct buf text = {
		.data = (uint8_t *)out,
		.cap = PEERID_TEXT_MAX - 1,
		.max = PEERID_TEXT_MAX - 1,
	};

	base58_encode(&text, id->bytes, id->len);
	out[text.len] = '\0';
	return text.len;
}

void peerid_from_ed25519(const uint8_t pub[32], struct peerid *ret)
{
	/* Identity multihash of 36 bytes: protobuf of key type 1 and 32 bytes of key. */
	static const uint8_t prefix[] = { MULTIHASH_IDENTITY, 36, 0x08, 0x01, 0x12, 32 };

	memcpy(ret->bytes, prefix, sizeof(prefix));
	memcpy(ret->bytes + sizeof(prefix), pub, 32);
	ret->len = sizeof(prefix) + 32;
}
