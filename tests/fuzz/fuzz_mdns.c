/*
 * Any messages to a link of mDNS: what is found are other peers with addresses that can be dialled,
 * and what is answered keeps to its times. An input is a row of messages, each behind its length in
 * two bytes; a length above all of them is time that passes.
 */
#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/mdns_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static const char at[] = "/ip4/10.77.0.1/tcp/9096";

struct world {
	struct mdns_self self;
	struct mdns_peers peers;
	struct mdns_link link;
	uint64_t now, answered_at;
};

static bool on_found(void *arg, const struct mdns_found *f)
{
	const struct world *w = arg;
	struct multiaddr again;
	struct peerid named;

	check(f->n > 0 && f->n <= MDNS_ADDRESSES_MAX && !peerid_equal(&f->peer, &w->self.id));
	for (size_t i = 0; i < f->n; i++) {
		check(multiaddr_from_bytes(f->v[i].bytes, f->v[i].len, &again, NULL) == 0);
		check(multiaddr_peerid(&f->v[i], &named) == 0 && peerid_equal(&named, &f->peer));
		check(mdns_is_suitable(&f->v[i]));
	}
	return f->n % 2 > 0;
}

static void set_up(struct world *w)
{
	static const uint8_t key[32] = { 0 };
	struct multiaddr a;
	struct peerid id;

	check(sodium_init() >= 0);
	peerid_from_ed25519(key, &id);
	check(multiaddr_parse(at, strlen(at), &a, NULL) == 0);
	check(mdns_self_init(&w->self, &id) == 0 && mdns_self_set(&w->self, &a, 1) == 1);
	memset(w->self.label, 'a', MDNS_LABEL_LEN); /* so that a corpus can ask for it */
	mdns_link_init(&w->link, w->now);
}

static void pass(struct world *w)
{
	w->now = mdns_link_deadline(&w->link);
	mdns_link_asks(&w->link, w->now);
	if (mdns_link_answers(&w->link, w->now)) {
		check(w->answered_at == 0 || w->now - w->answered_at >= MDNS_ANSWER_MS);
		w->answered_at = w->now;
	}
	check(mdns_link_deadline(&w->link) > w->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct mdns_listener to = {
		.self = &w->self, .peers = &w->peers, .found = on_found, .arg = w
	};
	int r;

	check(w != NULL);
	w->now = 1000;
	set_up(w);
	while (n >= 2) {
		size_t len = (size_t)data[0] << 8 | data[1];

		data += 2;
		n -= 2;
		if (len > MDNS_MESSAGE_MAX + 1) {
			pass(w);
			continue;
		}
		if (len > n)
			len = n;
		r = mdns_link_hear(&w->link, &to, data, len, len % 2 > 0, w->now);
		check(r == 0 || r == -EBADMSG || r == -EBUSY);
		check(w->peers.n <= MDNS_PEERS_MAX);
		data += len;
		n -= len;
	}
	mdns_self_deinit(&w->self);
	free(w);
	return 0;
}
