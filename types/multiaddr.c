#include "types/multiaddr.h"

#include <errno.h>
#include <string.h>

#include "types/multiaddr_value.h"
#include "util/varint.h"

#define COMPONENTS_MAX 32
#define QUOTE_MAX 120 /* how much of a wrong text an error message repeats */

/* One component of a binary address, not copied. */
struct component {
	const struct multiaddr_proto *proto;
	const uint8_t *value;
	size_t len;
};

/* Reads the component at *@at and moves on. */
static int next_component(const uint8_t *p, size_t n, size_t *at, struct component *c,
			  struct err *e)
{
	uint64_t code, len;
	int r = varint_get(p + *at, n - *at, 1, &code);

	if (r < 0)
		return err_set(e, -EBADMSG, "malformed protocol code in an address");
	*at += (size_t)r;
	c->proto = multiaddr_proto_by_code(code);
	if (!c->proto)
		return err_set(e, -EBADMSG, "unknown protocol %llu in an address",
			       (unsigned long long)code);
	len = c->proto->size > 0 ? (uint64_t)c->proto->size : 0;
	if (c->proto->size == MULTIADDR_VARIABLE) {
		r = varint_get(p + *at, n - *at, 1, &len);
		if (r < 0)
			return err_set(e, -EBADMSG, "malformed length in an address");
		*at += (size_t)r;
	}
	if (len > n - *at)
		return err_set(e, -EBADMSG, "the value of %s in an address is cut", c->proto->name);
	c->value = p + *at;
	c->len = (size_t)len;
	*at += c->len;
	if (c->proto->size != 0 && (c->len == 0 || !c->proto->valid(c->value, c->len)))
		return err_set(e, -EBADMSG, "invalid value of %s in an address", c->proto->name);
	return 0;
}

int multiaddr_from_bytes(const uint8_t *p, size_t n, struct multiaddr *ret, struct err *e)
{
	struct component c = { 0 };
	unsigned count = 0;

	if (n == 0)
		return err_set(e, -EBADMSG, "empty address");
	if (n > MULTIADDR_BYTES_MAX)
		return err_set(e, -EBADMSG, "an address of %zu bytes is too long", n);
	for (size_t at = 0; at < n;) {
		int r;

		if (count++ == COMPONENTS_MAX)
			return err_set(e, -EBADMSG, "an address has too many components");
		if (c.proto && c.proto->path)
			return err_set(e, -EBADMSG, "something follows the path of an address");
		r = next_component(p, n, &at, &c, e);
		if (r < 0)
			return r;
	}
	ret->len = (uint16_t)n;
	memcpy(ret->bytes, p, n);
	return 0;
}

static int append_varint(struct multiaddr *a, uint64_t v)
{
	if (varint_len(v) > sizeof(a->bytes) - a->len)
		return -EFBIG;
	a->len = (uint16_t)(a->len + varint_put(a->bytes + a->len, v));
	return 0;
}

/* Appends the value of @proto that the @n bytes of text stand for. */
static int append_value(struct multiaddr *a, const struct multiaddr_proto *proto, const char *s,
			size_t n)
{
	uint8_t value[MULTIADDR_BYTES_MAX];
	int len = proto->parse(s, n, value, sizeof(value)), r = 0;

	if (len < 0)
		return len;
	if (len == 0 || !proto->valid(value, (size_t)len))
		return -EINVAL;
	if (proto->size == MULTIADDR_VARIABLE)
		r = append_varint(a, (uint64_t)len);
	if (r < 0 || (size_t)len > sizeof(a->bytes) - a->len)
		return -EFBIG;
	memcpy(a->bytes + a->len, value, (size_t)len);
	a->len = (uint16_t)(a->len + len);
	return 0;
}

static size_t until_slash(const char *s, size_t n)
{
	const char *slash = memchr(s, '/', n);

	return slash ? (size_t)(slash - s) : n;
}

static int clip(size_t n)
{
	return (int)(n < QUOTE_MAX ? n : QUOTE_MAX);
}

