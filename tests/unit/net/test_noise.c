#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "net/noise_symmetric.h"
#include "tests/lib/fixed_random.h"
#include "tests/lib/pieces.h"
#include "tests/lib/vectors.h"
#include "tests/unit/net/noise_fixture.h"

#define BYTES_MAX 4096
#define LONG 300000

static const char to_responder[] = "initiator to responder";
static const char to_initiator[] = "responder to initiator";

static int setup(void **state)
{
	*state = vectors_load("noise.json");
	return sodium_init() < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	json_decref(*state);
	return 0;
}

/* One side of the recorded handshake: what it draws, gets, sends, and reads. */
struct side {
	bool dialer;
	struct identity id;
	struct peerid peer;
	uint8_t drawn[64];
	uint8_t in[BYTES_MAX], out[BYTES_MAX], plain[BYTES_MAX];
	size_t n_in, n_out, n_plain;
};

static void add(json_t *object, const char *key, uint8_t *out, size_t *n)
{
	*n += vectors_hex(object, key, out + *n, BYTES_MAX - *n);
}

static void load_side(json_t *root, bool dialer, struct side *ret)
{
	json_t *self = json_object_get(root, dialer ? "initiator" : "responder"), *c;
	json_t *peer = json_object_get(root, dialer ? "responder" : "initiator");
	const char *id = vectors_str(peer, "peer_id"), *in = dialer ? to_initiator : to_responder;
	uint8_t seed[32];
	size_t i;

	memset(ret, 0, sizeof(*ret));
	ret->dialer = dialer;
	vectors_hex(self, "identity_seed", seed, sizeof(seed));
	identity_from_seed(seed, &ret->id);
	assert_int_equal(peerid_parse(id, strlen(id), &ret->peer, NULL), 0);
	vectors_hex(self, "static_private", ret->drawn, 32);
	vectors_hex(self, "ephemeral_private", ret->drawn + 32, 32);
	add(root, "frame_1", dialer ? ret->out : ret->in, dialer ? &ret->n_out : &ret->n_in);
	add(root, "frame_2", dialer ? ret->in : ret->out, dialer ? &ret->n_in : &ret->n_out);
	add(root, "frame_3", dialer ? ret->out : ret->in, dialer ? &ret->n_out : &ret->n_in);
	json_array_foreach (vectors_array(root, "transport"), i, c) {
		if (strcmp(vectors_str(c, "direction"), in) != 0)
			continue;
		add(c, "frame", ret->in, &ret->n_in);
		add(c, "plaintext", ret->plain, &ret->n_plain);
	}
}

static struct noise *start_side(const struct side *s, struct buf *out)
{
	struct noise *n;

	fixed_random_give(s->drawn, sizeof(s->drawn));
	assert_int_equal(noise_new(&s->id, s->dialer, s->dialer ? &s->peer : NULL, out, &n), 0);
	fixed_random_end();
	return n;
}

static void assert_side(const struct side *s, struct noise *n, const struct buf *out,
			const struct buf *plain)
{
	assert_int_equal(noise_state(n), NOISE_OPEN);
	assert_true(peerid_equal(noise_peer(n), &s->peer));
	assert_true(noise_has_yamux(n));
	assert_int_equal(out->len, s->n_out);
	assert_memory_equal(out->data, s->out, s->n_out);
	assert_int_equal(plain->len, s->n_plain);
	assert_memory_equal(plain->data, s->plain, s->n_plain);
}

/* The recorded bytes in pieces: up to @cut, then @step at a time. */
static void replay(const struct side *s, size_t cut, size_t step)
{
	struct buf out = BUF_INIT(0), plain = BUF_INIT(0);
	struct noise *n = start_side(s, &out);
	size_t part;

	assert_int_equal(noise_feed(n, s->in, cut, &out, &plain, NULL), 0);
	for (size_t at = cut; at < s->n_in; at += part) {
		part = step < s->n_in - at ? step : s->n_in - at;
		assert_int_equal(noise_feed(n, s->in + at, part, &out, &plain, NULL), 0);
	}
	assert_side(s, n, &out, &plain);
	noise_free(n);
	buf_deinit(&out);
	buf_deinit(&plain);
}

static void both_roles_speak_the_recorded_handshake_however_it_is_cut(void **state)
{
	for (int dialer = 0; dialer <= 1; dialer++) {
		struct side s;

		load_side(*state, dialer, &s);
		for (size_t cut = 0; cut <= s.n_in; cut++)
			replay(&s, cut, s.n_in);
		replay(&s, 0, 1);
		identity_clear(&s.id);
	}
}

