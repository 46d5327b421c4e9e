#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/vectors.h"
#include "types/multiaddr.h"

static int setup(void **state)
{
	*state = vectors_load("multiaddr.json");
	return 0;
}

static int teardown(void **state)
{
	json_decref(*state);
	return 0;
}

static void check_text(const struct multiaddr *a, const char *want)
{
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, multiaddr_format(a, &out));
	assert_int_equal(0, buf_terminate(&out));
	assert_string_equal(want, (const char *)out.data);
	buf_deinit(&out);
}

static void check_recorded(json_t *cases)
{
	json_t *c;
	size_t i;

	json_array_foreach (cases, i, c) {
		const char *s = vectors_str(c, "text");
		uint8_t bytes[MULTIADDR_BYTES_MAX];
		size_t n = vectors_hex(c, "bytes", bytes, sizeof(bytes));
		struct multiaddr a;

		if (multiaddr_parse(s, strlen(s), &a, NULL) != 0)
			fail_msg("\"%s\" is refused", s);
		assert_int_equal(n, a.len);
		assert_memory_equal(bytes, a.bytes, n);
		check_text(&a, vectors_str(c, "canonical_text"));
		assert_int_equal(0, multiaddr_from_bytes(bytes, n, &a, NULL));
		check_text(&a, vectors_str(c, "canonical_text"));
	}
}

static void recorded_addresses_come_back(void **state)
{
	check_recorded(vectors_array(*state, "cases"));
}

static void recorded_odd_texts_give_the_canonical_one(void **state)
{
	check_recorded(vectors_array(*state, "non_canonical_text"));
}

static void recorded_wrong_texts_are_refused(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "invalid_text"), i, c) {
		const char *s = vectors_str(c, "text");
		struct multiaddr a;
		struct err e = { 0 };

		if (multiaddr_parse(s, strlen(s), &a, &e) != -EINVAL)
			fail_msg("\"%s\" is taken as an address", s);
		assert_int_equal(-EINVAL, e.code);
	}
}

static void recorded_wrong_bytes_are_refused(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "invalid_bytes"), i, c) {
		uint8_t bytes[MULTIADDR_BYTES_MAX];
		size_t n = vectors_hex(c, "bytes", bytes, sizeof(bytes));
		struct multiaddr a;
		struct err e = { 0 };

		if (multiaddr_from_bytes(bytes, n, &a, &e) != -EBADMSG)
			fail_msg("%s is taken as an address", vectors_str(c, "bytes"));
		assert_int_equal(-EBADMSG, e.code);
	}
}

