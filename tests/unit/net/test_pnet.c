#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>

#include "net/pnet.h"
#include "tests/lib/pieces.h"
#include "tests/lib/vectors.h"

#define BYTES_MAX 4096

/* One direction of a recorded connection. */
struct recorded {
	uint8_t key[PNET_KEY];
	uint8_t wire[BYTES_MAX], plain[BYTES_MAX];
	size_t n_wire, n_plain;
};

static int setup(void **state)
{
	*state = vectors_load("pnet.json");
	return sodium_init() < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	json_decref(*state);
	return 0;
}

static void load(json_t *root, json_t *direction, struct recorded *ret)
{
	json_t *w;
	size_t i;

	assert_int_equal(vectors_hex(root, "psk", ret->key, PNET_KEY), PNET_KEY);
	ret->n_wire = vectors_hex(direction, "nonce", ret->wire, PNET_NONCE);
	assert_int_equal(ret->n_wire, PNET_NONCE);
	ret->n_plain = 0;
	json_array_foreach (vectors_array(direction, "writes"), i, w) {
		assert_int_equal(ret->n_plain,
				 json_integer_value(json_object_get(w, "stream_offset")));
		ret->n_plain += vectors_hex(w, "plaintext", ret->plain + ret->n_plain,
					    BYTES_MAX - ret->n_plain);
		ret->n_wire +=
		    vectors_hex(w, "ciphertext", ret->wire + ret->n_wire, BYTES_MAX - ret->n_wire);
	}
	assert_int_equal(ret->n_wire, ret->n_plain + PNET_NONCE);
}

/* Decrypts [from, to) of @data and appends it to what came before. */
static size_t decrypt(struct pnet *p, uint8_t *data, size_t from, size_t to, uint8_t *out, size_t n)
{
	size_t nonce = pnet_decrypt(p, data + from, to - from);

	assert_true(nonce <= to - from);
	memcpy(out + n, data + from + nonce, to - from - nonce);
	return n + to - from - nonce;
}

static void recorded_bytes_are_decrypted_however_they_are_cut(void **state)
{
	json_t *direction;
	size_t i;

	json_array_foreach (vectors_array(*state, "directions"), i, direction) {
		struct recorded r;

		load(*state, direction, &r);
		for (size_t cut = 0; cut <= r.n_wire; cut++) {
			uint8_t data[BYTES_MAX], got[BYTES_MAX];
			struct pnet p;
			size_t n;

			memcpy(data, r.wire, r.n_wire);
			pnet_init(&p, r.key);
			n = decrypt(&p, data, 0, cut, got, 0);
			n = decrypt(&p, data, cut, r.n_wire, got, n);
			assert_int_equal(n, r.n_plain);
			assert_memory_equal(got, r.plain, n);
			pnet_clear(&p);
		}
	}
}

static void what_is_sent_is_what_was_recorded(void **state)
{
	json_t *direction, *whole;
	size_t i;

	json_array_foreach (vectors_array(*state, "directions"), i, direction) {
		uint8_t wire[BYTES_MAX];
		struct recorded r;

		load(*state, direction, &r);
		whole = json_object_get(direction, "wire");
		if (whole) {
			assert_int_equal(vectors_hex(direction, "wire", wire, sizeof(wire)),
					 r.n_wire);
			assert_memory_equal(wire, r.wire, r.n_wire);
		}
		for (size_t cut = 0; cut <= r.n_plain; cut++) {
			uint8_t data[BYTES_MAX];
			struct pnet p;

			memcpy(data, r.plain, r.n_plain);
			pnet_init(&p, r.key);
			memcpy(p.out.nonce, r.wire, PNET_NONCE);
			pnet_encrypt(&p, data, cut);
			pnet_encrypt(&p, data + cut, r.n_plain - cut);
			assert_memory_equal(data, r.wire + PNET_NONCE, r.n_plain);
		}
	}
}

