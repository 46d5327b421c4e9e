#include "types/identity.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "util/base_enc.h"
#include "util/varint.h"

#define KEY_TYPE_ED25519 1
#define SEED_LEN crypto_sign_SEEDBYTES
#define PUBLIC_LEN crypto_sign_PUBLICKEYBYTES
#define SECRET_LEN crypto_sign_SECRETKEYBYTES /* seed, public key */
#define OLD_LEN (SECRET_LEN + PUBLIC_LEN)     /* an old form repeats the public key */
#define PRIVATE_KEY_MAX 256 /* bytes of the protobuf; a longer one is no Ed25519 key */

/* Fields of the PrivateKey message. */
#define FIELD_TYPE 1
#define FIELD_DATA 2

struct private_key {
	bool has_type;
	uint64_t type;
	const uint8_t *data; /* inside the decoded message */
	size_t len;
};

static int identity_take_secret(struct identity *id, const uint8_t secret[SECRET_LEN],
				struct err *e)
{
	id->secret_key = sodium_malloc(SECRET_LEN);
	if (!id->secret_key)
		return err_sys(e, -ENOMEM, "guarded memory for the private key");
	memcpy(id->secret_key, secret, SECRET_LEN);
	memcpy(id->public_key, secret + SEED_LEN, PUBLIC_LEN);
	peerid_from_ed25519(id->public_key, &id->id);
	return 0;
}

int identity_generate(struct identity *ret, struct err *e)
{
	uint8_t public[PUBLIC_LEN], secret[SECRET_LEN];
	int r;

	crypto_sign_keypair(public, secret);
	r = identity_take_secret(ret, secret, e);
	sodium_memzero(secret, sizeof(secret));
	return r;
}

/* Reads one field at *@at and moves on. Unknown fields are skipped. */
static int private_key_field(const uint8_t *p, size_t n, size_t *at, struct private_key *key)
{
	uint64_t tag, v;
	int r = varint_get(p + *at, n - *at, 0, &tag);

	if (r < 0)
		return r;
	*at += (size_t)r;
	switch (tag & 7) {
	case 0: /* varint */
		r = varint_get(p + *at, n - *at, 0, &v);
		if (r < 0)
			return r;
		*at += (size_t)r;
		if (tag >> 3 == FIELD_TYPE) {
			key->has_type = true;
			key->type = v;
		}
		return 0;
	case 2: /* length and bytes */
		r = varint_get(p + *at, n - *at, 0, &v);
		if (r < 0 || v > n - *at - (size_t)r)
			return -EBADMSG;
		*at += (size_t)r;
		if (tag >> 3 == FIELD_DATA) {
			key->data = p + *at;
			key->len = (size_t)v;
		}
		*at += (size_t)v;
		return 0;
	default:
		return -EBADMSG;
	}
}

static int private_key_decode(const uint8_t *p, size_t n, struct private_key *key, struct err *e)
{
	for (size_t at = 0; at < n;) {
		if (private_key_field(p, n, &at, key) < 0)
			return err_set(e, -EINVAL, "private_key: malformed key");
	}
	if (!key->has_type || !key->data)
		return err_set(e, -EINVAL, "private_key: the key is incomplete");
	if (key->type != KEY_TYPE_ED25519)
		return err_set(e, -EINVAL, "private_key: only Ed25519 keys are supported");
	if (key->len != SECRET_LEN && key->len != OLD_LEN)
		return err_set(e, -EINVAL, "private_key: an Ed25519 key has %d bytes, not %zu",
			       SECRET_LEN, key->len);
	if (key->len == OLD_LEN &&
	    sodium_memcmp(key->data + SECRET_LEN, key->data + SEED_LEN, PUBLIC_LEN) != 0)
		return err_set(e, -EINVAL, "private_key: the two copies of the public key differ");
	return 0;
}

/* Whether the public half is the one that the seed gives. */
static int check_pair(const uint8_t secret[SECRET_LEN], struct err *e)
{
	uint8_t public[PUBLIC_LEN], again[SECRET_LEN];
	int differ;

	crypto_sign_seed_keypair(public, again, secret);
	differ = sodium_memcmp(again, secret, SECRET_LEN);
	sodium_memzero(again, sizeof(again));
	return differ ? err_set(e, -EINVAL, "private_key: its public half is not its own") : 0;
}

static int identity_from_private_key(const char *text, struct identity *ret, struct err *e)
{
	uint8_t raw[PRIVATE_KEY_MAX];
	struct private_key key = { 0 };
	int r = base64_decode(text, strlen(text), raw, sizeof(raw));

	if (r < 0) {
		r = err_set(e, -EINVAL, "private_key: %s",
			    r == -EFBIG ? "too long for an Ed25519 key" : "not base64");
		goto out;
	}
	r = private_key_decode(raw, (size_t)r, &key, e);
	if (r == 0)
		r = check_pair(key.data, e);
	if (r == 0)
		r = identity_take_secret(ret, key.data, e);
out:
	sodium_memzero(raw, sizeof(raw));
	return r;
}

int identity_parse(const char *id, const char *private_key, struct identity *ret, struct err *e)
{
	char text[PEERID_TEXT_MAX];
	struct peerid want;
	int r = peerid_parse(id, strlen(id), &want, e);

	if (r < 0)
		return err_wrap(e, r, "id");
	r = identity_from_private_key(private_key, ret, e);
	if (r < 0)
		return r;
	if (peerid_equal(&want, &ret->id))
		return 0;
	peerid_format(&ret->id, text);
	identity_clear(ret);
	return err_set(e, -EINVAL, "id: the private key belongs to %s", text);
}

int identity_private_key(const struct identity *id, struct buf *out)
{
	static const uint8_t prefix[] = { 0x08, KEY_TYPE_ED25519, 0x12, SECRET_LEN };
	uint8_t raw[sizeof(prefix) + SECRET_LEN];
	int r;

	memcpy(raw, prefix, sizeof(prefix));
	memcpy(raw + sizeof(prefix), id->secret_key, SECRET_LEN);
	r = base64_encode(out, raw, sizeof(raw));
	sodium_memzero(raw, sizeof(raw));
	return r;
}

void identity_clear(struct identity *id)
{
	sodium_free(id->secret_key); /* wipes it */
	*id = (struct identity){ 0 };
}