static void values_are_read_and_printed_as_go_does(void **state)
{
	static const struct {
		const char *text, *canonical;
	} cases[] = {
		{ "/ip6/0:0:1:0:0:0:0:1", "/ip6/0:0:1::1" },
		{ "/ip6/1:0:0:2:0:0:3:4", "/ip6/1::2:0:0:3:4" },
		{ "/ip6/1:0:2:3:4:5:6:7", "/ip6/1:0:2:3:4:5:6:7" },
		{ "/ip6/1:2:3:4:5:6:0:0", "/ip6/1:2:3:4:5:6::" },
		{ "/ip6/0:0:0:0:0:0:102:304", "/ip6/::102:304" },
		{ "/ip6/::1.2.3.4", "/ip6/::102:304" },
		{ "/ip6/::", "/ip6/::" },
		{ "/ip6/ABCD::EF", "/ip6/abcd::ef" },
		{ "/ip6/10.0.0.1", "/ip6/::ffff:10.0.0.1" },
		{ "/ip4/::ffff:10.0.0.1", "/ip4/10.0.0.1" },
		{ "/ip4/10.0.0.0/ipcidr/8", "/ip4/10.0.0.0/ipcidr/8" },
		{ "/memory/18446744073709551615", "/memory/18446744073709551615" },
		{ "/onion/TIMAQ4YGG2IEGCI7:80", "/onion/timaq4ygg2iegci7:80" },
		{ "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234",
		  "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234" },
		{ "/garlic32/566niximlxdzpanmn4qouucvua3k7neniwss47li5r6ugoertzuq",
		  "/garlic32/566niximlxdzpanmn4qouucvua3k7neniwss47li5r6ugoertzuq" },
		{ "/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/"
		  "b2uaraocy6yrdblb4sfptaddgimjmmpy",
		  "/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/"
		  "u1QEQOFj2IjCsPJFfMAxmQxLGPw" },
		{ "/http-path/a%2fb+c%20d~%c3%a9", "/http-path/a%2Fb+c+d~%C3%A9" },
		{ "/unix/a//b", "/unix/a//b" },
		{ "/ip4/1.2.3.4/tcp/1/tls/sni/example.org/ws",
		  "/ip4/1.2.3.4/tcp/1/tls/sni/example.org/ws" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct multiaddr a, b;

		if (multiaddr_parse(cases[i].text, strlen(cases[i].text), &a, NULL) != 0)
			fail_msg("\"%s\" is refused", cases[i].text);
		check_text(&a, cases[i].canonical);
		assert_int_equal(0, multiaddr_from_bytes(a.bytes, a.len, &b, NULL));
	}
}

static void wrong_values_are_refused(void **state)
{
	static const char *const texts[] = {
		"/ip4/1.2.3",
		"/ip4/::1",
		"/ip4/1.2.3.4 ",
		"/ip6/1::2::3",
		"/ip6/fe80::1%eth0",
		"/ip6/12345::",
		"/ip6/1:2:3:4:5:6:7:8:9",
		"/ip6/1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
		"/tcp/",
		"/tcp/+1",
		"/tcp/1 ",
		"/tcp/99999999999999999999999",
		"/ipcidr/256",
		"/memory/18446744073709551616",
		"/onion/timaq4ygg2iegci7:0",
		"/onion/timaq4ygg2iegci7",
		"/onion/timaq4ygg2iegci:80",
		"/onion3/timaq4ygg2iegci7:80",
		"/garlic32/566niximlxdzpanmn4qo",
		"/garlic64/AAAA",
		"/certhash/b2uaraocy6yrdblb4sfptaddgimjmm",
		"/certhash/notmultibase",
		"/http-path/%2",
		"/http-path/%zz",
		"/http-path",
		"/unix",
		"/unix/",
		"/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx50",
		"/IP4/1.2.3.4",
		"/quic/1",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct multiaddr a;

		if (multiaddr_parse(texts[i], strlen(texts[i]), &a, NULL) != -EINVAL)
			fail_msg("\"%s\" is taken as an address", texts[i]);
	}
}

static void bytes_of_wrong_values_are_refused(void **state)
{
	static const char *const texts[] = {
		"3503612f62",                   /* a slash in a DNS name */
		"2a03612f62",                   /* and in a zone */
		"9003012f",                     /* a path that is only a slash */
		"9003026162",                   /* a path without one */
		"9003032f612f",                 /* a path that ends in one */
		"9003022f61047f000001",         /* something behind a path */
		"a5030400021234567f",           /* a peer ID and a cut component */
		"a50305120312345600",           /* a short sha2-256 */
		"bc03000000000000000000000000", /* onion, port 0 */
		"d20302d501",                   /* a certificate hash without digest */
		"bf03020000",                   /* a short garlic32 */
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		uint8_t bytes[MULTIADDR_BYTES_MAX];
		int n = base16_decode(texts[i], strlen(texts[i]), bytes, sizeof(bytes));
		struct multiaddr a;

		assert_true(n > 0);
		if (multiaddr_from_bytes(bytes, (size_t)n, &a, NULL) != -EBADMSG)
			fail_msg("%s is taken as an address", texts[i]);
	}
}

static void long_addresses_are_refused(void **state)
{
	struct buf text = BUF_INIT(0), bytes = BUF_INIT(0);
	struct multiaddr a;

	for (unsigned i = 0; i < 32; i++) {
		assert_int_equal(0, buf_str(&text, "/quic"));
		assert_int_equal(0, buf_append(&bytes, "\xcc\x03", 2));
	}
	assert_int_equal(0, multiaddr_parse((const char *)text.data, text.len, &a, NULL));
	assert_int_equal(0, multiaddr_from_bytes(bytes.data, bytes.len, &a, NULL));
	assert_int_equal(0, buf_str(&text, "/quic"));
	assert_int_equal(0, buf_append(&bytes, "\xcc\x03", 2));
	assert_int_equal(-EINVAL, multiaddr_parse((const char *)text.data, text.len, &a, NULL));
	assert_int_equal(-EBADMSG, multiaddr_from_bytes(bytes.data, bytes.len, &a, NULL));

	buf_reset(&text);
	assert_int_equal(0, buf_str(&text, "/dns/"));
	for (unsigned i = 0; i < MULTIADDR_BYTES_MAX - 3; i++)
		assert_int_equal(0, buf_byte(&text, 'a'));
	assert_int_equal(0, multiaddr_parse((const char *)text.data, text.len, &a, NULL));
	assert_int_equal(MULTIADDR_BYTES_MAX, a.len);
	assert_int_equal(0, buf_byte(&text, 'a'));
	assert_int_equal(-EINVAL, multiaddr_parse((const char *)text.data, text.len, &a, NULL));
	buf_deinit(&bytes);
	buf_deinit(&text);
}

static void garlic64_has_its_own_alphabet(void **state)
{
	uint8_t bytes[4 + 386] = { 0xbe, 0x03, 0x82, 0x03 };
	struct buf text = BUF_INIT(0);
	struct multiaddr a, back;

	memset(bytes + 4, 0xff, sizeof(bytes) - 4);
	bytes[4] = 0xfb; /* 62 first */
	assert_int_equal(0, multiaddr_from_bytes(bytes, sizeof(bytes), &a, NULL));
	assert_int_equal(0, multiaddr_format(&a, &text));
	assert_memory_equal("/garlic64/-~~~", text.data, 14);
	assert_int_equal(0, multiaddr_parse((const char *)text.data, text.len, &back, NULL));
	assert_int_equal(a.len, back.len);
	assert_memory_equal(a.bytes, back.bytes, a.len);
	text.data[10] = '+';
	assert_int_equal(-EINVAL, multiaddr_parse((const char *)text.data, text.len, &back, NULL));
	buf_deinit(&text);
}

static void the_last_peer_id_is_found(void **state)
{
	static const char first[] = "12D3KooWC9oniAazNn9Cynu2go2Se1foC8ywXTBoU9uCcvowzh33";
	static const char last[] = "12D3KooWLs1NBiycYfM7xFuY5RmcVGgLQvNkkYa2dzRbZPDD1e7j";
	char text[256], got[PEERID_TEXT_MAX];
	struct multiaddr a;
	struct peerid id;

	snprintf(text, sizeof(text), "/ip4/1.2.3.4/tcp/1/p2p/%s/p2p-circuit/p2p/%s", first, last);
	assert_int_equal(0, multiaddr_parse(text, strlen(text), &a, NULL));
	assert_int_equal(0, multiaddr_peerid(&a, &id));
	peerid_format(&id, got);
	assert_string_equal(last, got);
	assert_int_equal(0, multiaddr_parse("/ip4/1.2.3.4/tcp/1", 18, &a, NULL));
	assert_int_equal(-ENOENT, multiaddr_peerid(&a, &id));
}

static void tcp_gives_host_and_port(void **state)
{
	static const struct {
		const char *text, *host; /* NULL: refused */
		uint16_t port;
	} cases[] = {
		{ "/ip4/127.0.0.1/tcp/9096", "127.0.0.1", 9096 },
		{ "/ip6/::1/tcp/65535", "::1", 65535 },
		{ "/dns/example.org/tcp/80/http", "example.org", 80 },
		{ "/dns4/example.org/tcp/1", "example.org", 1 },
		{ "/dns6/example.org/tcp/1", "example.org", 1 },
		{ "/dnsaddr/example.org/tcp/1", NULL, 0 },
		{ "/ip4/127.0.0.1/udp/9096", NULL, 0 },
		{ "/ip4/127.0.0.1", NULL, 0 },
		{ "/tcp/1/ip4/127.0.0.1", NULL, 0 },
		{ "/unix/run/x", NULL, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct multiaddr a;
		char host[64];
		uint16_t port;
		int r;

		assert_int_equal(0,
				 multiaddr_parse(cases[i].text, strlen(cases[i].text), &a, NULL));
		r = multiaddr_tcp(&a, host, sizeof(host), &port, NULL);
		assert_int_equal(cases[i].host ? 0 : -EINVAL, r);
		if (!cases[i].host)
			continue;
		assert_string_equal(cases[i].host, host);
		assert_int_equal(cases[i].port, port);
		assert_int_equal(-EINVAL,
				 multiaddr_tcp(&a, host, strlen(cases[i].host), &port, NULL));
		assert_int_equal(0,
				 multiaddr_tcp(&a, host, strlen(cases[i].host) + 1, &port, NULL));
	}
}

static void tcp_refuses_a_zero_byte_in_a_name(void **state)
{
	static const uint8_t bytes[] = { 53, 3, 'a', 0, 'b', 6, 0, 80 };
	struct multiaddr a;
	char host[64];
	uint16_t port;

	assert_int_equal(0, multiaddr_from_bytes(bytes, sizeof(bytes), &a, NULL));
	assert_int_equal(-EINVAL, multiaddr_tcp(&a, host, sizeof(host), &port, NULL));
}

#define ALICE "12D3KooWC9oniAazNn9Cynu2go2Se1foC8ywXTBoU9uCcvowzh33"
#define BOB "12D3KooWLs1NBiycYfM7xFuY5RmcVGgLQvNkkYa2dzRbZPDD1e7j"

static struct multiaddr parse(const char *text)
{
	struct multiaddr a;

	if (multiaddr_parse(text, strlen(text), &a, NULL) != 0)
		fail_msg("\"%s\" is refused", text);
	return a;
}

static void a_peer_id_can_be_added_and_cut(void **state)
{
	struct multiaddr a = parse("/ip4/1.2.3.4/tcp/1");
	struct peerid id;

	multiaddr_cut_peerid(&a);
	check_text(&a, "/ip4/1.2.3.4/tcp/1");
	assert_int_equal(0, peerid_parse(ALICE, strlen(ALICE), &id, NULL));
	assert_int_equal(0, multiaddr_add_peerid(&a, &id));
	check_text(&a, "/ip4/1.2.3.4/tcp/1/p2p/" ALICE);
	multiaddr_cut_peerid(&a);
	check_text(&a, "/ip4/1.2.3.4/tcp/1");
	a = parse("/p2p/" ALICE);
	multiaddr_cut_peerid(&a);
	assert_int_equal(0, a.len);
	multiaddr_cut_peerid(&a);
	assert_int_equal(0, a.len);
}

static void only_the_last_component_is_cut(void **state)
{
	struct multiaddr a = parse("/ip4/1.2.3.4/tcp/1/p2p/" ALICE "/p2p-circuit/p2p/" BOB);

	multiaddr_cut_peerid(&a);
	check_text(&a, "/ip4/1.2.3.4/tcp/1/p2p/" ALICE "/p2p-circuit");
	multiaddr_cut_peerid(&a);
	check_text(&a, "/ip4/1.2.3.4/tcp/1/p2p/" ALICE "/p2p-circuit");
}

static void a_peer_id_is_added_only_where_it_fits(void **state)
{
	const size_t suffix = 2 + 1 + 38;
	struct multiaddr a = { .len = (uint16_t)(MULTIADDR_BYTES_MAX - suffix + 1) }, before;
	struct peerid id;

	assert_int_equal(0, peerid_parse(ALICE, strlen(ALICE), &id, NULL));
	memset(a.bytes, 0xcc, sizeof(a.bytes));
	before = a;
	assert_int_equal(-EFBIG, multiaddr_add_peerid(&a, &id));
	assert_memory_equal(&before, &a, sizeof(a));
	a.len = MULTIADDR_BYTES_MAX;
	assert_int_equal(-EFBIG, multiaddr_add_peerid(&a, &id));
	a.len = (uint16_t)(MULTIADDR_BYTES_MAX - suffix);
	assert_int_equal(0, multiaddr_add_peerid(&a, &id));
	assert_int_equal(MULTIADDR_BYTES_MAX, a.len);
}

static void sockets_have_addresses(void **state)
{
	static const uint8_t four[] = { 10, 0, 255, 1 };
	static const uint8_t six[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	struct multiaddr a, same;

	multiaddr_from_tcp(four, sizeof(four), 9096, &a);
	check_text(&a, "/ip4/10.0.255.1/tcp/9096");
	same = parse("/ip4/10.0.255.1/tcp/9096");
	assert_true(multiaddr_equal(&a, &same));
	multiaddr_from_tcp(six, sizeof(six), 65535, &a);
	check_text(&a, "/ip6/2001:db8::1/tcp/65535");
	assert_false(multiaddr_equal(&a, &same));
	assert_int_equal(0, multiaddr_from_bytes(a.bytes, a.len, &same, NULL));
	assert_true(multiaddr_equal(&a, &same));
}

static void the_first_protocol_is_told(void **state)
{
	static const struct {
		const char *text;
		uint32_t code;
	} cases[] = {
		{ "/ip4/1.2.3.4/tcp/1", MULTIADDR_IP4 }, { "/ip6/::1", MULTIADDR_IP6 },
		{ "/dns/a/tcp/1", MULTIADDR_DNS },       { "/dns4/a/tcp/1", MULTIADDR_DNS4 },
		{ "/dns6/a/tcp/1", MULTIADDR_DNS6 },     { "/dnsaddr/a", MULTIADDR_DNSADDR },
		{ "/p2p/" ALICE, MULTIADDR_P2P },        { "/unix/a", 400 },
	};
	const struct multiaddr empty = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct multiaddr a = parse(cases[i].text);

		assert_int_equal(cases[i].code, multiaddr_first(&a));
	}
	assert_int_equal(0, multiaddr_first(&empty));
}

static void the_ip_address_in_front_is_told(void **state)
{
	static const uint8_t four[] = { 1, 2, 3, 4 }, six[16] = { 0xfe, 0x80, [15] = 1 };
	struct multiaddr a = parse("/ip4/1.2.3.4/udp/1/quic-v1");
	uint8_t ip[16];

	assert_int_equal(4, multiaddr_ip(&a, ip));
	assert_memory_equal(four, ip, 4);
	a = parse("/ip6/fe80::1");
	assert_int_equal(16, multiaddr_ip(&a, ip));
	assert_memory_equal(six, ip, 16);
	a = parse("/dns/1.2.3.4/tcp/1");
	assert_int_equal(0, multiaddr_ip(&a, ip));
	a.len = 0;
	assert_int_equal(0, multiaddr_ip(&a, ip));
}

static void plain_tcp_is_a_host_a_port_and_perhaps_a_peer(void **state)
{
	static const struct {
		const char *text;
		bool plain;
	} cases[] = {
		{ "/ip4/1.2.3.4/tcp/1", true },
		{ "/ip6/::1/tcp/1", true },
		{ "/dns/a/tcp/1", true },
		{ "/dns4/a/tcp/1/p2p/" ALICE, true },
		{ "/dns6/a/tcp/1", true },
		{ "/dnsaddr/a/tcp/1", false },
		{ "/ip4/1.2.3.4", false },
		{ "/ip4/1.2.3.4/udp/1", false },
		{ "/ip4/1.2.3.4/tcp/1/ws", false },
		{ "/ip4/1.2.3.4/tcp/1/p2p/" ALICE "/p2p-circuit", false },
		{ "/ip4/1.2.3.4/tcp/1/p2p/" ALICE "/p2p/" BOB, false },
		{ "/p2p/" ALICE, false },
		{ "/tcp/1", false },
		{ "/ip6zone/eth0/ip6/fe80::1/tcp/1", false },
	};
	const struct multiaddr empty = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct multiaddr a = parse(cases[i].text);

		if (multiaddr_is_plain_tcp(&a) != cases[i].plain)
			fail_msg("\"%s\"", cases[i].text);
	}
	assert_false(multiaddr_is_plain_tcp(&empty));
}

static void networks_hold_what_begins_with_their_bits(void **state)
{
	static const struct {
		const char *address, *network;
		bool inside;
	} cases[] = {
		{ "/ip4/10.1.2.3/tcp/1", "/ip4/10.0.0.0/ipcidr/8", true },
		{ "/ip4/11.1.2.3/tcp/1", "/ip4/10.0.0.0/ipcidr/8", false },
		{ "/ip4/172.31.255.255", "/ip4/172.16.0.0/ipcidr/12", true },
		{ "/ip4/172.32.0.0", "/ip4/172.16.0.0/ipcidr/12", false },
		{ "/ip4/1.2.3.4/udp/1/quic", "/ip4/1.2.3.4/ipcidr/32", true },
		{ "/ip4/1.2.3.5/udp/1/quic", "/ip4/1.2.3.4/ipcidr/32", false },
		{ "/ip4/1.2.3.4/tcp/1", "/ip4/0.0.0.0/ipcidr/0", true },
		{ "/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/ipcidr/33", false },
		{ "/ip4/1.2.3.4/tcp/1", "/ip6/::/ipcidr/0", false },
		{ "/ip6/fdff::1/tcp/1", "/ip6/fc00::/ipcidr/7", true },
		{ "/ip6/fe00::1/tcp/1", "/ip6/fc00::/ipcidr/7", false },
		{ "/ip6/::1/tcp/1", "/ip6/::1/ipcidr/128", true },
		{ "/ip6/::1/tcp/1", "/ip6/::1/ipcidr/129", false },
		{ "/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4", false },
		{ "/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/1", false },
		{ "/tcp/1", "/tcp/1/ipcidr/8", false },
		{ "/dns4/a/tcp/1", "/ip4/0.0.0.0/ipcidr/0", false },
	};
	const struct multiaddr empty = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct multiaddr a = parse(cases[i].address), net = parse(cases[i].network);

		if (multiaddr_in_network(&a, &net) != cases[i].inside)
			fail_msg("%s in %s", cases[i].address, cases[i].network);
		assert_false(multiaddr_in_network(&empty, &net));
		assert_false(multiaddr_in_network(&a, &empty));
	}
}

