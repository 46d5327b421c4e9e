#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "net/noise_symmetric.h"
#include "tests/unit/net/noise_fixture.h"
#include "util/varint.h"

#define YAMUX "/yamux/1.0.0"
#define PREFIX "noise-libp2p-static-key:"

static int setup(void **state)
{
	return sodium_init() < 0 ? -1 : 0;
}

/* A peer that follows the protocol but for what it says of itself. */
struct liar {
	struct identity id;
	struct noise_symmetric s;
	uint8_t fixed[32], fixed_secret[32];
	uint8_t ephemeral[32], ephemeral_secret[32];
};

static void put(struct buf *out, const void *p, size_t n)
{
	assert_int_equal(buf_append(out, p, n), 0);
}

static void put_field(struct buf *out, uint8_t number, const void *p, size_t n)
{
	uint8_t head[VARINT_MAX];

	assert_int_equal(buf_byte(out, (uint8_t)(number << 3 | 2)), 0);
	put(out, head, varint_put(head, n));
	put(out, p, n);
}

static void put_key(struct buf *out, const struct liar *l, uint8_t type, size_t size)
{
	uint8_t key[64] = { 0x08, type, 0x12, (uint8_t)size };

	memcpy(key + 4, l->id.public_key, 32);
	put_field(out, 1, key, 4 + size);
}

static void put_signature(struct buf *out, const struct liar *l, const uint8_t fixed[32],
			  size_t size)
{
	uint8_t text[sizeof(PREFIX) - 1 + 32], sig[crypto_sign_BYTES + 1] = { 0 };

	memcpy(text, PREFIX, sizeof(PREFIX) - 1);
	memcpy(text + sizeof(PREFIX) - 1, fixed, 32);
	crypto_sign_detached(sig, NULL, text, sizeof(text), l->id.secret_key);
	put_field(out, 2, sig, size);
}

static void put_identity(struct buf *out, const struct liar *l)
{
	put_key(out, l, 1, 32);
	put_signature(out, l, l->fixed, crypto_sign_BYTES);
}

/* @n muxers nobody has, then @last. */
static void put_muxers(struct buf *out, size_t n, const void *last, size_t last_len)
{
	struct buf ext = BUF_INIT(0);

	for (size_t i = 0; i < n; i++)
		put_field(&ext, 2, "/mplex/6.7.0", 12);
	if (last)
		put_field(&ext, 2, last, last_len);
	put_field(out, 4, ext.data, ext.len);
	buf_deinit(&ext);
}

static void no_extension(struct buf *out, const struct liar *l)
{
	put_identity(out, l);
}

static void yamux_alone(struct buf *out, const struct liar *l)
{
	put_identity(out, l);
	put_muxers(out, 0, YAMUX, 12);
}

static void yamux_as_the_second(struct buf *out, const struct liar *l)
{
	put_muxers(out, 1, YAMUX, 12);
	put_identity(out, l);
}

static void mplex_alone(struct buf *out, const struct liar *l)
{
	put_identity(out, l);
	put_muxers(out, 1, NULL, 0);
}

static void a_hundred_muxers(struct buf *out, const struct liar *l)
{
	put_identity(out, l);
	put_muxers(out, 99, YAMUX, 12);
}

static void a_hundred_and_one_muxers(struct buf *out, const struct liar *l)
{
	put_identity(out, l);
	put_muxers(out, 100, YAMUX, 12);
}

static void yamux_with_a_zero_behind(struct buf *out, const struct liar *l)
{
	put_identity(out, l);
	put_muxers(out, 0, YAMUX "\0x", 14);
}

static void old_data_and_certhashes(struct buf *out, const struct liar *l)
{
	put_identity(out, l);
	put_field(out, 3, "old", 3);
	put_field(out, 4, "\x0a\x01x", 3);
}

static void another_static_key_signed(struct buf *out, const struct liar *l)
{
	put_key(out, l, 1, 32);
	put_signature(out, l, l->ephemeral, crypto_sign_BYTES);
}

static void another_identity_named(struct buf *out, const struct liar *l)
{
	struct liar other = *l;

	other.id.public_key[0] ^= 1;
	put_key(out, &other, 1, 32);
	put_signature(out, l, l->fixed, crypto_sign_BYTES);
}

static void no_identity(struct buf *out, const struct liar *l)
{
	put_signature(out, l, l->fixed, crypto_sign_BYTES);
}

static void no_signature(struct buf *out, const struct liar *l)
{
	put_key(out, l, 1, 32);
}

static void short_signature(struct buf *out, const struct liar *l)
{
	put_key(out, l, 1, 32);
	put_signature(out, l, l->fixed, crypto_sign_BYTES - 1);
}

static void long_signature(struct buf *out, const struct liar *l)
{
	put_key(out, l, 1, 32);
	put_signature(out, l, l->fixed, crypto_sign_BYTES + 1);
}

