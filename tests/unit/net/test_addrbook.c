#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/addrbook.h"
#include "types/peerid.h"

#define SECOND_MS 1000ull

static struct peerid alice, bob;

static void peer_of(uint32_t number, struct peerid *ret)
{
	uint8_t key[32] = { 0 };

	memcpy(key, &number, sizeof(number));
	peerid_from_ed25519(key, ret);
}

static int setup(void **state)
{
	peer_of(1, &alice);
	peer_of(2, &bob);
	return addrbook_new((struct addrbook **)state);
}

static int teardown(void **state)
{
	addrbook_free(*state);
	return 0;
}

static struct multiaddr address(const char *text)
{
	struct multiaddr a;

	if (multiaddr_parse(text, strlen(text), &a, NULL) < 0)
		fail_msg("\"%s\" is refused", text);
	return a;
}

static struct multiaddr numbered(unsigned i)
{
	char text[64];

	snprintf(text, sizeof(text), "/ip4/10.0.0.1/tcp/%u", i);
	return address(text);
}

static int add(struct addrbook *b, const struct peerid *peer, const char *text,
	       enum addrbook_source source, uint64_t now)
{
	struct multiaddr a = address(text);

	return addrbook_add(b, peer, &a, source, now);
}

/* The addresses of @peer are these, with spaces in between. */
static void check(struct addrbook *b, const struct peerid *peer, uint64_t now, const char *want)
{
	struct multiaddr v[ADDRBOOK_PER_PEER_MAX];
	size_t n = addrbook_get(b, peer, now, v, ADDRBOOK_PER_PEER_MAX);
	struct buf text = BUF_INIT(0);

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			assert_int_equal(0, buf_byte(&text, ' '));
		assert_int_equal(0, multiaddr_format(&v[i], &text));
	}
	assert_int_equal(0, buf_terminate(&text));
	assert_string_equal(want, (const char *)text.data);
	buf_deinit(&text);
}

static void addresses_are_kept_in_their_order(void **state)
{
	struct addrbook *b = *state;
	struct multiaddr v[2];

	check(b, &alice, 0, "");
	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_HEARD, 0));
	assert_int_equal(0, add(b, &alice, "/dns/a/tcp/2", ADDRBOOK_CONFIGURED, 0));
	assert_int_equal(0, add(b, &bob, "/ip6/::1/udp/3/quic-v1", ADDRBOOK_HEARD, 0));
	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_CONFIGURED, 0));
	assert_int_equal(0, add(b, &alice, "/ip4/1.1.1.1/tcp/1", ADDRBOOK_SAID, 0));
	check(b, &alice, 1, "/ip4/1.2.3.4/tcp/1 /dns/a/tcp/2 /ip4/1.1.1.1/tcp/1");
	check(b, &bob, 1, "/ip6/::1/udp/3/quic-v1");
	assert_int_equal(2, addrbook_get(b, &alice, 1, v, 2));
}

static void a_peer_at_the_end_must_be_the_peer(void **state)
{
	char alice_text[PEERID_TEXT_MAX], bob_text[PEERID_TEXT_MAX], text[256];
	struct multiaddr empty = { 0 };
	struct addrbook *b = *state;

	peerid_format(&alice, alice_text);
	peerid_format(&bob, bob_text);
	snprintf(text, sizeof(text), "/ip4/1.2.3.4/tcp/1/p2p/%s", alice_text);
	assert_int_equal(-EINVAL, add(b, &bob, text, ADDRBOOK_HEARD, 0));
	check(b, &bob, 0, "");
	assert_int_equal(0, add(b, &alice, text, ADDRBOOK_HEARD, 0));
	check(b, &alice, 0, "/ip4/1.2.3.4/tcp/1");
	snprintf(text, sizeof(text), "/p2p/%s", alice_text);
	assert_int_equal(-EINVAL, add(b, &alice, text, ADDRBOOK_HEARD, 0));
	assert_int_equal(-EINVAL, addrbook_add(b, &alice, &empty, ADDRBOOK_HEARD, 0));

	/* A relay in the middle is another one's business. */
	snprintf(text, sizeof(text), "/ip4/1.2.3.4/tcp/1/p2p/%s/p2p-circuit", alice_text);
	assert_int_equal(0, add(b, &bob, text, ADDRBOOK_SAID, 0));
	check(b, &bob, 0, text);
}

