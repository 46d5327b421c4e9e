#include "types/multiaddr_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "types/peerid.h"
#include "util/base_enc.h"
#include "util/json_write.h"
#include "util/varint.h"

#define ONION_HOST 10 /* bytes; a port follows */
#define ONION3_HOST 35
#define GARLIC64_MIN 386
#define GARLIC32_LEN 32
#define GARLIC32_MIN 35 /* of an address with an encrypted lease set */

/* Where the length alone decides. */
static bool any_value(const uint8_t *p, size_t n)
{
	return true;
}

static int store(const void *p, size_t n, uint8_t *out, size_t cap)
{
	if (n > cap)
		return -EFBIG;
	memcpy(out, p, n);
	return (int)n;
}

static int text_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	return store(s, n, out, cap);
}

static int text_format(const uint8_t *p, size_t n, struct buf *out)
{
	return buf_append(out, p, n);
}

static bool name_valid(const uint8_t *p, size_t n)
{
	return n > 0 && !memchr(p, '/', n);
}

static bool path_valid(const uint8_t *p, size_t n)
{
	return n >= 2 && p[0] == '/' && p[n - 1] != '/';
}

/* Decimal digits up to @max, big endian in @width bytes. */
static int number_parse(const char *s, size_t n, uint64_t max, size_t width, uint8_t *out,
			size_t cap)
{
	uint64_t v = 0;

	if (n == 0 || width > cap)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned char)s[i] - (unsigned)'0';

		if (d > 9 || v > (max - d) / 10)
			return -EINVAL;
		v = v * 10 + d;
	}
	for (size_t i = width; i-- > 0; v >>= 8)
		out[i] = (uint8_t)v;
	return (int)width;
}

static int number_format(const uint8_t *p, size_t n, struct buf *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return json_write_uint(out, v);
}

static int port_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	return number_parse(s, n, UINT16_MAX, 2, out, cap);
}

static int cidr_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	return number_parse(s, n, UINT8_MAX, 1, out, cap);
}

static int memory_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	return number_parse(s, n, UINT64_MAX, 8, out, cap);
}

/* Either kind of IP address as 16 bytes, an IPv4 address mapped. */
static int ip_parse(const char *s, size_t n, uint8_t ret[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];

	if (n >= sizeof(text) || memchr(s, '\0', n))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	memcpy(ret, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, ret + 12) == 1 || inet_pton(AF_INET6, text, ret) == 1)
		return 0;
	return -EINVAL;
}

static bool ip6_is_mapped(const uint8_t p[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(p, mapped, sizeof(mapped)) == 0;
}

static int ip4_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	uint8_t ip[16];
	int r = ip_parse(s, n, ip);

	if (r < 0 || !ip6_is_mapped(ip))
		return -EINVAL;
	return store(ip + 12, 4, out, cap);
}

static int ip4_format(const uint8_t *p, size_t n, struct buf *out)
{
	return buf_printf(out, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
}

static int ip6_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	uint8_t ip[16];
	int r = ip_parse(s, n, ip);

	return r < 0 ? r : store(ip, sizeof(ip), out, cap);
}

/* The first of the longest runs of zero groups; a single group is no run (RFC 5952). */
static size_t ip6_zeros(const uint8_t p[16], size_t *ret_len)
{
	size_t best = 8, best_len = 1, len = 0;

	for (size_t i = 0; i < 8; i++) {
		len = p[2 * i] == 0 && p[2 * i + 1] == 0 ? len + 1 : 0;
		if (len > best_len) {
			best = i + 1 - len;
			best_len = len;
		}
	}
	*ret_len = best_len;
	return best;
}

/* Not inet_ntop: that writes addresses such as ::1:2 with a dotted quad. */
static int ip6_format(const uint8_t *p, size_t n, struct buf *out)
{
	size_t zeros_len, zeros = ip6_zeros(p, &zeros_len);
	int r = 0;

	if (ip6_is_mapped(p))
		return buf_printf(out, "::ffff:%u.%u.%u.%u", p[12], p[13], p[14], p[15]);
	for (size_t i = 0; i < 8 && r == 0;) {
		bool colon = i > 0 && i != zeros + zeros_len;

		if (i == zeros) {
			r = buf_str(out, "::");
			i += zeros_len;
			continue;
		}
		r = buf_printf(out, "%s%x", colon ? ":" : "", p[2 * i] << 8 | p[2 * i + 1]);
		i++;
	}
	return r;
}