/* Appends the component at *@at, where a slash is, and moves on. */
static int parse_component(const char *s, size_t n, size_t *at, struct multiaddr *a, struct err *e)
{
	const char *name = s + *at + 1;
	size_t len = until_slash(name, n - *at - 1);
	const struct multiaddr_proto *proto = multiaddr_proto_by_name(name, len);
	const char *value;
	int r;

	if (!proto)
		return err_set(e, -EINVAL, "unknown protocol \"%.*s\" in an address", clip(len),
			       name);
	*at += 1 + len;
	if (append_varint(a, proto->code) < 0)
		return err_set(e, -EINVAL, "an address is too long");
	if (proto->size == 0)
		return 0;
	if (*at == n)
		return err_set(e, -EINVAL, "an address ends after \"/%s\"", proto->name);
	value = s + *at + (proto->path ? 0 : 1);
	len = n - (size_t)(value - s);
	if (!proto->path)
		len = until_slash(value, len);
	*at = (size_t)(value - s) + len;
	r = append_value(a, proto, value, len);
	if (r == -EFBIG)
		return err_set(e, -EINVAL, "an address is too long");
	if (r < 0)
		return err_set(e, -EINVAL, "\"%.*s\" is no value of %s in an address", clip(len),
			       value, proto->name);
	return 0;
}

int multiaddr_parse(const char *s, size_t n, struct multiaddr *ret, struct err *e)
{
	struct multiaddr a = { 0 };
	unsigned count = 0;

	while (n > 0 && s[n - 1] == '/')
		n--;
	if (n == 0)
		return err_set(e, -EINVAL, "empty address");
	if (s[0] != '/')
		return err_set(e, -EINVAL, "\"%.*s\" is no address: it must begin with \"/\"",
			       clip(n), s);
	for (size_t at = 0; at < n;) {
		int r;

		if (count++ == COMPONENTS_MAX)
			return err_set(e, -EINVAL, "an address has too many components");
		r = parse_component(s, n, &at, &a, e);
		if (r < 0)
			return r;
	}
	*ret = a;
	return 0;
}

int multiaddr_format(const struct multiaddr *a, struct buf *out)
{
	size_t start = out->len;
	int r = 0;

	for (size_t at = 0; at < a->len && r == 0;) {
		struct component c = { 0 };

		r = next_component(a->bytes, a->len, &at, &c, NULL);
		if (r == 0)
			r = buf_byte(out, '/');
		if (r == 0)
			r = buf_str(out, c.proto->name);
		if (r == 0 && c.len > 0 && !c.proto->path)
			r = buf_byte(out, '/');
		if (r == 0 && c.len > 0)
			r = c.proto->format(c.value, c.len, out);
	}
	if (r < 0)
		out->len = start;
	return r;
}

int multiaddr_peerid(const struct multiaddr *a, struct peerid *ret)
{
	int found = -ENOENT;

	for (size_t at = 0; at < a->len;) {
		struct component c = { 0 };
		int r = next_component(a->bytes, a->len, &at, &c, NULL);

		if (r < 0)
			return r;
		if (c.proto->code == MULTIADDR_P2P)
			found = peerid_from_bytes(c.value, c.len, ret, NULL);
	}
	return found;
}

int multiaddr_add_peerid(struct multiaddr *a, const struct peerid *id)
{
	struct multiaddr longer = *a;

	if (append_varint(&longer, MULTIADDR_P2P) < 0 || append_varint(&longer, id->len) < 0 ||
	    id->len > sizeof(longer.bytes) - longer.len)
		return -EFBIG;
	memcpy(longer.bytes + longer.len, id->bytes, id->len);
	longer.len = (uint16_t)(longer.len + id->len);
	*a = longer;
	return 0;
}

void multiaddr_cut_peerid(struct multiaddr *a)
{
	struct component c = { 0 };
	size_t at = 0, last = 0;

	while (at < a->len) {
		last = at;
		if (next_component(a->bytes, a->len, &at, &c, NULL) < 0)
			return;
	}
	if (c.proto && c.proto->code == MULTIADDR_P2P)
		a->len = (uint16_t)last;
}

void multiaddr_from_tcp(const uint8_t *ip, size_t n, uint16_t port, struct multiaddr *ret)
{
	ret->len = 0;
	append_varint(ret, n == 4 ? MULTIADDR_IP4 : MULTIADDR_IP6);
	memcpy(ret->bytes + ret->len, ip, n);
	ret->len = (uint16_t)(ret->len + n);
	append_varint(ret, MULTIADDR_TCP);
	ret->bytes[ret->len++] = (uint8_t)(port >> 8);
	ret->bytes[ret->len++] = (uint8_t)port;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;

	return memcmp(a, b, bits / 8) == 0 &&
	       (rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0);
}