static void what_was_heard_lasts_an_hour(void **state)
{
	struct addrbook *b = *state;

	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_HEARD, 5));
	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/2", ADDRBOOK_HEARD, 5));
	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/2", ADDRBOOK_HEARD, 9));
	check(b, &alice, 4 + ADDRBOOK_HOUR_MS, "/ip4/1.2.3.4/tcp/1 /ip4/1.2.3.4/tcp/2");
	check(b, &alice, 5 + ADDRBOOK_HOUR_MS, "/ip4/1.2.3.4/tcp/2");
	check(b, &alice, 9 + ADDRBOOK_HOUR_MS, "");
}

static void what_is_configured_lasts(void **state)
{
	struct addrbook *b = *state;

	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_CONFIGURED, 0));
	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_HEARD, 0));
	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_SAID, 0));
	addrbook_said_before(b, &alice, 1);
	addrbook_gone(b, &alice, 1);
	check(b, &alice, UINT64_MAX - 1, "/ip4/1.2.3.4/tcp/1");
}

static void what_a_peer_said_lasts_while_it_is_there_and_a_while(void **state)
{
	const uint64_t gone = 10 * ADDRBOOK_HOUR_MS;
	struct addrbook *b = *state;

	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_SAID, 0));
	check(b, &alice, gone, "/ip4/1.2.3.4/tcp/1");
	addrbook_gone(b, &alice, gone);
	addrbook_gone(b, &alice, gone + 5 * SECOND_MS); /* no longer for hearing it twice */
	check(b, &alice, gone + ADDRBOOK_AFTERWARDS_MS - 1, "/ip4/1.2.3.4/tcp/1");
	check(b, &alice, gone + ADDRBOOK_AFTERWARDS_MS, "");
	addrbook_gone(b, &bob, gone);
}

static void what_a_peer_says_replaces_what_it_said(void **state)
{
	struct addrbook *b = *state;

	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_SAID, 0));
	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/2", ADDRBOOK_SAID, 0));
	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/3", ADDRBOOK_HEARD, 0));
	addrbook_said_before(b, &alice, 7);
	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/2", ADDRBOOK_SAID, 7));
	check(b, &alice, 7, "/ip4/1.2.3.4/tcp/2 /ip4/1.2.3.4/tcp/3");
	addrbook_said_before(b, &bob, 7);
}

/* Known from the file, and said by the peer: neither takes the other's life away. */
static void an_address_lives_as_long_as_one_of_its_sources(void **state)
{
	struct addrbook *b = *state;

	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_HEARD, 0));
	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_SAID, 0));
	check(b, &alice, 2 * ADDRBOOK_HOUR_MS, "/ip4/1.2.3.4/tcp/1");

	assert_int_equal(0, add(b, &bob, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_SAID, 0));
	assert_int_equal(0, add(b, &bob, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_HEARD, 0));
	addrbook_gone(b, &bob, 0);
	check(b, &bob, ADDRBOOK_HOUR_MS - 1, "/ip4/1.2.3.4/tcp/1");
	check(b, &bob, ADDRBOOK_HOUR_MS, "");
}

static void a_peer_that_is_kept_keeps_its_addresses(void **state)
{
	struct addrbook *b = *state;

	assert_int_equal(0, addrbook_keep(b, &bob, true, 0));
	assert_int_equal(0, add(b, &bob, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_HEARD, 0));
	assert_int_equal(0, add(b, &bob, "/ip4/1.2.3.4/tcp/2", ADDRBOOK_CONFIGURED, 0));
	check(b, &bob, 1, "/ip4/1.2.3.4/tcp/1 /ip4/1.2.3.4/tcp/2");
	check(b, &bob, ADDRBOOK_HOUR_MS, "/ip4/1.2.3.4/tcp/2 /ip4/1.2.3.4/tcp/1");
	assert_int_equal(0, addrbook_keep(b, &bob, false, ADDRBOOK_HOUR_MS));
	check(b, &bob, ADDRBOOK_HOUR_MS, "/ip4/1.2.3.4/tcp/2");
	assert_int_equal(0, addrbook_keep(b, &alice, false, 0));
}

