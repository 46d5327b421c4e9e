#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/vectors.h"
#include "tests/unit/net/gossip_text.h"
#include "util/container.h"

#define CAP 4096

/* A message with storage of its own. */
struct owned {
	struct gossip_message m;
	uint8_t from[64], data[CAP], seqno[8], topic[64], signature[64], key[64];
};

static struct gossip_bytes owned_bytes(json_t *v, const char *key, uint8_t *out, size_t cap)
{
	return (struct gossip_bytes){ out, vectors_hex(v, key, out, cap) };
}

static void load(json_t *v, struct owned *o)
{
	const char *topic = vectors_str(v, "topic");

	o->m = (struct gossip_message){ 0 };
	o->m.from = owned_bytes(v, "from", o->from, sizeof(o->from));
	o->m.data = owned_bytes(v, "data", o->data, sizeof(o->data));
	o->m.seqno = owned_bytes(v, "seqno", o->seqno, sizeof(o->seqno));
	o->m.signature = owned_bytes(v, "signature", o->signature, sizeof(o->signature));
	memcpy(o->topic, topic, strlen(topic));
	o->m.topic = (struct gossip_bytes){ o->topic, strlen(topic) };
}

static void load_first(struct owned *o)
{
	json_t *root = vectors_load("gossipsub.json");

	load(json_array_get(vectors_array(root, "cases"), 0), o);
	json_decref(root);
}

static void assert_hex(json_t *v, const char *key, const void *p, size_t n)
{
	uint8_t want[CAP];

	assert_int_equal(vectors_hex(v, key, want, sizeof(want)), n);
	assert_memory_equal(want, p, n);
}

static void the_recorded_messages_are_signed_and_written_as_recorded(void **state)
{
	json_t *root = vectors_load("gossipsub.json"), *v;
	struct identity self;
	size_t i;

	fixture_signer(root, &self);
	json_array_foreach (vectors_array(root, "cases"), i, v) {
		struct buf out = BUF_INIT(0);
		uint8_t signature[64];
		struct owned o;

		load(v, &o);
		o.m.signature = (struct gossip_bytes){ 0 };
		assert_int_equal(0, gossip_rpc_signed(&o.m, &out));
		assert_hex(v, "signed_bytes", out.data, out.len);
		assert_int_equal(0, gossip_message_sign(&o.m, &self, signature));
		assert_hex(v, "signature", signature, sizeof(signature));
		buf_reset(&out);
		assert_int_equal(0, gossip_rpc_message(&o.m, &out));
		assert_hex(v, "rpc", out.data, out.len);
		buf_deinit(&out);
	}
	identity_clear(&self);
	json_decref(root);
}

static void take(void *arg, const struct gossip_message *m)
{
	struct gossip_id id;
	struct peerid author;

	assert_int_equal(0, gossip_message_author(m, &author));
	assert_hex(arg, "from", author.bytes, author.len);
	assert_hex(arg, "data", m->data.p, m->data.n);
	gossip_message_id(m, &id);
	assert_hex(arg, "message_id", id.bytes, sizeof(id.bytes));
	assert_int_equal(0, gossip_message_verify(m));
	json_object_set_new(arg, "taken", json_true());
}

static void the_recorded_messages_are_read_and_hold(void **state)
{
	struct gossip_rpc_events events = { .message = take };
	json_t *root = vectors_load("gossipsub.json"), *v;
	uint8_t bytes[CAP];
	size_t i;

	json_array_foreach (vectors_array(root, "cases"), i, v) {
		size_t n = vectors_hex(v, "rpc", bytes, sizeof(bytes));

		assert_int_equal(0, gossip_rpc_read(bytes, n, &events, v, NULL));
		assert_true(json_is_true(json_object_get(v, "taken")));
	}
	json_decref(root);
}

