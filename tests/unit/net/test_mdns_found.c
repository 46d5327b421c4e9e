#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "net/mdns_found.h"

#define ALICE "12D3KooWQ2k7AgsLqgAZ9hFaYhTthXGNFThPorYXAfRLpmAfQU4u"
#define BOB "12D3KooWB2oBH4kS5DdqzgBPaaKWPtWCBPLgn72iF2kdHbgdnZEL"

static void suitable_is_what_the_local_network_can_dial(void **state)
{
	static const struct {
		const char *text;
		bool suitable;
	} cases[] = {
		{ "/ip4/10.0.0.1/tcp/9096", true },
		{ "/ip4/1.2.3.4/tcp/9096/p2p/" ALICE, true },
		{ "/ip6/fe80::1/tcp/9096", true },
		{ "/dns4/box.local/tcp/9096", true },
		{ "/dns/Box.LOCAL/tcp/9096/p2p/" ALICE, true },
		{ "/dns4/local/tcp/9096", false },
		{ "/dns4/example.com/tcp/9096", false },
		{ "/dns4/box.local.example.com/tcp/9096", false },
		{ "/dnsaddr/box.local", false },
		{ "/ip4/10.0.0.1/udp/9096/quic-v1", false },
		{ "/ip4/10.0.0.1/tcp/9096/ws", false },
		{ "/ip4/10.0.0.1/tcp/9096/p2p/" ALICE "/p2p-circuit", false },
		{ "/p2p/" ALICE, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct multiaddr a;

		assert_int_equal(0,
				 multiaddr_parse(cases[i].text, strlen(cases[i].text), &a, NULL));
		if (mdns_is_suitable(&a) != cases[i].suitable)
			fail_msg("%s", cases[i].text);
	}
}

/* ---- TXT records ---- */

struct record {
	uint8_t data[4096];
	struct mdns_entry en;
};

static void say(struct record *r, const char *text)
{
	size_t n = strlen(text);

	assert_true(n < 256 && n < sizeof(r->data) - r->en.n);
	r->en.data = r->data;
	r->data[r->en.n++] = (uint8_t)n;
	memcpy(r->data + r->en.n, text, n);
	r->en.n += n;
}

static void assert_found(const struct mdns_found *f, size_t i, const char *text)
{
	struct multiaddr want;

	assert_int_equal(0, multiaddr_parse(text, strlen(text), &want, NULL));
	assert_true(i < f->n && multiaddr_equal(&want, &f->v[i]));
}

static void the_first_peer_of_a_record_is_found_with_its_addresses(void **state)
{
	struct record r = { 0 };
	struct mdns_found f;
	struct peerid alice;

	say(&r, "");
	say(&r, "version=1");
	say(&r, "dnsaddr=");
	say(&r, "dnsaddr=nonsense");
	say(&r, "dnsaddr=/ip4/10.0.0.1/tcp/1"); /* of nobody */
	say(&r, "dnsaddr=/ip4/0.0.0.0/tcp/1/p2p/" ALICE);
	say(&r, "dnsaddr=/ip4/224.0.0.251/tcp/1/p2p/" ALICE);
	say(&r, "dnsaddr=/dns4/example.com/tcp/1/p2p/" ALICE);
	say(&r, "dnsaddr=/ip4/10.0.0.1/tcp/2/p2p/" ALICE);
	say(&r, "dnsaddr=/ip4/10.0.0.1/tcp/3/p2p/" BOB);
	say(&r, "dnsaddr=/ip4/10.0.0.1/tcp/4/p2p/" ALICE);
	assert_true(mdns_found_read(&r.en, false, &f));
	assert_int_equal(2, f.n);
	assert_found(&f, 0, "/ip4/10.0.0.1/tcp/2/p2p/" ALICE);
	assert_found(&f, 1, "/ip4/10.0.0.1/tcp/4/p2p/" ALICE);
	assert_int_equal(0, peerid_parse(ALICE, strlen(ALICE), &alice, NULL));
	assert_true(peerid_equal(&alice, &f.peer));
}

static void loopback_is_of_use_to_the_same_machine_alone(void **state)
{
	struct record r = { 0 };
	struct mdns_found f;

	say(&r, "dnsaddr=/ip4/127.0.0.1/tcp/1/p2p/" ALICE);
	assert_false(mdns_found_read(&r.en, false, &f));
	assert_true(mdns_found_read(&r.en, true, &f));
	assert_found(&f, 0, "/ip4/127.0.0.1/tcp/1/p2p/" ALICE);
}

static void so_many_strings_are_looked_at_and_no_more(void **state)
{
	struct record r = { 0 };
	struct mdns_found f;
	char text[128];

	for (unsigned i = 0; i <= MDNS_ADDRESSES_MAX; i++) {
		snprintf(text, sizeof(text), "dnsaddr=/ip4/10.0.0.1/tcp/%u/p2p/" ALICE, i + 1);
		say(&r, text);
	}
	assert_true(mdns_found_read(&r.en, false, &f));
	assert_int_equal(MDNS_ADDRESSES_MAX, f.n);
	memset(&r, 0, sizeof(r));
	for (unsigned i = 0; i < MDNS_ADDRESSES_MAX; i++)
		say(&r, "");
	say(&r, text);
	assert_false(mdns_found_read(&r.en, false, &f));
}

/* ---- how often ---- */

static void peer_of(uint32_t number, struct peerid *ret)
{
	uint8_t key[32] = { 0 };

	memcpy(key, &number, sizeof(number));
	peerid_from_ed25519(key, ret);
}

static struct mdns_peers peers;

static int forget(void **state)
{
	peers = (struct mdns_peers){ 0 };
	return 0;
}

static void a_peer_is_told_of_again_after_growing_times(void **state)
{
	uint64_t now = 5, wait = MDNS_AGAIN_FIRST_MS;
	struct peerid id;

	peer_of(1, &id);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(mdns_peers_heard(&peers, &id, now));
		mdns_peers_told(&peers, &id, now);
		assert_false(mdns_peers_heard(&peers, &id, now + wait - 1));
		now += wait;
		wait = 2 * wait < MDNS_AGAIN_MOST_MS ? 2 * wait : MDNS_AGAIN_MOST_MS;
	}
	assert_int_equal(MDNS_AGAIN_MOST_MS, wait);
}

