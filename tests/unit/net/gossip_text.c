#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/vectors.h"
#include "tests/unit/net/gossip_text.h"
#include "types/hash.h"

#define put(b, ...) assert_int_equal(0, buf_printf((b), __VA_ARGS__))

static struct identity identities[FIXTURE_PEERS];

const struct identity *fixture_identity(unsigned peer)
{
	struct identity *id = &identities[peer];
	uint8_t seed[crypto_sign_SEEDBYTES] = { (uint8_t)peer };

	assert_true(peer < FIXTURE_PEERS);
	if (id->secret_key)
		return id;
	assert_int_equal(0, hash_init());
	id->secret_key = sodium_malloc(crypto_sign_SECRETKEYBYTES);
	crypto_sign_seed_keypair(id->public_key, id->secret_key, seed);
	peerid_from_ed25519(id->public_key, &id->id);
	return id;
}

unsigned fixture_number(const struct peerid *id)
{
	for (unsigned p = 0; p < FIXTURE_PEERS; p++)
		if (peerid_equal(id, &fixture_identity(p)->id))
			return p;
	fail_msg("a peer that is none");
	return 0;
}

void fixture_signer(json_t *root, struct identity *ret)
{
	uint8_t seed[crypto_sign_SEEDBYTES];

	assert_int_equal(0, hash_init());
	assert_int_equal(sizeof(seed),
			 vectors_hex(json_object_get(root, "signer"), "seed", seed, sizeof(seed)));
	ret->secret_key = sodium_malloc(crypto_sign_SECRETKEYBYTES);
	crypto_sign_seed_keypair(ret->public_key, ret->secret_key, seed);
	peerid_from_ed25519(ret->public_key, &ret->id);
}

/* ---- ids and frames as text ---- */

static void put_id(struct buf *out, const struct gossip_id *id)
{
	uint64_t seqno = 0;

	for (size_t i = GOSSIP_ID_BYTES - GOSSIP_SEQNO_BYTES; i < GOSSIP_ID_BYTES; i++)
		seqno = seqno << 8 | id->bytes[i];
	for (unsigned p = 0; p < FIXTURE_PEERS; p++)
		if (memcmp(fixture_identity(p)->id.bytes, id->bytes,
			   GOSSIP_ID_BYTES - GOSSIP_SEQNO_BYTES) == 0) {
			put(out, "%u.%" PRIu64, p, seqno);
			return;
		}
	for (size_t i = 0; i < GOSSIP_ID_BYTES; i++)
		put(out, "%02x", id->bytes[i]);
}

static void get_id(const char *text, struct gossip_id *ret)
{
	unsigned peer;
	uint64_t seqno;

	assert_int_equal(2, sscanf(text, "%u.%" SCNu64, &peer, &seqno));
	memcpy(ret->bytes, fixture_identity(peer)->id.bytes, GOSSIP_ID_BYTES - GOSSIP_SEQNO_BYTES);
	for (int i = GOSSIP_ID_BYTES; i-- > GOSSIP_ID_BYTES - GOSSIP_SEQNO_BYTES; seqno >>= 8)
		ret->bytes[i] = (uint8_t)seqno;
}

static void text_subscription(void *arg, struct gossip_bytes topic, bool subscribe)
{
	put(arg, "%c%.*s ", subscribe ? '+' : '-', (int)topic.n, (const char *)topic.p);
}

static void text_message(void *arg, const struct gossip_message *m)
{
	struct gossip_id id;
	struct peerid author;

	put(arg, "msg ");
	if (gossip_message_author(m, &author) == 0) {
		gossip_message_id(m, &id);
		put_id(arg, &id);
	}
	put(arg, "=%.*s ", (int)m->data.n, (const char *)m->data.p);
}

static void text_ihave(void *arg, struct gossip_bytes topic, const struct gossip_id *id)
{
	put(arg, "have %.*s ", (int)topic.n, (const char *)topic.p);
	put_id(arg, id);
	put(arg, " ");
}