static int p2p_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	struct peerid id;
	int r = peerid_parse(s, n, &id, NULL);

	return r < 0 ? r : store(id.bytes, id.len, out, cap);
}

static bool p2p_valid(const uint8_t *p, size_t n)
{
	struct peerid id;

	return peerid_from_bytes(p, n, &id, NULL) == 0;
}

static int p2p_format(const uint8_t *p, size_t n, struct buf *out)
{
	return base58_encode(out, p, n);
}

/* "<base32>:<port>". */
static int onion_parse_any(const char *s, size_t n, size_t host, uint8_t *out, size_t cap)
{
	const char *colon = memchr(s, ':', n);
	size_t text = colon ? (size_t)(colon - s) : n;

	if (!colon || cap < host + 2 || base32_decode(s, text, out, host) != (int)host ||
	    port_parse(colon + 1, n - text - 1, out + host, 2) < 0)
		return -EINVAL;
	return (int)host + 2;
}

static int onion_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	return onion_parse_any(s, n, ONION_HOST, out, cap);
}

static int onion3_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	return onion_parse_any(s, n, ONION3_HOST, out, cap);
}

static bool onion_valid(const uint8_t *p, size_t n)
{
	return p[n - 2] != 0 || p[n - 1] != 0;
}

static int onion_format(const uint8_t *p, size_t n, struct buf *out)
{
	int r = base32_lower_encode(out, p, n - 2);

	if (r == 0)
		r = buf_byte(out, ':');
	return r < 0 ? r : number_format(p + n - 2, 2, out);
}

/* I2P writes base64 with "-~" in place of "+/". */
static int garlic64_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	char text[1024];

	if (n > sizeof(text))
		return -EFBIG;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '+' || s[i] == '/')
			return -EINVAL;
		text[i] = s[i];
		if (s[i] == '-')
			text[i] = '+';
		else if (s[i] == '~')
			text[i] = '/';
	}
	return base64_decode(text, n, out, cap);
}

static bool garlic64_valid(const uint8_t *p, size_t n)
{
	return n >= GARLIC64_MIN;
}

static int garlic64_format(const uint8_t *p, size_t n, struct buf *out)
{
	size_t start = out->len;
	int r = base64_encode(out, p, n);

	for (size_t i = start; i < out->len; i++) {
		if (out->data[i] == '+')
			out->data[i] = '-';
		else if (out->data[i] == '/')
			out->data[i] = '~';
	}
	return r;
}

static bool garlic32_valid(const uint8_t *p, size_t n)
{
	return n == GARLIC32_LEN || n >= GARLIC32_MIN;
}

static int garlic32_format(const uint8_t *p, size_t n, struct buf *out)
{
	return base32_lower_encode(out, p, n);
}

static bool multihash_valid(const uint8_t *p, size_t n)
{
	uint64_t code, digest;
	int code_len = varint_get(p, n, 1, &code), digest_len;

	if (code_len < 0)
		return false;
	digest_len = varint_get(p + code_len, n - (size_t)code_len, 1, &digest);
	return digest_len > 0 && digest == n - (size_t)code_len - (size_t)digest_len;
}

/* Base64 of the URL alphabet, no padding. */
static int certhash_format(const uint8_t *p, size_t n, struct buf *out)
{
	size_t start;
	int r = buf_byte(out, 'u');

	if (r < 0)
		return r;
	start = out->len;
	r = base64_encode(out, p, n);
	for (size_t i = start; i < out->len; i++) {
		if (out->data[i] == '+')
			out->data[i] = '-';
		else if (out->data[i] == '/')
			out->data[i] = '_';
	}
	while (out->len > start && out->data[out->len - 1] == '=')
		out->len--;
	return r;
}

/* Query escaping: "+" for a space, "%XX" for all but letters, digits and "-_.~". */
static int http_path_parse(const char *s, size_t n, uint8_t *out, size_t cap)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)s[i];

		if (c == '+')
			c = ' ';
		if (c == '%') {
			if (n - i < 3 || base16_decode(s + i + 1, 2, &c, 1) != 1)
				return -EINVAL;
			i += 2;
		}
		if (len == cap)
			return -EFBIG;
		out[len++] = c;
	}
	return (int)len;
}