static void the_keystream_is_the_recorded_one(void **state)
{
	json_t *direction = json_array_get(vectors_array(*state, "directions"), 0);
	uint8_t want[160], got[160] = { 0 };
	struct recorded r;
	struct pnet p;

	load(*state, direction, &r);
	assert_int_equal(vectors_hex(direction, "keystream_first_160", want, sizeof(want)), 160);
	pnet_init(&p, r.key);
	memcpy(p.out.nonce, r.wire, PNET_NONCE);
	for (size_t i = 0; i < sizeof(got); i++)
		pnet_encrypt(&p, got + i, 1);
	assert_memory_equal(got, want, sizeof(want));
}

static void two_ends_understand_each_other_through_random_pieces(void **state)
{
	static const uint8_t key[PNET_KEY] = { 1, 2, 3 };
	uint8_t sent[BYTES_MAX], wire[PNET_NONCE + BYTES_MAX], got[BYTES_MAX];

	for (uint32_t round = 1; round <= 100; round++) {
		uint32_t seed = round;
		struct pnet a, b;
		size_t n = 0, part;

		randombytes_buf_deterministic(sent, sizeof(sent), key);
		pnet_init(&a, key);
		pnet_init(&b, key);
		memcpy(wire, a.out.nonce, PNET_NONCE);
		memcpy(wire + PNET_NONCE, sent, sizeof(sent));
		for (size_t at = 0; at < sizeof(sent); at += part) {
			part = pieces_next(&seed, sizeof(sent) - at);
			pnet_encrypt(&a, wire + PNET_NONCE + at, part);
		}
		assert_memory_not_equal(wire + PNET_NONCE, sent, sizeof(sent));
		for (size_t at = 0; at < sizeof(wire); at += part) {
			part = pieces_next(&seed, sizeof(wire) - at);
			n = decrypt(&b, wire, at, at + part, got, n);
		}
		assert_int_equal(n, sizeof(sent));
		assert_memory_equal(got, sent, sizeof(sent));
	}
}

static void the_counter_goes_on_behind_4_gib(void **state)
{
	static const uint8_t key[PNET_KEY] = { 7 };
	const uint64_t at = (UINT64_C(1) << 32) * 64 + 63;
	uint8_t got[2] = { 0 }, blocks[128] = { 0 };
	struct pnet p;

	pnet_init(&p, key);
	p.out.at = at;
	pnet_encrypt(&p, got, sizeof(got));
	crypto_stream_xsalsa20_xor_ic(blocks, blocks, sizeof(blocks), p.out.nonce, at / 64, key);
	assert_memory_equal(got, blocks + 63, 2);
	assert_true(p.out.at == at + 2);
}

static void each_connection_has_a_nonce_of_its_own(void **state)
{
	static const uint8_t key[PNET_KEY] = { 0 };
	struct pnet a, b;

	pnet_init(&a, key);
	pnet_init(&b, key);
	assert_memory_not_equal(a.out.nonce, b.out.nonce, PNET_NONCE);
}

static void another_key_gives_garbage(void **state)
{
	json_t *direction = json_array_get(vectors_array(*state, "directions"), 0);
	struct recorded r;
	struct pnet p;

	load(*state, direction, &r);
	r.key[31] ^= 1;
	pnet_init(&p, r.key);
	assert_int_equal(pnet_decrypt(&p, r.wire, r.n_wire), PNET_NONCE);
	assert_memory_not_equal(r.wire + PNET_NONCE, r.plain, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_bytes_are_decrypted_however_they_are_cut),
		cmocka_unit_test(what_is_sent_is_what_was_recorded),
		cmocka_unit_test(the_keystream_is_the_recorded_one),
		cmocka_unit_test(two_ends_understand_each_other_through_random_pieces),
		cmocka_unit_test(the_counter_goes_on_behind_4_gib),
		cmocka_unit_test(each_connection_has_a_nonce_of_its_own),
		cmocka_unit_test(another_key_gives_garbage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
