/* Any bytes as an answer of DNS: what is read ends in the peer, and is an address. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "net/dnsaddr.h"

#define CAP 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t key[32] = { 0 };
	struct multiaddr found[CAP], again;
	struct peerid peer, named;
	int r;

	peerid_from_ed25519(key, &peer);
	r = dnsaddr_read(data, n, &peer, found, CAP);
	check(r <= CAP);
	for (int i = 0; i < r; i++) {
		check(multiaddr_from_bytes(found[i].bytes, found[i].len, &again, NULL) == 0);
		check(multiaddr_peerid(&found[i], &named) == 0 && peerid_equal(&named, &peer));
	}
	return 0;
}