static void old_addresses_of_a_kept_peer_make_room(void **state)
{
	struct multiaddr v[ADDRBOOK_PER_PEER_MAX], a;
	struct addrbook *b = *state;

	assert_int_equal(0, addrbook_keep(b, &alice, true, 0));
	for (unsigned i = 0; i < ADDRBOOK_PER_PEER_MAX; i++) {
		a = numbered(i);
		assert_int_equal(0, addrbook_add(b, &alice, &a, ADDRBOOK_HEARD, i));
	}
	a = numbered(1000);
	assert_int_equal(-ENOSPC, addrbook_add(b, &alice, &a, ADDRBOOK_SAID, 100));
	assert_int_equal(0, addrbook_add(b, &alice, &a, ADDRBOOK_SAID, ADDRBOOK_HOUR_MS + 1));
	assert_int_equal(ADDRBOOK_PER_PEER_MAX,
			 addrbook_get(b, &alice, ADDRBOOK_HOUR_MS + 1, v, ADDRBOOK_PER_PEER_MAX));
	a = numbered(2);
	assert_true(multiaddr_equal(&a, &v[0]));
	a = numbered(1000);
	assert_true(multiaddr_equal(&a, &v[ADDRBOOK_PER_PEER_MAX - 2]));
	a = numbered(1);
	assert_true(multiaddr_equal(&a, &v[ADDRBOOK_PER_PEER_MAX - 1]));
}

static void a_peer_has_so_many_addresses_and_no_more(void **state)
{
	struct addrbook *b = *state;
	struct multiaddr a;

	for (unsigned i = 0; i < ADDRBOOK_PER_PEER_MAX; i++) {
		a = numbered(i);
		assert_int_equal(0, addrbook_add(b, &alice, &a, ADDRBOOK_HEARD, 0));
	}
	a = numbered(1000);
	assert_int_equal(-ENOSPC, addrbook_add(b, &alice, &a, ADDRBOOK_CONFIGURED, 1));
	a = numbered(3);
	assert_int_equal(0, addrbook_add(b, &alice, &a, ADDRBOOK_CONFIGURED, 1));
	a = numbered(1000);
	assert_int_equal(0, addrbook_add(b, &alice, &a, ADDRBOOK_HEARD, ADDRBOOK_HOUR_MS));
}

static bool count_until(void *arg, const struct peerid *peer, const struct multiaddr *v, size_t n)
{
	size_t *left = arg;

	assert_true(n > 0);
	return --*left > 0;
}

static void the_book_has_so_many_peers_and_no_more(void **state)
{
	struct multiaddr a = numbered(1);
	struct addrbook *b = *state;
	struct peerid peer;
	size_t left = SIZE_MAX;

	for (uint32_t i = 0; i < ADDRBOOK_PEERS_MAX; i++) {
		peer_of(i + 10, &peer);
		assert_int_equal(0, addrbook_add(b, &peer, &a, ADDRBOOK_HEARD, i == 0 ? 0 : 1));
	}
	assert_int_equal(-ENOSPC, addrbook_add(b, &alice, &a, ADDRBOOK_HEARD, 1));
	addrbook_each(b, 1, count_until, &left);
	assert_int_equal(SIZE_MAX - ADDRBOOK_PEERS_MAX, left);
	assert_int_equal(0, addrbook_add(b, &alice, &a, ADDRBOOK_HEARD, ADDRBOOK_HOUR_MS));
	assert_int_equal(-ENOSPC, addrbook_add(b, &bob, &a, ADDRBOOK_HEARD, ADDRBOOK_HOUR_MS));
}

static size_t addresses_of(struct addrbook *b, const struct peerid *peer)
{
	struct multiaddr v[ADDRBOOK_PER_PEER_MAX];

	return addrbook_get(b, peer, 1, v, ADDRBOOK_PER_PEER_MAX);
}

static void hearsay_gives_way_to_what_is_known(void **state)
{
	struct multiaddr a = address("/ip4/1.2.3.4/tcp/1");
	struct addrbook *b = *state;
	struct peerid first, last, other;

	for (uint32_t i = 0; i < ADDRBOOK_PEERS_MAX; i++) {
		peer_of(i + 10, &last);
		assert_int_equal(0, addrbook_add(b, &last, &a, ADDRBOOK_HEARD, 1));
	}
	peer_of(10, &first);
	assert_int_equal(0, addrbook_add(b, &last, &a, ADDRBOOK_SAID, 1));
	assert_int_equal(0, addrbook_keep(b, &alice, true, 1));
	assert_int_equal(0, addrbook_add(b, &bob, &a, ADDRBOOK_SAID, 1));
	for (uint32_t i = 3; i < 7; i++) {
		peer_of(i, &other);
		assert_int_equal(0, addrbook_add(b, &other, &a, ADDRBOOK_CONFIGURED, 1));
	}
	/* Six of those that were heard of last went. */
	assert_int_equal(1, addresses_of(b, &first));
	assert_int_equal(1, addresses_of(b, &last));
	assert_int_equal(1, addresses_of(b, &bob));
	peer_of(10 + ADDRBOOK_PEERS_MAX - 2, &other);
	assert_int_equal(0, addresses_of(b, &other));
	peer_of(10 + ADDRBOOK_PEERS_MAX - 7, &other);
	assert_int_equal(0, addresses_of(b, &other));
	peer_of(10 + ADDRBOOK_PEERS_MAX - 8, &other);
	assert_int_equal(1, addresses_of(b, &other));
}

