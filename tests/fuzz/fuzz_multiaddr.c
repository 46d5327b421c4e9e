#include <assert.h>
#include <stdint.h>

#include "types/multiaddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Text and bytes of an address lead to each other. */
static void check(const struct multiaddr *a)
{
	struct multiaddr from_text, from_bytes;
	struct buf text = BUF_INIT(0), again = BUF_INIT(0);

	assert(multiaddr_from_bytes(a->bytes, a->len, &from_bytes, NULL) == 0);
	assert(multiaddr_format(a, &text) == 0);
	assert(multiaddr_parse((const char *)text.data, text.len, &from_text, NULL) == 0);
	assert(from_text.len == a->len && memcmp(from_text.bytes, a->bytes, a->len) == 0);
	assert(multiaddr_format(&from_bytes, &again) == 0);
	assert(again.len == text.len && memcmp(again.data, text.data, text.len) == 0);
	buf_deinit(&again);
	buf_deinit(&text);
}

static void check_parts(const struct multiaddr *a)
{
	struct peerid id;
	char host[64], peer[PEERID_TEXT_MAX];
	uint16_t port;

	if (multiaddr_peerid(a, &id) == 0)
		assert(peerid_format(&id, peer) < PEERID_TEXT_MAX);
	if (multiaddr_tcp(a, host, sizeof(host), &port, NULL) == 0)
		assert(strlen(host) > 0 && strlen(host) < sizeof(host));
	if (multiaddr_dnsaddr(a, host, sizeof(host)) == 0)
		assert(strlen(host) > 0 && multiaddr_first(a) == MULTIADDR_DNSADDR);
	assert(multiaddr_first(a) != 0 && multiaddr_equal(a, a));
}

/* What is cut off its end can be added again. */
static void check_peerid(const struct multiaddr *a)
{
	struct multiaddr b = *a;
	struct peerid id;

	multiaddr_cut_peerid(&b);
	assert(b.len <= a->len && memcmp(a->bytes, b.bytes, b.len) == 0);
	if (b.len == a->len)
		return;
	assert(multiaddr_peerid(a, &id) == 0);
	assert(multiaddr_add_peerid(&b, &id) == 0 && multiaddr_equal(a, &b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	struct multiaddr a;

	if (multiaddr_from_bytes(data, size, &a, &e) == 0) {
		check(&a);
		check_parts(&a);
		check_peerid(&a);
	}
	if (multiaddr_parse((const char *)data, size, &a, &e) == 0) {
		check(&a);
		check_parts(&a);
		check_peerid(&a);
	}
	return 0;
}
