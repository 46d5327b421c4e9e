#include "net/dnsaddr.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <string.h>

#define PREFIX "dnsaddr="

/* Joins the strings of a record. Returns how many bytes; 0: too many, or malformed. */
static size_t join(const uint8_t *p, size_t n, char text[DNSADDR_TEXT_MAX])
{
	size_t len = 0;

	while (n > 0) {
		size_t part = *p++;

		n--;
		if (part > n || part > DNSADDR_TEXT_MAX - len)
			return 0;
		memcpy(text + len, p, part);
		len += part;
		p += part;
		n -= part;
	}
	return len;
}

static int read_record(const ns_rr *rr, const struct peerid *peer, struct multiaddr *ret)
{
	const size_t prefix = strlen(PREFIX);
	char text[DNSADDR_TEXT_MAX];
	struct multiaddr plain;
	struct peerid named;
	size_t n = join(ns_rr_rdata(*rr), ns_rr_rdlen(*rr), text);

	if (n < prefix || memcmp(text, PREFIX, prefix) != 0 ||
	    multiaddr_parse(text + prefix, n - prefix, ret, NULL) < 0)
		return -EINVAL;
	plain = *ret;
	multiaddr_cut_peerid(&plain);
	if (plain.len == ret->len || multiaddr_peerid(ret, &named) < 0 ||
	    !peerid_equal(&named, peer))
		return -EINVAL;
	return 0;
}

int dnsaddr_read(const uint8_t *answer, size_t n, const struct peerid *peer, struct multiaddr *ret,
		 size_t cap)
{
	int found = 0;
	ns_msg m;
	ns_rr rr;

	if (n > NS_MAXMSG || ns_initparse(answer, (int)n, &m) < 0)
		return -EBADMSG;
	for (int i = 0; i < ns_msg_count(m, ns_s_an) && (size_t)found < cap; i++) {
		if (ns_parserr(&m, ns_s_an, i, &rr) < 0)
			return -EBADMSG;
		if (ns_rr_type(rr) == ns_t_txt && ns_rr_class(rr) == ns_c_in)
			found += read_record(&rr, peer, &ret[found]) == 0;
	}
	return found;
}