static void dnsaddr_gives_a_name(void **state)
{
	static const struct {
		const char *text, *name; /* NULL: refused */
	} cases[] = {
		{ "/dnsaddr/example.org", "example.org" },
		{ "/dnsaddr/example.org/p2p/" ALICE, "example.org" },
		{ "/dnsaddr/example.org/tcp/1", NULL },
		{ "/dns/example.org", NULL },
		{ "/p2p/" ALICE, NULL },
	};
	static const uint8_t zero[] = { 56, 3, 'a', 0, 'b' };
	struct multiaddr a;
	char name[16];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int r;

		a = parse(cases[i].text);
		r = multiaddr_dnsaddr(&a, name, sizeof(name));
		assert_int_equal(cases[i].name ? 0 : -EINVAL, r);
		if (!cases[i].name)
			continue;
		assert_string_equal(cases[i].name, name);
		assert_int_equal(-EINVAL, multiaddr_dnsaddr(&a, name, strlen(cases[i].name)));
		assert_int_equal(0, multiaddr_dnsaddr(&a, name, strlen(cases[i].name) + 1));
	}
	assert_int_equal(0, multiaddr_from_bytes(zero, sizeof(zero), &a, NULL));
	assert_int_equal(-EINVAL, multiaddr_dnsaddr(&a, name, sizeof(name)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_addresses_come_back),
		cmocka_unit_test(recorded_odd_texts_give_the_canonical_one),
		cmocka_unit_test(recorded_wrong_texts_are_refused),
		cmocka_unit_test(recorded_wrong_bytes_are_refused),
		cmocka_unit_test(values_are_read_and_printed_as_go_does),
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(bytes_of_wrong_values_are_refused),
		cmocka_unit_test(long_addresses_are_refused),
		cmocka_unit_test(garlic64_has_its_own_alphabet),
		cmocka_unit_test(the_last_peer_id_is_found),
		cmocka_unit_test(tcp_gives_host_and_port),
		cmocka_unit_test(tcp_refuses_a_zero_byte_in_a_name),
		cmocka_unit_test(a_peer_id_can_be_added_and_cut),
		cmocka_unit_test(only_the_last_component_is_cut),
		cmocka_unit_test(a_peer_id_is_added_only_where_it_fits),
		cmocka_unit_test(sockets_have_addresses),
		cmocka_unit_test(the_first_protocol_is_told),
		cmocka_unit_test(the_ip_address_in_front_is_told),
		cmocka_unit_test(plain_tcp_is_a_host_a_port_and_perhaps_a_peer),
		cmocka_unit_test(networks_hold_what_begins_with_their_bits),
		cmocka_unit_test(dnsaddr_gives_a_name),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