static void text_iwant(void *arg, const struct gossip_id *id)
{
	put(arg, "want ");
	put_id(arg, id);
	put(arg, " ");
}

static void text_graft(void *arg, struct gossip_bytes topic)
{
	put(arg, "graft %.*s ", (int)topic.n, (const char *)topic.p);
}

static void text_prune(void *arg, struct gossip_bytes topic, uint64_t backoff_s)
{
	put(arg, "prune %.*s %" PRIu64 " ", (int)topic.n, (const char *)topic.p, backoff_s);
}

static void text_idontwant(void *arg, const struct gossip_id *id)
{
	put(arg, "dontwant ");
	put_id(arg, id);
	put(arg, " ");
}

int fixture_read(const uint8_t *frame, size_t n, struct buf *text)
{
	static const struct gossip_rpc_events events = {
		text_subscription, text_message, text_ihave,     text_iwant,
		text_graft,        text_prune,   text_idontwant,
	};
	struct err e = { 0 };
	int r = gossip_rpc_read(frame, n, &events, text, &e);

	assert_int_equal(r, e.code);
	if (text->len > 0)
		text->len--; /* the last space */
	assert_int_equal(0, buf_terminate(text));
	return r;
}

static struct gossip_bytes bytes_of(const char *s)
{
	return (struct gossip_bytes){ (const uint8_t *)s, strlen(s) };
}

void fixture_write(const char *text, struct buf *frame)
{
	char *copy = strdup(text), *save = NULL, *word;

	assert_non_null(copy);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		struct gossip_rpc_control c = { 0 };
		struct gossip_id id;

		if (*word == '+' || *word == '-') {
			struct gossip_bytes topic = bytes_of(word + 1);
			size_t at = frame->len + 2; /* behind tag and length */

			assert_int_equal(0, gossip_rpc_subscriptions(&topic, 1, frame));
			at += frame->data[at - 1] >> 7;
			assert_int_equal(0x08, frame->data[at]); /* then: whether it is so */
			frame->data[at + 1] = *word == '+';
			continue;
		} else if (strcmp(word, "graft") == 0) {
			c.graft[c.n_graft++] = bytes_of(strtok_r(NULL, " ", &save));
		} else if (strcmp(word, "prune") == 0) {
			c.prune[c.n_prune++] = bytes_of(strtok_r(NULL, " ", &save));
			c.backoff_s = strtoull(strtok_r(NULL, " ", &save), NULL, 10);
		} else if (strcmp(word, "have") == 0) {
			c.ihave[0].topic = bytes_of(strtok_r(NULL, " ", &save));
			c.ihave[0].ids = &id;
			c.ihave[0].n = 1;
			c.n_ihave = 1;
		} else if (strcmp(word, "want") == 0) {
			c.iwant = &id;
			c.n_iwant = 1;
		} else {
			assert_string_equal("dontwant", word);
			c.idontwant = &id;
			c.n_idontwant = 1;
		}
		if (c.n_ihave + c.n_iwant + c.n_idontwant > 0)
			get_id(strtok_r(NULL, " ", &save), &id);
		assert_int_equal(0, gossip_rpc_control(&c, frame));
	}
	free(copy);
}

void fixture_message(unsigned author, uint64_t seqno, const char *topic, const void *data, size_t n,
		     struct buf *frame)
{
	const struct identity *self = fixture_identity(author);
	uint8_t number[GOSSIP_SEQNO_BYTES], signature[64];
	struct gossip_message m = {
		.from = { self->id.bytes, self->id.len },
		.data = { data, n },
		.seqno = { number, sizeof(number) },
		.topic = bytes_of(topic),
	};

	for (int i = GOSSIP_SEQNO_BYTES; i-- > 0; seqno >>= 8)
		number[i] = (uint8_t)seqno;
	assert_int_equal(0, gossip_message_sign(&m, self, signature));
	assert_int_equal(0, gossip_rpc_message(&m, frame));
}
