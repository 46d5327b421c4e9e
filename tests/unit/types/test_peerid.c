#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/vectors.h"
#include "types/peerid.h"

static int setup(void **state)
{
	*state = vectors_load("identity.json");
	return 0;
}

static int teardown(void **state)
{
	json_decref(*state);
	return 0;
}

static void recorded_peer_ids_have_their_recorded_forms(void **state)
{
	static const char *const forms[] = { "peer_id_base58", "peer_id_cid_base32",
					     "peer_id_cid_base36" };
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "cases"), i, c) {
		uint8_t bytes[PEERID_BYTES_MAX], pub[32];
		size_t n = vectors_hex(c, "peer_id_bytes", bytes, sizeof(bytes));
		struct peerid want, got;
		char text[PEERID_TEXT_MAX];

		assert_int_equal(0, peerid_from_bytes(bytes, n, &want, NULL));
		assert_int_equal(52, peerid_format(&want, text));
		assert_string_equal(vectors_str(c, "peer_id_base58"), text);
		assert_int_equal(32, vectors_hex(c, "public_key", pub, sizeof(pub)));
		peerid_from_ed25519(pub, &got);
		assert_true(peerid_equal(&want, &got));
		for (size_t k = 0; k < sizeof(forms) / sizeof(*forms); k++) {
			const char *s = vectors_str(c, forms[k]);

			assert_int_equal(0, peerid_parse(s, strlen(s), &got, NULL));
			assert_true(peerid_equal(&want, &got));
		}
	}
}

static void the_hash_of_a_big_key_is_a_peer_id(void **state)
{
	json_t *c = json_object_get(*state, "rsa_style_peer_id");
	const char *s = vectors_str(c, "text");
	uint8_t bytes[PEERID_BYTES_MAX];
	size_t n = vectors_hex(c, "bytes", bytes, sizeof(bytes));
	struct peerid parsed, id;
	char text[PEERID_TEXT_MAX];

	assert_int_equal(0, peerid_from_bytes(bytes, n, &id, NULL));
	assert_int_equal(0, peerid_parse(s, strlen(s), &parsed, NULL));
	assert_true(peerid_equal(&id, &parsed));
	peerid_format(&id, text);
	assert_string_equal(s, text);
}

static void recorded_wrong_texts_are_refused(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "invalid_peer_id_text"), i, c) {
		const char *s = vectors_str(c, "text");
		struct err e = { 0 };
		struct peerid id;

		if (peerid_parse(s, strlen(s), &id, &e) != -EINVAL)
			fail_msg("\"%s\" is taken as a peer ID", s);
		assert_int_equal(-EINVAL, e.code);
	}
}

static void bytes_that_are_no_peer_id_are_refused(void **state)
{
	static const char *const texts[] = {
		"",                                       /* nothing */
		"00",                                     /* no length */
		"8000",                                   /* not the shortest form */
		"0002ab",                                 /* cut */
		"0001abcd",                               /* a byte more */
		"1203aabbcc",                             /* a sha2-256 digest has 32 bytes */
		"d50110d41d8cd98f00b204e9800998ecf8427e", /* MD5 */
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		uint8_t bytes[PEERID_BYTES_MAX];
		int n = base16_decode(texts[i], strlen(texts[i]), bytes, sizeof(bytes));
		struct peerid id;

		assert_true(n >= 0);
		if (peerid_from_bytes(bytes, (size_t)n, &id, NULL) != -EBADMSG)
			fail_msg("\"%s\" is taken as a peer ID", texts[i]);
	}
}

static void the_longest_peer_id_fits_its_text(void **state)
{
	uint8_t bytes[PEERID_BYTES_MAX + 1] = { 0, PEERID_BYTES_MAX - 2 };
	char text[PEERID_TEXT_MAX];
	struct peerid id, back;
	size_t n;

	memset(bytes + 2, 0xff, sizeof(bytes) - 2);
	assert_int_equal(0, peerid_from_bytes(bytes, PEERID_BYTES_MAX, &id, NULL));
	n = peerid_format(&id, text);
	assert_true(n < PEERID_TEXT_MAX);
	assert_int_equal(0, peerid_parse(text, n, &back, NULL));
	assert_true(peerid_equal(&id, &back));
	bytes[1]++;
	assert_int_equal(-EBADMSG, peerid_from_bytes(bytes, sizeof(bytes), &id, NULL));
}

static void peer_ids_are_in_the_order_of_their_bytes(void **state)
{
	static const struct peerid order[] = { { 0 },
					       { 1, { 0 } },
					       { 2, { 0, 9 } },
					       { 3, { 0, 9, 0 } },
					       { 2, { 0x12, 1 } },
					       { 1, { 0xff } } };
	size_t n = sizeof(order) / sizeof(order[0]);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			int r = peerid_compare(&order[i], &order[k]);

			assert_int_equal((i > k) - (i < k), (r > 0) - (r < 0));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_peer_ids_have_their_recorded_forms),
		cmocka_unit_test(the_hash_of_a_big_key_is_a_peer_id),
		cmocka_unit_test(recorded_wrong_texts_are_refused),
		cmocka_unit_test(bytes_that_are_no_peer_id_are_refused),
		cmocka_unit_test(the_longest_peer_id_fits_its_text),
		cmocka_unit_test(peer_ids_are_in_the_order_of_their_bytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