static void what_is_sealed_is_what_was_recorded(void **state)
{
	for (int dialer = 0; dialer <= 1; dialer++) {
		struct buf out = BUF_INIT(0), plain = BUF_INIT(0);
		struct noise *n;
		struct side s;
		json_t *c;
		size_t i;

		load_side(*state, dialer, &s);
		n = start_side(&s, &out);
		assert_int_equal(noise_feed(n, s.in, s.n_in, &out, &plain, NULL), 0);
		json_array_foreach (vectors_array(*state, "transport"), i, c) {
			uint8_t text[BYTES_MAX], frame[BYTES_MAX];
			size_t n_text = vectors_hex(c, "plaintext", text, sizeof(text));
			size_t n_frame = vectors_hex(c, "frame", frame, sizeof(frame));

			if ((strcmp(vectors_str(c, "direction"), to_responder) == 0) != dialer)
				continue;
			buf_reset(&out);
			assert_int_equal(noise_seal(n, text, n_text, &out), 0);
			if (n_text == 0) /* we have no reason to send nothing */
				n_frame = 0;
			assert_int_equal(out.len, n_frame);
			assert_memory_equal(out.data, frame, n_frame);
		}
		noise_free(n);
		identity_clear(&s.id);
		buf_deinit(&out);
		buf_deinit(&plain);
	}
}

static void assert_hash(const struct noise_symmetric *s, json_t *root, const char *key)
{
	uint8_t want[32];

	assert_int_equal(vectors_hex(root, key, want, sizeof(want)), 32);
	assert_memory_equal(s->h, want, sizeof(want));
}

static void mix_recorded(struct noise_symmetric *s, json_t *root, const char *name)
{
	uint8_t dh[32];

	assert_int_equal(vectors_hex(json_object_get(root, "dh"), name, dh, sizeof(dh)), 32);
	noise_mix_key(s, dh);
}

/* Seals the static key and the payload of @side and compares with the recorded message. */
static void seal_recorded(struct noise_symmetric *s, json_t *root, json_t *side, const char *dh,
			  const uint8_t *want, size_t n_want)
{
	struct buf got = BUF_INIT(0);
	uint8_t bytes[BYTES_MAX];

	assert_int_equal(vectors_hex(side, "static_public", bytes, 32), 32);
	assert_int_equal(noise_seal_and_hash(s, bytes, 32, &got), 0);
	mix_recorded(s, root, dh);
	assert_int_equal(
	    noise_seal_and_hash(s, bytes, vectors_hex(side, "payload", bytes, BYTES_MAX), &got), 0);
	assert_int_equal(got.len, n_want);
	assert_memory_equal(got.data, want, n_want);
	buf_deinit(&got);
}

static void hashes_and_keys_are_the_recorded_ones(void **state)
{
	json_t *initiator = json_object_get(*state, "initiator");
	json_t *responder = json_object_get(*state, "responder");
	uint8_t message[BYTES_MAX], key[32];
	struct noise_cipher from_dialer, from_listener;
	struct noise_symmetric s;
	size_t n;

	noise_symmetric_init(&s);
	vectors_hex(*state, "message_1", message, BYTES_MAX);
	noise_mix_hash(&s, message, 32);
	noise_mix_hash(&s, NULL, 0);
	assert_hash(&s, *state, "handshake_hash_after_message_1");

	n = vectors_hex(*state, "message_2", message, BYTES_MAX);
	noise_mix_hash(&s, message, 32);
	mix_recorded(&s, *state, "ee");
	seal_recorded(&s, *state, responder, "es", message + 32, n - 32);
	assert_hash(&s, *state, "handshake_hash_after_message_2");

	n = vectors_hex(*state, "message_3", message, BYTES_MAX);
	seal_recorded(&s, *state, initiator, "se", message, n);
	assert_hash(&s, *state, "handshake_hash_final");

	noise_split(&s, &from_dialer, &from_listener);
	vectors_hex(*state, "split_key_initiator_to_responder", key, sizeof(key));
	assert_memory_equal(from_dialer.key, key, sizeof(key));
	vectors_hex(*state, "split_key_responder_to_initiator", key, sizeof(key));
	assert_memory_equal(from_listener.key, key, sizeof(key));
}

/* Moves a random piece; false when there was nothing. */
static bool pass_piece(struct end *from, struct end *to, uint32_t *seed)
{
	size_t part;

	if (from->passed == from->out.len)
		return false;
	part = pieces_next(seed, from->out.len - from->passed);
	assert_int_equal(end_feed(to, from->out.data + from->passed, part), 0);
	from->passed += part;
	return true;
}

static void converse(struct end *a, struct end *b, uint32_t *seed)
{
	bool moved = true;

	while (moved) {
		moved = pass_piece(a, b, seed);
		moved |= pass_piece(b, a, seed);
	}
}