bool multiaddr_in_network(const struct multiaddr *a, const struct multiaddr *filter)
{
	struct component ip = { 0 }, net = { 0 }, cidr = { 0 };
	size_t at = 0, filter_at = 0;

	if (next_component(a->bytes, a->len, &at, &ip, NULL) < 0 ||
	    next_component(filter->bytes, filter->len, &filter_at, &net, NULL) < 0 ||
	    next_component(filter->bytes, filter->len, &filter_at, &cidr, NULL) < 0)
		return false;
	return (net.proto->code == MULTIADDR_IP4 || net.proto->code == MULTIADDR_IP6) &&
	       cidr.proto->code == MULTIADDR_IPCIDR && ip.proto == net.proto &&
	       cidr.value[0] <= 8 * net.len && same_bits(ip.value, net.value, cidr.value[0]);
}

bool multiaddr_equal(const struct multiaddr *a, const struct multiaddr *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

uint32_t multiaddr_first(const struct multiaddr *a)
{
	struct component c = { 0 };
	size_t at = 0;

	return next_component(a->bytes, a->len, &at, &c, NULL) == 0 ? c.proto->code : 0;
}

size_t multiaddr_ip(const struct multiaddr *a, uint8_t ret[16])
{
	struct component c = { 0 };
	size_t at = 0;

	if (next_component(a->bytes, a->len, &at, &c, NULL) < 0 ||
	    (c.proto->code != MULTIADDR_IP4 && c.proto->code != MULTIADDR_IP6))
		return 0;
	memcpy(ret, c.value, c.len);
	return c.len;
}

static bool is_host(const struct multiaddr_proto *proto)
{
	switch (proto->code) {
	case MULTIADDR_IP4:
	case MULTIADDR_IP6:
	case MULTIADDR_DNS:
	case MULTIADDR_DNS4:
	case MULTIADDR_DNS6:
		return true;
	default:
		return false;
	}
}

/* Nothing stands at @at, or only a peer. */
static bool ends_at(const struct multiaddr *a, size_t at)
{
	struct component peer = { 0 };

	return at == a->len || (next_component(a->bytes, a->len, &at, &peer, NULL) == 0 &&
				peer.proto->code == MULTIADDR_P2P && at == a->len);
}

int multiaddr_dnsaddr(const struct multiaddr *a, char *ret_name, size_t cap)
{
	struct component name = { 0 };
	size_t at = 0;

	if (next_component(a->bytes, a->len, &at, &name, NULL) < 0 ||
	    name.proto->code != MULTIADDR_DNSADDR || !ends_at(a, at) || name.len >= cap ||
	    memchr(name.value, 0, name.len))
		return -EINVAL;
	memcpy(ret_name, name.value, name.len);
	ret_name[name.len] = '\0';
	return 0;
}

bool multiaddr_is_plain_tcp(const struct multiaddr *a)
{
	struct component host = { 0 }, port = { 0 };
	size_t at = 0;

	if (next_component(a->bytes, a->len, &at, &host, NULL) < 0 || !is_host(host.proto) ||
	    next_component(a->bytes, a->len, &at, &port, NULL) < 0 ||
	    port.proto->code != MULTIADDR_TCP)
		return false;
	return ends_at(a, at);
}

int multiaddr_tcp(const struct multiaddr *a, char *ret_host, size_t cap, uint16_t *ret_port,
		  struct err *e)
{
	struct component host = { 0 }, port = { 0 };
	struct buf text;
	size_t at = 0;
	int r;

	if (next_component(a->bytes, a->len, &at, &host, NULL) < 0 || !is_host(host.proto) ||
	    next_component(a->bytes, a->len, &at, &port, NULL) < 0 ||
	    port.proto->code != MULTIADDR_TCP)
		return err_set(e, -EINVAL, "the address is not of a host and a TCP port");
	if (memchr(host.value, '\0', host.len) && !(host.proto->size > 0))
		return err_set(e, -EINVAL, "a zero byte in a host name");
	buf_init(&text, 0);
	r = host.proto->format(host.value, host.len, &text);
	if (r == 0)
		r = buf_byte(&text, '\0');
	if (r == 0 && text.len > cap)
		r = -EINVAL;
	if (r < 0) {
		err_sys(e, r, "the host name of an address");
		goto out;
	}
	memcpy(ret_host, text.data, text.len);
	*ret_port = (uint16_t)(port.value[0] << 8 | port.value[1]);
out:
	buf_deinit(&text);
	return r;
}