static int http_path_format(const uint8_t *p, size_t n, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		uint8_t c = p[i], letter = c | 0x20;

		if ((letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr("-_.~", c)))
			r = buf_byte(out, c);
		else if (c == ' ')
			r = buf_byte(out, '+');
		else
			r = buf_printf(out, "%%%02X", c);
	}
	return r;
}

#define FLAG(c, name_)                                                                             \
	{                                                                                          \
		.code = (c), .name = (name_)                                                       \
	}
#define VALUE(c, name_, size_, parse_, valid_, format_)                                            \
	{                                                                                          \
		.code = (c), .name = (name_), .size = (size_), .parse = parse_, .valid = valid_,   \
		.format = format_                                                                  \
	}
#define PORT(c, name_) VALUE(c, name_, 2, port_parse, any_value, number_format)
#define NAME(c, name_) VALUE(c, name_, MULTIADDR_VARIABLE, text_parse, name_valid, text_format)

static const struct multiaddr_proto protos[] = {
	VALUE(MULTIADDR_IP4, "ip4", 4, ip4_parse, any_value, ip4_format),
	PORT(MULTIADDR_TCP, "tcp"),
	PORT(33, "dccp"),
	VALUE(MULTIADDR_IP6, "ip6", 16, ip6_parse, any_value, ip6_format),
	NAME(42, "ip6zone"),
	VALUE(MULTIADDR_IPCIDR, "ipcidr", 1, cidr_parse, any_value, number_format),
	NAME(MULTIADDR_DNS, "dns"),
	NAME(MULTIADDR_DNS4, "dns4"),
	NAME(MULTIADDR_DNS6, "dns6"),
	NAME(MULTIADDR_DNSADDR, "dnsaddr"),
	PORT(132, "sctp"),
	PORT(273, "udp"),
	FLAG(276, "p2p-webrtc-direct"),
	FLAG(280, "webrtc-direct"),
	FLAG(281, "webrtc"),
	FLAG(290, "p2p-circuit"),
	FLAG(301, "udt"),
	FLAG(302, "utp"),
	{ .code = 400,
	  .name = "unix",
	  .size = MULTIADDR_VARIABLE,
	  .path = true,
	  .parse = text_parse,
	  .valid = path_valid,
	  .format = text_format },
	VALUE(MULTIADDR_P2P, "p2p", MULTIADDR_VARIABLE, p2p_parse, p2p_valid, p2p_format),
	FLAG(443, "https"),
	VALUE(444, "onion", ONION_HOST + 2, onion_parse, onion_valid, onion_format),
	VALUE(445, "onion3", ONION3_HOST + 2, onion3_parse, onion_valid, onion_format),
	VALUE(446, "garlic64", MULTIADDR_VARIABLE, garlic64_parse, garlic64_valid, garlic64_format),
	VALUE(447, "garlic32", MULTIADDR_VARIABLE, base32_decode, garlic32_valid, garlic32_format),
	FLAG(448, "tls"),
	NAME(449, "sni"),
	FLAG(454, "noise"),
	FLAG(460, "quic"),
	FLAG(461, "quic-v1"),
	FLAG(465, "webtransport"),
	VALUE(466, "certhash", MULTIADDR_VARIABLE, multibase_decode, multihash_valid,
	      certhash_format),
	FLAG(477, "ws"),
	FLAG(478, "wss"),
	FLAG(480, "http"),
	VALUE(481, "http-path", MULTIADDR_VARIABLE, http_path_parse, any_value, http_path_format),
	VALUE(777, "memory", 8, memory_parse, any_value, number_format),
	FLAG(7367777, "plaintextv2"),
};

const struct multiaddr_proto *multiaddr_proto_by_code(uint64_t code)
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(*protos); i++) {
		if (protos[i].code == code)
			return &protos[i];
	}
	return NULL;
}

const struct multiaddr_proto *multiaddr_proto_by_name(const char *s, size_t n)
{
	if (n == 4 && memcmp(s, "ipfs", 4) == 0) /* its old name */
		return multiaddr_proto_by_code(MULTIADDR_P2P);
	for (size_t i = 0; i < sizeof(protos) / sizeof(*protos); i++) {
		if (strlen(protos[i].name) == n && memcmp(protos[i].name, s, n) == 0)
			return &protos[i];
	}
	return NULL;
}