static void two_ends_understand_each_other_through_random_pieces(void **state)
{
	static uint8_t sent[LONG];
	struct end a, b;

	randombytes_buf(sent, sizeof(sent));
	for (uint32_t round = 1; round <= 20; round++) {
		size_t size = round * (LONG / 20);
		uint32_t seed = round;

		end_start(&b, 2, false, NULL);
		end_start(&a, 1, true, &b.id.id);
		converse(&a, &b, &seed);
		assert_int_equal(noise_state(a.n), NOISE_OPEN);
		assert_int_equal(noise_state(b.n), NOISE_OPEN);
		assert_true(peerid_equal(noise_peer(a.n), &b.id.id));
		assert_true(peerid_equal(noise_peer(b.n), &a.id.id));
		assert_true(noise_has_yamux(a.n) && noise_has_yamux(b.n));
		assert_int_equal(noise_seal(a.n, sent, size, &a.out), 0);
		assert_int_equal(noise_seal(b.n, sent, 1, &b.out), 0);
		assert_int_equal(noise_seal(b.n, sent + 1, size - 1, &b.out), 0);
		converse(&a, &b, &seed);
		assert_int_equal(a.plain.len, size);
		assert_int_equal(b.plain.len, size);
		assert_memory_equal(a.plain.data, sent, size);
		assert_memory_equal(b.plain.data, sent, size);
		end_stop(&a);
		end_stop(&b);
	}
}

static void the_handshake_has_the_sizes_that_peers_expect(void **state)
{
	struct end a, b;

	end_start(&a, 1, true, NULL);
	end_start(&b, 2, false, NULL);
	assert_int_equal(a.out.len, 2 + 32);
	assert_int_equal(b.out.len, 0);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(b.out.len, 2 + 216);
	assert_int_equal(end_pass(&b, &a), 0);
	assert_int_equal(a.out.len, 2 + 32 + 2 + 184);
	/* Before message 3 the listener can neither read nor write. */
	assert_int_equal(noise_state(b.n), NOISE_HANDSHAKE);
	assert_int_equal(noise_seal(b.n, "x", 1, &b.out), -EPROTO);
	end_stop(&a);
	end_stop(&b);
}

static void what_follows_message_3_at_once_is_read(void **state)
{
	struct end a, b;

	end_start(&a, 1, true, NULL);
	end_start(&b, 2, false, NULL);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(end_pass(&b, &a), 0);
	assert_int_equal(noise_seal(a.n, "first", 5, &a.out), 0);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(b.plain.len, 5);
	assert_memory_equal(b.plain.data, "first", 5);
	end_stop(&a);
	end_stop(&b);
}

static void long_texts_fill_whole_messages(void **state)
{
	static const uint8_t text[2 * NOISE_PLAIN_MAX + 1];
	static const struct {
		size_t text, sealed;
	} cases[] = {
		{ 0, 0 },
		{ 1, 1 + 18 },
		{ NOISE_PLAIN_MAX, NOISE_PLAIN_MAX + 18 },
		{ NOISE_PLAIN_MAX + 1, NOISE_PLAIN_MAX + 1 + 2 * 18 },
		{ 2 * NOISE_PLAIN_MAX + 1, 2 * NOISE_PLAIN_MAX + 1 + 3 * 18 },
	};
	struct end a, b;

	end_start(&a, 1, true, NULL);
	end_start(&b, 2, false, NULL);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(end_pass(&b, &a), 0);
	assert_int_equal(end_pass(&a, &b), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t before = a.out.len;

		buf_reset(&b.plain);
		assert_int_equal(noise_seal(a.n, text, cases[i].text, &a.out), 0);
		assert_int_equal(a.out.len - before, cases[i].sealed);
		if (cases[i].text >= NOISE_PLAIN_MAX)
			assert_memory_equal(a.out.data + before, "\xff\xff", 2);
		assert_int_equal(end_pass(&a, &b), 0);
		assert_int_equal(b.plain.len, cases[i].text);
	}
	end_stop(&a);
	end_stop(&b);
}

static void a_text_that_finds_no_room_is_not_begun(void **state)
{
	static const uint8_t text[NOISE_PLAIN_MAX + 1];
	struct buf small = BUF_INIT(NOISE_PLAIN_MAX + 30);
	struct end a, b;

	end_start(&a, 1, true, NULL);
	end_start(&b, 2, false, NULL);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(end_pass(&b, &a), 0);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(noise_seal(a.n, text, sizeof(text), &small), -EFBIG);
	assert_int_equal(small.len, 0);
	assert_int_equal(noise_seal(a.n, "x", 1, &a.out), 0);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(b.plain.len, 1);
	buf_deinit(&small);
	end_stop(&a);
	end_stop(&b);
}

static void each_connection_has_keys_of_its_own(void **state)
{
	struct end a, b;

	end_start(&a, 1, true, NULL);
	end_start(&b, 1, true, NULL);
	assert_memory_not_equal(a.out.data + 2, b.out.data + 2, 32);
	end_stop(&a);
	end_stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_roles_speak_the_recorded_handshake_however_it_is_cut),
		cmocka_unit_test(what_is_sealed_is_what_was_recorded),
		cmocka_unit_test(hashes_and_keys_are_the_recorded_ones),
		cmocka_unit_test(two_ends_understand_each_other_through_random_pieces),
		cmocka_unit_test(the_handshake_has_the_sizes_that_peers_expect),
		cmocka_unit_test(what_follows_message_3_at_once_is_read),
		cmocka_unit_test(long_texts_fill_whole_messages),
		cmocka_unit_test(a_text_that_finds_no_room_is_not_begun),
		cmocka_unit_test(each_connection_has_keys_of_its_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