static void each_goes_over_peers_that_have_addresses(void **state)
{
	struct addrbook *b = *state;
	size_t left;

	assert_int_equal(0, add(b, &alice, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_HEARD, 0));
	assert_int_equal(0, add(b, &bob, "/ip4/1.2.3.4/tcp/1", ADDRBOOK_CONFIGURED, 0));
	left = 1;
	addrbook_each(b, 0, count_until, &left);
	assert_int_equal(0, left);
	left = 10;
	addrbook_each(b, 0, count_until, &left);
	assert_int_equal(8, left);
	left = 10;
	addrbook_each(b, ADDRBOOK_HOUR_MS, count_until, &left);
	assert_int_equal(9, left);
	assert_int_equal(0, addrbook_keep(b, &alice, true, 0));
	left = 10;
	addrbook_each(b, ADDRBOOK_HOUR_MS, count_until, &left);
	assert_int_equal(9, left);
}

static void what_is_claimed_is_dialled_for_a_while_and_not_told_of(void **state)
{
	struct multiaddr v[ADDRBOOK_PER_PEER_MAX];
	struct addrbook *b = *state;
	size_t left = 10;

	assert_int_equal(0, add(b, &alice, "/ip4/10.0.0.1/tcp/1", ADDRBOOK_CLAIMED, 0));
	assert_int_equal(1, addrbook_get(b, &alice, ADDRBOOK_CLAIMED_MS - 1, v, 8));
	addrbook_each(b, 0, count_until, &left);
	assert_int_equal(10, left);
	assert_int_equal(0, addrbook_get(b, &alice, ADDRBOOK_CLAIMED_MS, v, 8));
	/* Kept, it is remembered, and still nothing but a claim. */
	assert_int_equal(0, addrbook_keep(b, &alice, true, 0));
	assert_int_equal(0, add(b, &alice, "/ip4/10.0.0.1/tcp/1", ADDRBOOK_CLAIMED, 0));
	assert_int_equal(1, addrbook_get(b, &alice, ADDRBOOK_CLAIMED_MS, v, 8));
	addrbook_each(b, 0, count_until, &left);
	assert_int_equal(10, left);
	/* The peer says so too. */
	assert_int_equal(0, add(b, &alice, "/ip4/10.0.0.1/tcp/1", ADDRBOOK_SAID, 0));
	addrbook_each(b, 0, count_until, &left);
	assert_int_equal(9, left);
}

static void what_is_claimed_makes_room_for_what_is_known(void **state)
{
	struct multiaddr v[ADDRBOOK_PER_PEER_MAX], real = numbered(1000);
	struct addrbook *b = *state;

	for (unsigned i = 0; i < ADDRBOOK_PER_PEER_MAX; i++) {
		struct multiaddr a = numbered(i + 1);

		assert_int_equal(0, addrbook_add(b, &alice, &a, ADDRBOOK_CLAIMED, 0));
	}
	assert_int_equal(-ENOSPC, addrbook_add(b, &alice, &real, ADDRBOOK_CLAIMED, 0));
	assert_int_equal(0, addrbook_add(b, &alice, &real, ADDRBOOK_HEARD, 0));
	assert_int_equal(ADDRBOOK_PER_PEER_MAX,
			 addrbook_get(b, &alice, 0, v, ADDRBOOK_PER_PEER_MAX));
	assert_true(multiaddr_equal(&real, &v[ADDRBOOK_PER_PEER_MAX - 1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(addresses_are_kept_in_their_order),
		TEST(a_peer_at_the_end_must_be_the_peer),
		TEST(what_was_heard_lasts_an_hour),
		TEST(what_is_configured_lasts),
		TEST(what_a_peer_said_lasts_while_it_is_there_and_a_while),
		TEST(what_a_peer_says_replaces_what_it_said),
		TEST(an_address_lives_as_long_as_one_of_its_sources),
		TEST(a_peer_that_is_kept_keeps_its_addresses),
		TEST(old_addresses_of_a_kept_peer_make_room),
		TEST(a_peer_has_so_many_addresses_and_no_more),
		TEST(the_book_has_so_many_peers_and_no_more),
		TEST(hearsay_gives_way_to_what_is_known),
		TEST(each_goes_over_peers_that_have_addresses),
		TEST(what_is_claimed_is_dialled_for_a_while_and_not_told_of),
		TEST(what_is_claimed_makes_room_for_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