static void a_peer_that_was_not_taken_is_told_of_at_once_again(void **state)
{
	struct peerid id;

	peer_of(1, &id);
	assert_true(mdns_peers_heard(&peers, &id, 0));
	assert_true(mdns_peers_heard(&peers, &id, 1));
	mdns_peers_told(&peers, &id, 1);
	assert_false(mdns_peers_heard(&peers, &id, 2));
	assert_int_equal(1, peers.n);
}

static void so_many_peers_are_remembered_until_they_are_silent(void **state)
{
	struct peerid id;

	for (uint32_t i = 0; i < MDNS_PEERS_MAX; i++) {
		peer_of(i, &id);
		assert_true(mdns_peers_heard(&peers, &id, i > 0));
		mdns_peers_told(&peers, &id, i > 0);
	}
	peer_of(MDNS_PEERS_MAX, &id);
	assert_false(mdns_peers_heard(&peers, &id, MDNS_FORGET_MS - 1));
	mdns_peers_told(&peers, &id, 1); /* of whom nothing is remembered */
	assert_true(mdns_peers_heard(&peers, &id, MDNS_FORGET_MS));
	mdns_peers_told(&peers, &id, MDNS_FORGET_MS);
	/* It has the place of the one that was silent longest, which has none now. */
	peer_of(0, &id);
	assert_false(mdns_peers_heard(&peers, &id, MDNS_FORGET_MS));
	peer_of(1, &id);
	assert_true(mdns_peers_heard(&peers, &id, MDNS_FORGET_MS));
	assert_int_equal(MDNS_PEERS_MAX, peers.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suitable_is_what_the_local_network_can_dial),
		cmocka_unit_test(the_first_peer_of_a_record_is_found_with_its_addresses),
		cmocka_unit_test(loopback_is_of_use_to_the_same_machine_alone),
		cmocka_unit_test(so_many_strings_are_looked_at_and_no_more),
		cmocka_unit_test_setup(a_peer_is_told_of_again_after_growing_times, forget),
		cmocka_unit_test_setup(a_peer_that_was_not_taken_is_told_of_at_once_again, forget),
		cmocka_unit_test_setup(so_many_peers_are_remembered_until_they_are_silent, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