static void secp256k1_key(struct buf *out, const struct liar *l)
{
	put_key(out, l, 2, 33);
	put_signature(out, l, l->fixed, crypto_sign_BYTES);
}

static void good_key_of_another_type(struct buf *out, const struct liar *l)
{
	put_key(out, l, 2, 32);
	put_signature(out, l, l->fixed, crypto_sign_BYTES);
}

static void ed25519_key_of_33_bytes(struct buf *out, const struct liar *l)
{
	put_key(out, l, 1, 33);
	put_signature(out, l, l->fixed, crypto_sign_BYTES);
}

static void ed25519_key_of_31_bytes(struct buf *out, const struct liar *l)
{
	put_key(out, l, 1, 31);
	put_signature(out, l, l->fixed, crypto_sign_BYTES);
}

static void key_without_type(struct buf *out, const struct liar *l)
{
	uint8_t key[2 + 32] = { 0x12, 32 };

	memcpy(key + 2, l->id.public_key, 32);
	put_field(out, 1, key, sizeof(key));
	put_signature(out, l, l->fixed, crypto_sign_BYTES);
}

static void malformed_key(struct buf *out, const struct liar *l)
{
	put_field(out, 1, "\x08\x01\x12\x20", 4);
	put_signature(out, l, l->fixed, crypto_sign_BYTES);
}

static void malformed_payload(struct buf *out, const struct liar *l)
{
	put_identity(out, l);
	put(out, "\x22\x7f", 2);
}

static void empty_payload(struct buf *out, const struct liar *l)
{
}

static void more_fields_than_memory(struct buf *out, const struct liar *l)
{
	put_identity(out, l);
	for (int i = 0; i < 20000; i++)
		put(out, "\x28\x00", 2);
}

static const struct {
	const char *name;
	void (*write)(struct buf *out, const struct liar *l);
	int want;
	bool yamux;
} payloads[] = {
	{ "no extension", no_extension, 0, false },
	{ "yamux alone", yamux_alone, 0, true },
	{ "yamux as the second", yamux_as_the_second, 0, true },
	{ "mplex alone", mplex_alone, 0, false },
	{ "100 muxers", a_hundred_muxers, 0, true },
	{ "101 muxers", a_hundred_and_one_muxers, 0, false },
	{ "yamux with a zero behind", yamux_with_a_zero_behind, 0, false },
	{ "old data and certhashes", old_data_and_certhashes, 0, false },
	{ "another static key signed", another_static_key_signed, -EPROTO, false },
	{ "another identity named", another_identity_named, -EPROTO, false },
	{ "no identity", no_identity, -EPROTO, false },
	{ "no signature", no_signature, -EPROTO, false },
	{ "short signature", short_signature, -EPROTO, false },
	{ "long signature", long_signature, -EPROTO, false },
	{ "secp256k1 key", secp256k1_key, -EPROTO, false },
	{ "good key of another type", good_key_of_another_type, -EPROTO, false },
	{ "Ed25519 key of 33 bytes", ed25519_key_of_33_bytes, -EPROTO, false },
	{ "Ed25519 key of 31 bytes", ed25519_key_of_31_bytes, -EPROTO, false },
	{ "key without type", key_without_type, -EPROTO, false },
	{ "malformed key", malformed_key, -EPROTO, false },
	{ "malformed payload", malformed_payload, -EPROTO, false },
	{ "empty payload", empty_payload, -EPROTO, false },
	{ "more fields than memory", more_fields_than_memory, -EPROTO, false },
};

static void liar_start(struct liar *l)
{
	static const uint8_t seed[32] = { 66 };

	memset(l, 0, sizeof(*l));
	identity_from_seed(seed, &l->id);
	crypto_box_keypair(l->fixed, l->fixed_secret);
	crypto_box_keypair(l->ephemeral, l->ephemeral_secret);
	noise_symmetric_init(&l->s);
}

static void put_length(struct buf *out, size_t at)
{
	size_t n = out->len - at - 2;

	out->data[at] = (uint8_t)(n >> 8);
	out->data[at + 1] = (uint8_t)n;
}

/* Sealed static key and payload, which the liar ends message 2 or 3 with. */
static void put_sealed(struct liar *l, const uint8_t peer[32],
		       void (*write)(struct buf *out, const struct liar *l), struct buf *out)
{
	struct buf payload = BUF_INIT(0);

	assert_int_equal(buf_reserve(&payload, 1), 0);
	write(&payload, l);
	assert_int_equal(noise_seal_and_hash(&l->s, l->fixed, 32, out), 0);
	assert_int_equal(noise_mix_dh(&l->s, l->fixed_secret, peer), 0);
	assert_int_equal(noise_seal_and_hash(&l->s, payload.data, payload.len, out), 0);
	buf_deinit(&payload);
}

