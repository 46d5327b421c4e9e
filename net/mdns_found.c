#include "net/mdns_found.h"

#include <string.h>
#include <strings.h>

#include "net/reach.h"

#define LOCAL ".local"
#define HOST_CAP 256

bool mdns_is_suitable(const struct multiaddr *a)
{
	const size_t local = strlen(LOCAL);
	char host[HOST_CAP];
	uint16_t port;
	uint8_t ip[16];
	size_t n;

	if (!multiaddr_is_plain_tcp(a))
		return false;
	if (multiaddr_ip(a, ip) > 0)
		return true;
	if (multiaddr_tcp(a, host, sizeof(host), &port, NULL) < 0)
		return false;
	n = strlen(host);
	return n > local && strcasecmp(host + n - local, LOCAL) == 0;
}

/* Whether we may find somebody there: who is on the same network has any kind of address but those
 * of its own machine. */
static bool is_useful(const struct multiaddr *a, bool near)
{
	enum reach r = reach_of(a);

	return r != REACH_NOWHERE && (near || r != REACH_MACHINE);
}

static bool read_text(const char *text, size_t n, bool near, struct multiaddr *ret,
		      struct peerid *ret_peer)
{
	const size_t prefix = strlen(MDNS_TEXT);

	return n > prefix && memcmp(text, MDNS_TEXT, prefix) == 0 &&
	       multiaddr_parse(text + prefix, n - prefix, ret, NULL) == 0 &&
	       multiaddr_peerid(ret, ret_peer) == 0 && mdns_is_suitable(ret) &&
	       is_useful(ret, near);
}

bool mdns_found_read(const struct mdns_entry *txt, bool near, struct mdns_found *ret)
{
	const char *text;
	size_t at = 0, n;

	ret->n = 0;
	for (size_t i = 0; i < MDNS_ADDRESSES_MAX && mdns_text(txt, &at, &text, &n); i++) {
		struct peerid peer;

		if (!read_text(text, n, near, &ret->v[ret->n], &peer))
			continue;
		if (ret->n == 0)
			ret->peer = peer;
		else if (!peerid_equal(&peer, &ret->peer))
			continue;
		ret->n++;
	}
	return ret->n > 0;
}

/* Its place, or one for it; MDNS_PEERS_MAX: there is none. */
static size_t place_of(const struct mdns_peers *p, const struct peerid *id, uint64_t now_ms)
{
	size_t at = p->n;

	for (size_t i = 0; i < p->n; i++) {
		if (peerid_equal(&p->v[i].id, id))
			return i;
		if (now_ms - p->v[i].heard_at >= MDNS_FORGET_MS)
			at = i;
	}
	return at;
}

bool mdns_peers_heard(struct mdns_peers *p, const struct peerid *id, uint64_t now_ms)
{
	size_t at = place_of(p, id, now_ms);

	if (at == MDNS_PEERS_MAX)
		return false;
	if (at == p->n || !peerid_equal(&p->v[at].id, id)) {
		p->n += at == p->n;
		p->v[at].id = *id;
		p->v[at].again_at = now_ms;
		p->v[at].wait = MDNS_AGAIN_FIRST_MS;
	}
	p->v[at].heard_at = now_ms;
	return now_ms >= p->v[at].again_at;
}

void mdns_peers_told(struct mdns_peers *p, const struct peerid *id, uint64_t now_ms)
{
	size_t at = place_of(p, id, now_ms);

	if (at == p->n)
		return;
	p->v[at].again_at = now_ms + p->v[at].wait;
	p->v[at].wait *= 2;
	if (p->v[at].wait > MDNS_AGAIN_MOST_MS)
		p->v[at].wait = MDNS_AGAIN_MOST_MS;
}
