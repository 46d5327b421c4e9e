#include "net/noise_payload.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "net/noise.h"
#include "noise.pb-c.h"
#include "types/pb_memory.h"
#include "util/bump.h"

#define PREFIX "noise-libp2p-static-key:"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define YAMUX "/yamux/1.0.0"
#define KEY_TYPE_ED25519 1
#define PUBLIC_KEY_MAX 64 /* encoded */

/* What the identity key signs. */
static void signed_text(const uint8_t static_key[32], uint8_t out[PREFIX_LEN + 32])
{
	memcpy(out, PREFIX, PREFIX_LEN);
	memcpy(out + PREFIX_LEN, static_key, 32);
}

int noise_payload_write(const struct identity *self, const uint8_t static_key[32], struct buf *out)
{
	uint8_t key[32], encoded_key[PUBLIC_KEY_MAX], sig[crypto_sign_BYTES];
	uint8_t text[PREFIX_LEN + 32], yamux[] = YAMUX;
	Noise__HandshakePayload payload = NOISE__HANDSHAKE_PAYLOAD__INIT;
	Noise__Extensions extensions = NOISE__EXTENSIONS__INIT;
	Noise__PublicKey public_key = NOISE__PUBLIC_KEY__INIT;
	ProtobufCBinaryData muxer = { sizeof(yamux) - 1, yamux };
	int r;

	memcpy(key, self->public_key, sizeof(key));
	public_key.type = KEY_TYPE_ED25519;
	public_key.data = (ProtobufCBinaryData){ sizeof(key), key };
	payload.has_identity_key = true;
	payload.identity_key.len = noise__public_key__pack(&public_key, encoded_key);
	payload.identity_key.data = encoded_key;

	signed_text(static_key, text);
	crypto_sign_detached(sig, NULL, text, sizeof(text), self->secret_key);
	payload.has_identity_sig = true;
	payload.identity_sig = (ProtobufCBinaryData){ sizeof(sig), sig };

	extensions.n_stream_muxers = 1;
	extensions.stream_muxers = &muxer;
	payload.extensions = &extensions;

	r = buf_reserve(out, noise__handshake_payload__get_packed_size(&payload));
	if (r == 0)
		out->len += noise__handshake_payload__pack(&payload, out->data + out->len);
	return r;
}

static int undecodable(const struct bump *b, const char *what, struct err *e)
{
	if (b->err == -ENOMEM)
		return err_sys(e, b->err, "%s", what);
	return err_set(e, -EPROTO, "%s is malformed", what);
}

static int read_key(const Noise__HandshakePayload *payload, struct bump *b, const uint8_t **ret,
		    struct err *e)
{
	ProtobufCAllocator allocator = pb_memory(b);
	Noise__PublicKey *key;

	if (!payload->has_identity_key)
		return err_set(e, -EPROTO, "the peer names no identity");
	key = noise__public_key__unpack(&allocator, payload->identity_key.len,
					payload->identity_key.data);
	if (!key)
		return undecodable(b, "the peer's identity key", e);
	if (key->type != KEY_TYPE_ED25519)
		return err_set(e, -EPROTO, "the peer's identity key is not Ed25519");
	if (key->data.len != crypto_sign_PUBLICKEYBYTES)
		return err_set(e, -EPROTO, "an Ed25519 key of %zu bytes", key->data.len);
	*ret = key->data.data;
	return 0;
}

static int check_signature(const Noise__HandshakePayload *payload, const uint8_t key[32],
			   const uint8_t static_key[32], struct err *e)
{
	uint8_t text[PREFIX_LEN + 32];

	if (!payload->has_identity_sig || payload->identity_sig.len != crypto_sign_BYTES)
		return err_set(e, -EPROTO, "the peer's identity is not signed");
	signed_text(static_key, text);
	if (crypto_sign_verify_detached(payload->identity_sig.data, text, sizeof(text), key) < 0)
		return err_set(e, -EPROTO, "the signature of the peer's identity is wrong");
	return 0;
}

static bool names_yamux(const Noise__Extensions *ext)
{
	if (!ext || ext->n_stream_muxers > NOISE_MUXERS_MAX)
		return false;
	for (size_t i = 0; i < ext->n_stream_muxers; i++) {
		const ProtobufCBinaryData *name = &ext->stream_muxers[i];

		if (name->len == strlen(YAMUX) && memcmp(name->data, YAMUX, name->len) == 0)
			return true;
	}
	return false;
}

int noise_payload_read(const uint8_t *p, size_t n, const uint8_t static_key[32],
		       struct peerid *ret_peer, bool *ret_yamux, struct err *e)
{
	struct bump b = { .left = NOISE_PAYLOAD_MEMORY };
	ProtobufCAllocator allocator = pb_memory(&b);
	Noise__HandshakePayload *payload = noise__handshake_payload__unpack(&allocator, n, p);
	const uint8_t *key = NULL;
	int r;

	if (!payload) {
		r = undecodable(&b, "the payload of the handshake", e);
		goto out_free;
	}
	r = read_key(payload, &b, &key, e);
	if (r == 0)
		r = check_signature(payload, key, static_key, e);
	if (r == 0) {
		peerid_from_ed25519(key, ret_peer);
		*ret_yamux = names_yamux(payload->extensions);
	}
out_free:
	bump_free_all(b.chunks);
	return r;
}
