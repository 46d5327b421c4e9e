#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>

#include "tests/lib/vectors.h"
#include "types/identity.h"

static int setup(void **state)
{
	*state = vectors_load("identity.json");
	return sodium_init() < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	json_decref(*state);
	return 0;
}

/* What the recorded signatures are over. The file's sign_message_ascii names another text, over
 * which none of them verifies. */
static const char signed_message[] = "clusterfs";

static void check_private_key(const struct identity *id, const char *want)
{
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, identity_private_key(id, &out));
	assert_int_equal(0, buf_terminate(&out));
	assert_string_equal(want, (const char *)out.data);
	buf_deinit(&out);
}

static void recorded_identities_are_read_and_written_back(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "cases"), i, c) {
		const char *key = vectors_str(c, "private_key_base64");
		uint8_t pub[32], secret[64], want[64], got[64];
		struct identity id = { 0 };

		assert_int_equal(0,
				 identity_parse(vectors_str(c, "peer_id_base58"), key, &id, NULL));
		vectors_hex(c, "public_key", pub, sizeof(pub));
		vectors_hex(c, "secret_key_64", secret, sizeof(secret));
		assert_memory_equal(pub, id.public_key, sizeof(pub));
		assert_memory_equal(secret, id.secret_key, sizeof(secret));
		check_private_key(&id, key);
		vectors_hex(c, "signature", want, sizeof(want));
		crypto_sign_detached(got, NULL, (const uint8_t *)signed_message,
				     strlen(signed_message), id.secret_key);
		assert_memory_equal(want, got, sizeof(want));
		identity_clear(&id);
		assert_null(id.secret_key);
	}
}

static void the_old_form_is_read_and_the_new_one_written(void **state)
{
	json_t *c = json_object_get(*state, "legacy_96");
	json_t *alice = json_array_get(vectors_array(*state, "cases"), 0);
	struct identity id;

	assert_int_equal(0, identity_parse(vectors_str(c, "peer_id_base58"),
					   vectors_str(c, "private_key_base64"), &id, NULL));
	check_private_key(&id, vectors_str(alice, "private_key_base64"));
	identity_clear(&id);
}

static void recorded_wrong_keys_are_refused(void **state)
{
	json_t *alice = json_array_get(vectors_array(*state, "cases"), 0), *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "invalid_private_keys"), i, c) {
		struct identity id;
		struct err e = { 0 };
		int r = identity_parse(vectors_str(alice, "peer_id_base58"),
				       vectors_str(c, "private_key_base64"), &id, &e);

		if (r != -EINVAL)
			fail_msg("%s: %d", vectors_str(c, "reason"), r);
		assert_memory_equal("private_key: ", e.msg, 13);
	}
}

static void a_key_of_somebody_else_is_refused(void **state)
{
	json_t *cases = vectors_array(*state, "cases");
	json_t *alice = json_array_get(cases, 0), *bob = json_array_get(cases, 1);
	struct identity id;
	struct err e = { 0 };

	assert_int_equal(-EINVAL, identity_parse(vectors_str(alice, "peer_id_base58"),
						 vectors_str(bob, "private_key_base64"), &id, &e));
	assert_non_null(strstr(e.msg, vectors_str(bob, "peer_id_base58")));
	assert_null(id.secret_key);
}

static void a_public_half_that_is_not_the_seeds_is_refused(void **state)
{
	json_t *cases = vectors_array(*state, "cases");
	json_t *alice = json_array_get(cases, 0), *bob = json_array_get(cases, 1);
	uint8_t raw[68], other[32];
	struct buf key = BUF_INIT(0);
	struct identity id;
	struct err e = { 0 };

	vectors_hex(alice, "private_key_protobuf", raw, sizeof(raw));
	vectors_hex(bob, "public_key", other, sizeof(other));
	memcpy(raw + 36, other, sizeof(other));
	assert_int_equal(0, base64_encode(&key, raw, sizeof(raw)));
	assert_int_equal(0, buf_terminate(&key));
	assert_int_equal(-EINVAL, identity_parse(vectors_str(bob, "peer_id_base58"),
						 (const char *)key.data, &id, &e));
	assert_non_null(strstr(e.msg, "public half"));
	buf_deinit(&key);
}

static void malformed_keys_are_refused(void **state)
{
	json_t *alice = json_array_get(vectors_array(*state, "cases"), 0);
	static const char *const keys[] = {
		"",
		"CAESQ",
		"not base64!",
		"CAE=",             /* no data */
		"EgA=",             /* no type */
		"CAESAA==",         /* empty data */
		"CAES//////////8=", /* a length beyond the end */
		"CAEb",             /* a group */
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct identity id;
		struct err e = { 0 };

		if (identity_parse(vectors_str(alice, "peer_id_base58"), keys[i], &id, &e) !=
		    -EINVAL)
			fail_msg("\"%s\" is taken as a key", keys[i]);
	}
}

static void unknown_fields_of_a_key_are_skipped(void **state)
{
	json_t *alice = json_array_get(vectors_array(*state, "cases"), 0);
	/* field 3: varint 300; field 4: two bytes */
	uint8_t raw[75] = { 0x18, 0xac, 0x02, 0x22, 0x02, 'x', 'y' };
	struct buf key = BUF_INIT(0);
	struct identity id;

	vectors_hex(alice, "private_key_protobuf", raw + 7, sizeof(raw) - 7);
	assert_int_equal(0, base64_encode(&key, raw, sizeof(raw)));
	assert_int_equal(0, buf_terminate(&key));
	assert_int_equal(0, identity_parse(vectors_str(alice, "peer_id_base58"),
					   (const char *)key.data, &id, NULL));
	identity_clear(&id);
	buf_deinit(&key);
}

static void generated_identities_differ_and_come_back(void **state)
{
	struct identity a, b, back;
	char text[PEERID_TEXT_MAX];
	struct buf key = BUF_INIT(0);

	assert_int_equal(0, identity_generate(&a, NULL));
	assert_int_equal(0, identity_generate(&b, NULL));
	assert_false(peerid_equal(&a.id, &b.id));
	peerid_format(&a.id, text);
	assert_int_equal(0, identity_private_key(&a, &key));
	assert_int_equal(0, buf_terminate(&key));
	assert_int_equal(0, identity_parse(text, (const char *)key.data, &back, NULL));
	assert_memory_equal(a.secret_key, back.secret_key, 64);
	identity_clear(&back);
	identity_clear(&b);
	identity_clear(&a);
	buf_deinit(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_identities_are_read_and_written_back),
		cmocka_unit_test(the_old_form_is_read_and_the_new_one_written),
		cmocka_unit_test(recorded_wrong_keys_are_refused),
		cmocka_unit_test(a_key_of_somebody_else_is_refused),
		cmocka_unit_test(a_public_half_that_is_not_the_seeds_is_refused),
		cmocka_unit_test(malformed_keys_are_refused),
		cmocka_unit_test(unknown_fields_of_a_key_are_skipped),
		cmocka_unit_test(generated_identities_differ_and_come_back),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