/* Each bit of what is signed, and of the signature. */
static void a_changed_bit_is_noticed(void **state)
{
	struct owned o;
	struct gossip_bytes *parts[] = { &o.m.from, &o.m.data, &o.m.seqno, &o.m.topic,
					 &o.m.signature };
	uint8_t *bytes[] = { o.from, o.data, o.seqno, o.topic, o.signature };

	load_first(&o);
	assert_int_equal(0, gossip_message_verify(&o.m));
	for (size_t k = 0; k < ARRAY_LEN(parts); k++)
		for (size_t bit = 0; bit < 8 * parts[k]->n; bit++) {
			bytes[k][bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(-EBADMSG, gossip_message_verify(&o.m));
			bytes[k][bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	assert_int_equal(0, gossip_message_verify(&o.m));
}

static void a_part_that_is_missing_or_cut_is_noticed(void **state)
{
	struct owned o;
	struct gossip_bytes *parts[] = { &o.m.from, &o.m.data, &o.m.seqno, &o.m.topic,
					 &o.m.signature };

	load_first(&o);
	for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
		struct gossip_bytes saved = *parts[k];

		*parts[k] = (struct gossip_bytes){ 0 };
		assert_int_equal(-EBADMSG, gossip_message_verify(&o.m));
		*parts[k] = (struct gossip_bytes){ saved.p, saved.n - 1 };
		assert_int_equal(-EBADMSG, gossip_message_verify(&o.m));
		*parts[k] = (struct gossip_bytes){ saved.p, 0 };
		assert_int_equal(-EBADMSG, gossip_message_verify(&o.m));
		*parts[k] = saved;
	}
}

static void a_key_is_taken_only_where_it_is_the_author_s(void **state)
{
	struct owned o;

	load_first(&o);
	memcpy(o.key, o.from + 2, 36);
	o.m.key = (struct gossip_bytes){ o.key, 36 };
	assert_int_equal(0, gossip_message_verify(&o.m));
	o.m.key.n = 35;
	assert_int_equal(-EBADMSG, gossip_message_verify(&o.m));
	o.m.key.n = 0;
	assert_int_equal(-EBADMSG, gossip_message_verify(&o.m));
	o.m.key.n = 36;
	o.key[35] ^= 1;
	assert_int_equal(-EBADMSG, gossip_message_verify(&o.m));
}

static void another_s_signature_does_not_hold(void **state)
{
	uint8_t signature[64];
	struct owned o;

	load_first(&o);
	assert_int_equal(0, gossip_message_sign(&o.m, fixture_identity(1), signature));
	assert_int_equal(-EBADMSG, gossip_message_verify(&o.m));
	memcpy(o.from, fixture_identity(1)->id.bytes, 38);
	assert_int_equal(0, gossip_message_sign(&o.m, fixture_identity(1), signature));
	assert_int_equal(0, gossip_message_verify(&o.m));
}

static void an_author_or_number_of_another_length_makes_no_id(void **state)
{
	struct peerid author;
	struct owned o;

	load_first(&o);
	assert_int_equal(0, gossip_message_author(&o.m, &author));
	for (size_t n = 0; n <= sizeof(o.from); n++) {
		o.m.from.n = n;
		assert_int_equal(n == 38 ? 0 : -EBADMSG, gossip_message_author(&o.m, &author));
	}
	o.m.from.n = 38;
	for (size_t n = 0; n <= sizeof(o.seqno); n++) {
		o.m.seqno.n = n;
		assert_int_equal(n == 8 ? 0 : -EBADMSG, gossip_message_author(&o.m, &author));
	}
	o.m.from = o.m.seqno = (struct gossip_bytes){ 0 };
	assert_int_equal(-EBADMSG, gossip_message_author(&o.m, &author));
}

/* A hashed key cannot be read from the ID; such an author is too short in any case. */
static void an_author_of_a_hashed_key_is_refused(void **state)
{
	struct peerid author;
	struct owned o;

	load_first(&o);
	o.from[0] = 0x12;
	o.from[1] = 0x20;
	o.m.from.n = 34;
	assert_int_equal(-EBADMSG, gossip_message_author(&o.m, &author));
	assert_int_equal(-EBADMSG, gossip_message_verify(&o.m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_recorded_messages_are_signed_and_written_as_recorded),
		cmocka_unit_test(the_recorded_messages_are_read_and_hold),
		cmocka_unit_test(a_changed_bit_is_noticed),
		cmocka_unit_test(a_part_that_is_missing_or_cut_is_noticed),
		cmocka_unit_test(a_key_is_taken_only_where_it_is_the_author_s),
		cmocka_unit_test(another_s_signature_does_not_hold),
		cmocka_unit_test(an_author_or_number_of_another_length_makes_no_id),
		cmocka_unit_test(an_author_of_a_hashed_key_is_refused),
	};

	return cmocka_run_group_tests_name("gossip_message", tests, NULL, NULL);
}
