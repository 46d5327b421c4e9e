#include "net/gossip_message.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#define AUTHOR_IN_ID (GOSSIP_ID_BYTES - GOSSIP_SEQNO_BYTES)
#define KEY_LEN crypto_sign_PUBLICKEYBYTES
#define HASH_LEN 2u /* bytes of a peer ID before the key that it holds */

int gossip_message_author(const struct gossip_message *m, struct peerid *ret)
{
	if (m->from.n < GOSSIP_FROM_MIN || m->seqno.n != GOSSIP_SEQNO_BYTES)
		return -EBADMSG;
	return peerid_from_bytes(m->from.p, m->from.n, ret, NULL);
}

void gossip_message_id(const struct gossip_message *m, struct gossip_id *ret)
{
	assert(m->from.n >= GOSSIP_FROM_MIN && m->seqno.n == GOSSIP_SEQNO_BYTES);
	memcpy(ret->bytes, m->from.p, AUTHOR_IN_ID);
	memcpy(ret->bytes + AUTHOR_IN_ID, m->seqno.p, GOSSIP_SEQNO_BYTES);
}

/* The author's key, which its ID holds; where the message names one too, it is that one. */
static const uint8_t *author_key(const struct gossip_message *m)
{
	const uint8_t *key = m->from.p + m->from.n - KEY_LEN;
	struct peerid id;

	peerid_from_ed25519(key, &id);
	if (m->from.n != id.len || memcmp(m->from.p, id.bytes, id.len) != 0)
		return NULL;
	if (m->key.p &&
	    (m->key.n != id.len - HASH_LEN || memcmp(m->key.p, id.bytes + HASH_LEN, m->key.n) != 0))
		return NULL;
	return key;
}

int gossip_message_verify(const struct gossip_message *m)
{
	struct buf text = BUF_INIT(0);
	const uint8_t *key;
	int r;

	if (m->from.n < GOSSIP_FROM_MIN || m->signature.n != crypto_sign_BYTES)
		return -EBADMSG;
	key = author_key(m);
	if (!key)
		return -EBADMSG;
	r = gossip_rpc_signed(m, &text);
	if (r == 0 && crypto_sign_verify_detached(m->signature.p, text.data, text.len, key) < 0)
		r = -EBADMSG;
	buf_deinit(&text);
	return r;
}

int gossip_message_sign(struct gossip_message *m, const struct identity *self,
			uint8_t signature[crypto_sign_BYTES])
{
	struct buf text = BUF_INIT(0);
	int r = gossip_rpc_signed(m, &text);

	if (r < 0)
		return r;
	crypto_sign_detached(signature, NULL, text.data, text.len, self->secret_key);
	m->signature = (struct gossip_bytes){ signature, crypto_sign_BYTES };
	buf_deinit(&text);
	return 0;
}