/* Message 2 for the dialer that @victim is. */
static void lie_as_listener(struct liar *l, const struct end *victim,
			    void (*write)(struct buf *out, const struct liar *l), struct buf *out)
{
	const uint8_t *peer = victim->out.data + 2;
	size_t at = out->len;

	noise_mix_hash(&l->s, peer, 32);
	noise_mix_hash(&l->s, NULL, 0);
	put(out, "\0", 2);
	put(out, l->ephemeral, 32);
	noise_mix_hash(&l->s, l->ephemeral, 32);
	assert_int_equal(noise_mix_dh(&l->s, l->ephemeral_secret, peer), 0);
	put_sealed(l, peer, write, out);
	put_length(out, at);
}

/* Message 3 for the listener that @victim is, which is given message 1 here. */
static void lie_as_dialer(struct liar *l, struct end *victim,
			  void (*write)(struct buf *out, const struct liar *l), struct buf *out)
{
	struct buf opened = BUF_INIT(0);
	uint8_t first[2 + 32] = { 0, 32 };
	const uint8_t *answer;
	size_t at = out->len;

	memcpy(first + 2, l->ephemeral, 32);
	assert_int_equal(end_feed(victim, first, sizeof(first)), 0);
	answer = victim->out.data + 2;
	noise_mix_hash(&l->s, l->ephemeral, 32);
	noise_mix_hash(&l->s, NULL, 0);
	noise_mix_hash(&l->s, answer, 32);
	assert_int_equal(noise_mix_dh(&l->s, l->ephemeral_secret, answer), 0);
	assert_int_equal(noise_open_and_hash(&l->s, answer + 32, 48, &opened), 0);
	assert_int_equal(noise_mix_dh(&l->s, l->ephemeral_secret, opened.data), 0);
	assert_int_equal(noise_open_and_hash(&l->s, answer + 80, victim->out.len - 2 - 80, &opened),
			 0);
	put(out, "\0", 2);
	put_sealed(l, answer, write, out);
	put_length(out, at);
	buf_deinit(&opened);
}

/* One byte at a time; stops at the first failure. */
static int trickle(struct end *end, const struct buf *b)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->len; i++)
		r = end_feed(end, b->data + i, 1);
	return r;
}

static void check_payload(size_t i, bool dialer, bool slowly)
{
	struct buf message = BUF_INIT(0);
	struct end victim;
	struct liar liar;
	size_t sent;
	int r;

	liar_start(&liar);
	end_start(&victim, 1, dialer, NULL);
	if (dialer)
		lie_as_listener(&liar, &victim, payloads[i].write, &message);
	else
		lie_as_dialer(&liar, &victim, payloads[i].write, &message);
	sent = victim.out.len;
	r = slowly ? trickle(&victim, &message) : end_feed(&victim, message.data, message.len);
	if (r != payloads[i].want)
		fail_msg("%s, %s: %d", payloads[i].name, dialer ? "dialer" : "listener", r);
	if (r < 0) {
		assert_failed(&victim, sent);
	} else {
		assert_int_equal(noise_state(victim.n), NOISE_OPEN);
		assert_true(peerid_equal(noise_peer(victim.n), &liar.id.id));
		if (noise_has_yamux(victim.n) != payloads[i].yamux)
			fail_msg("%s: yamux is wrong", payloads[i].name);
	}
	end_stop(&victim);
	identity_clear(&liar.id);
	buf_deinit(&message);
}

static void what_a_peer_says_of_itself_is_checked_by_both_roles(void **state)
{
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		check_payload(i, true, false);
		check_payload(i, true, true);
		check_payload(i, false, false);
		check_payload(i, false, true);
	}
}

static void a_weak_static_key_is_refused(void **state)
{
	static const uint8_t weak[][32] = { { 0 }, { 1 } };

	for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
		for (int dialer = 0; dialer <= 1; dialer++) {
			struct buf message = BUF_INIT(0);
			struct err e = { 0 };
			struct liar liar;
			struct end end;
			size_t sent;

			liar_start(&liar);
			memcpy(liar.fixed, weak[i], 32);
			end_start(&end, 1, dialer, NULL);
			if (dialer)
				lie_as_listener(&liar, &end, no_extension, &message);
			else
				lie_as_dialer(&liar, &end, no_extension, &message);
			sent = end.out.len;
			assert_int_equal(
			    noise_feed(end.n, message.data, message.len, &end.out, &end.plain, &e),
			    -EPROTO);
			assert_non_null(strstr(e.msg, "weak"));
			assert_failed(&end, sent);
			end_stop(&end);
			identity_clear(&liar.id);
			buf_deinit(&message);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_peer_says_of_itself_is_checked_by_both_roles),
		cmocka_unit_test(a_weak_static_key_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
