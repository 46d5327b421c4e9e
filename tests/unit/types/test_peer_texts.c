#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "types/peer_texts.h"

/* An ID that ends in @last, which is where it is kept by. */
static struct peerid numbered(unsigned i, uint8_t last)
{
	uint8_t key[32] = { 0 };
	struct peerid id;

	memcpy(key, &i, sizeof(i));
	key[31] = last;
	peerid_from_ed25519(key, &id);
	return id;
}

static void check(struct peer_texts *t, const struct peerid *id)
{
	char want[PEERID_TEXT_MAX];
	size_t want_len = peerid_format(id, want), n;
	const char *got = peer_texts_get(t, id, &n);

	assert_int_equal(want_len, n);
	assert_memory_equal(want, got, n);
}

static void every_peer_gets_its_own_text(void **state)
{
	struct peer_texts t = { 0 };

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 5000; i++) {
			struct peerid id = numbered(i, (uint8_t)(i * 7));

			check(&t, &id);
		}
	}
}

static void peers_of_one_place_displace_each_other_alone(void **state)
{
	struct peer_texts t = { 0 };

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < PEER_TEXTS; i++) {
			struct peerid id = numbered(i, 0xff);

			check(&t, &id);
		}
	}
}

static void the_text_of_a_kept_peer_stays_where_it_is(void **state)
{
	struct peerid a = numbered(1, 9), b = numbered(2, 9);
	struct peer_texts t = { 0 };
	const char *text_a, *text_b;
	size_t n;

	text_a = peer_texts_get(&t, &a, &n);
	text_b = peer_texts_get(&t, &b, &n);
	assert_ptr_not_equal(text_a, text_b);
	assert_ptr_equal(text_a, peer_texts_get(&t, &a, &n));
	assert_ptr_equal(text_b, peer_texts_get(&t, &b, &n));
}

static void ids_of_other_lengths_are_told_apart(void **state)
{
	struct peerid none = { 0 }, longest = { .len = PEERID_BYTES_MAX };
	struct peer_texts t = { 0 };

	memset(longest.bytes, 0xff, sizeof(longest.bytes));
	for (struct peerid id = longest; id.len > 0; id.len--)
		check(&t, &id);
	check(&t, &none);
	check(&t, &longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_peer_gets_its_own_text),
		cmocka_unit_test(peers_of_one_place_displace_each_other_alone),
		cmocka_unit_test(the_text_of_a_kept_peer_stays_where_it_is),
		cmocka_unit_test(ids_of_other_lengths_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
