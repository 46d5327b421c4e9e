/* Names are answered by the test: in place of libc's getaddrinfo and res_nquery. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/dnsaddr.h"
#include "net/targets.h"
#include "util/buf.h"

#define ALICE "12D3KooWC9oniAazNn9Cynu2go2Se1foC8ywXTBoU9uCcvowzh33"
#define BOB "12D3KooWLs1NBiycYfM7xFuY5RmcVGgLQvNkkYa2dzRbZPDD1e7j"

static struct targets targets;
static struct peerid alice;

/* ---- names ---- */

/* The records of a name; what is asked for beyond them does not exist. */
struct name {
	const char *name;
	const char *values[4];
};

static const struct name *names;
static unsigned asked;

static const struct name *name_find(const char *name)
{
	asked++;
	for (const struct name *it = names; it && it->name; it++)
		if (strcmp(it->name, name) == 0)
			return it;
	return NULL;
}

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **ret);
void __wrap_freeaddrinfo(struct addrinfo *ai);
int __wrap_res_nquery(res_state st, const char *name, int class, int type, unsigned char *answer,
		      int cap);

struct node {
	struct addrinfo ai;
	struct sockaddr_storage at;
};

static void node_add(struct addrinfo **list, const char *ip, const char *port, int family)
{
	struct node *n = calloc(1, sizeof(*n));
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&n->at;
	struct sockaddr_in *four = (struct sockaddr_in *)&n->at;

	assert_non_null(n);
	if (inet_pton(AF_INET, ip, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)atoi(port));
		n->ai.ai_addrlen = sizeof(*four);
	} else {
		assert_int_equal(1, inet_pton(AF_INET6, ip, &six->sin6_addr));
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)atoi(port));
		n->ai.ai_addrlen = sizeof(*six);
	}
	n->ai.ai_family = n->at.ss_family;
	n->ai.ai_addr = (struct sockaddr *)&n->at;
	if (family != AF_UNSPEC && family != n->at.ss_family) {
		free(n);
		return;
	}
	while (*list)
		list = &(*list)->ai_next;
	*list = &n->ai;
}

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **ret)
{
	const struct name *n = name_find(node);

	*ret = NULL;
	assert_int_equal(SOCK_STREAM, hints->ai_socktype);
	for (size_t i = 0; n && i < 4 && n->values[i]; i++)
		node_add(ret, n->values[i], service, hints->ai_family);
	return *ret ? 0 : EAI_NONAME;
}

void __wrap_freeaddrinfo(struct addrinfo *ai)
{
	while (ai) {
		struct addrinfo *next = ai->ai_next;

		free(ai);
		ai = next;
	}
}

static void put16(struct buf *b, unsigned v)
{
	assert_int_equal(0, buf_byte(b, (uint8_t)(v >> 8)));
	assert_int_equal(0, buf_byte(b, (uint8_t)v));
}

/* A record of strings of at most @part bytes. */
static void put_record(struct buf *b, unsigned type, const char *text, size_t part)
{
	size_t n = strlen(text), len = n + (n + part - 1) / part;

	put16(b, 0xc00c); /* the name that was asked for */
	put16(b, type);
	put16(b, ns_c_in);
	put16(b, 0);
	put16(b, 60);
	put16(b, (unsigned)len);
	for (size_t at = 0; at < n; at += part) {
		size_t now = n - at < part ? n - at : part;

		assert_int_equal(0, buf_byte(b, (uint8_t)now));
		assert_int_equal(0, buf_append(b, text + at, now));
	}
}

/* An answer's header, and the question: the name "a". */
static void put_head(struct buf *b, unsigned answers)
{
	put16(b, 7);
	put16(b, 0x8180);
	put16(b, 1);
	put16(b, answers);
	put16(b, 0);
	put16(b, 0);
	assert_int_equal(0, buf_append(b, "\1a\0", 3));
	put16(b, ns_t_txt);
	put16(b, ns_c_in);
}

int __wrap_res_nquery(res_state st, const char *name, int class, int type, unsigned char *answer,
		      int cap)
{
	const struct name *n = name_find(name);
	struct buf b = BUF_INIT(0);
	unsigned count = 0;
	int len;

	assert_int_equal(ns_c_in, class);
	assert_int_equal(ns_t_txt, type);
	while (n && count < 4 && n->values[count])
		count++;
	if (count == 0)
		return -1;
	put_head(&b, count);
	for (unsigned i = 0; i < count; i++)
		put_record(&b, ns_t_txt, n->values[i], 255);
	len = (int)b.len;
	assert_true(len <= cap);
	memcpy(answer, b.data, b.len);
	buf_deinit(&b);
	return len;
}

/* ---- fixture ---- */

static int setup(void **state)
{
	memset(&targets, 0, sizeof(targets));
	names = NULL;
	asked = 0;
	return peerid_parse(ALICE, strlen(ALICE), &alice, NULL);
}

static struct multiaddr address(const char *text)
{
	struct multiaddr a;

	if (multiaddr_parse(text, strlen(text), &a, NULL) < 0)
		fail_msg("\"%s\" is refused", text);
	return a;
}

static int look_up(const char *text, struct err *e)
{
	struct multiaddr a = address(text);

	return targets_look_up(&targets, &a, &alice, e);
}

static void check_targets(const char *want)
{
	struct buf text = BUF_INIT(0);
	char ip[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < targets.n; i++) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&targets.v[i];
		const struct sockaddr_in *four = (const struct sockaddr_in *)&targets.v[i];

		if (targets.v[i].ss_family == AF_INET6)
			inet_ntop(AF_INET6, &six->sin6_addr, ip, sizeof(ip));
		else
			inet_ntop(AF_INET, &four->sin_addr, ip, sizeof(ip));
		assert_int_equal(
		    0, buf_printf(&text, "%s%s:%u", i > 0 ? " " : "", ip, ntohs(four->sin_port)));
	}
	assert_int_equal(0, buf_terminate(&text));
	assert_string_equal(want, (const char *)text.data);
	buf_deinit(&text);
}

/* ---- targets ---- */

static void addresses_of_ip_are_at_hand(void **state)
{
	static const char *const taken[] = {
		"/ip4/1.2.3.4/tcp/9096",
		"/ip6/::1/tcp/1/p2p/" ALICE,
		"/ip4/1.2.3.4/tcp/9096/p2p/" BOB, /* the same socket */
		"/ip4/1.2.3.4/tcp/9097",
	};
	static const char *const others[] = {
		"/ip4/1.2.3.4/udp/9096", "/ip4/1.2.3.4/tcp/1/ws", "/dns/a/tcp/1", "/dnsaddr/a",
		("/p2p/" ALICE),
	};

	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++) {
		struct multiaddr a = address(taken[i]);

		assert_int_equal(0, targets_add_ip(&targets, &a));
		assert_false(targets_is_name(&a));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct multiaddr a = address(others[i]);

		assert_int_equal(-EINVAL, targets_add_ip(&targets, &a));
	}
	check_targets("1.2.3.4:9096 ::1:1 1.2.3.4:9097");
	assert_int_equal(0, asked);
}

static void there_are_so_many_targets_and_no_more(void **state)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr other = { .sa_family = AF_UNIX };

	targets_add(&targets, &other);
	assert_int_equal(0, targets.n);
	for (unsigned i = 0; i < TARGETS_MAX + 5; i++) {
		four.sin_port = htons((uint16_t)(i + 1));
		targets_add(&targets, (const struct sockaddr *)&four);
	}
	assert_int_equal(TARGETS_MAX, targets.n);
}

static void names_are_told_from_the_rest(void **state)
{
	static const struct {
		const char *text;
		bool name;
	} cases[] = {
		{ "/dns/a/tcp/1", true },      { "/dns4/a/tcp/1/p2p/" ALICE, true },
		{ "/dns6/a/tcp/1", true },     { "/dnsaddr/a", true },
		{ "/dnsaddr/a/tcp/1", false }, { "/dns/a/udp/1", false },
		{ "/dns/a/tcp/1/wss", false }, { "/ip4/1.2.3.4/tcp/1", false },
		{ "/unix/a", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct multiaddr a = address(cases[i].text);

		if (targets_is_name(&a) != cases[i].name)
			fail_msg("%s", cases[i].text);
	}
}

static void a_name_has_several_addresses(void **state)
{
	static const struct name some[] = { { "a", { "1.1.1.1", "::2", "1.1.1.1" } },
					    { NULL, { 0 } } };

	names = some;
	assert_int_equal(0, look_up("/dns/a/tcp/7", NULL));
	check_targets("1.1.1.1:7 ::2:7");
	targets.n = 0;
	assert_int_equal(0, look_up("/dns4/a/tcp/7", NULL));
	check_targets("1.1.1.1:7");
	targets.n = 0;
	assert_int_equal(0, look_up("/dns6/a/tcp/7/p2p/" ALICE, NULL));
	check_targets("::2:7");
}

static void a_name_that_does_not_exist_is_told(void **state)
{
	struct err e = { 0 };

	assert_int_equal(-ENOENT, look_up("/dns4/a/tcp/7", &e));
	assert_int_equal(-ENOENT, e.code);
	assert_non_null(strstr(e.msg, "a: "));
	e = (struct err){ 0 };
	assert_int_equal(-ENOENT, look_up("/dnsaddr/a", &e));
	assert_non_null(strstr(e.msg, "_dnsaddr.a: "));
	assert_int_equal(0, targets.n);
}

static void dnsaddr_leads_to_addresses_of_the_peer(void **state)
{
	static const struct name some[] = {
		{ "_dnsaddr.a",
		  { "dnsaddr=/ip4/1.1.1.1/tcp/1/p2p/" ALICE, "dnsaddr=/ip4/2.2.2.2/tcp/2/p2p/" BOB,
		    "dnsaddr=/dns4/b/tcp/3/p2p/" ALICE, "dnsaddr=/dnsaddr/c/p2p/" ALICE } },
		{ "b", { "3.3.3.3" } },
		{ "_dnsaddr.c",
		  { "v=spf1", "dnsaddr=/ip6/::4/tcp/4/p2p/" ALICE, "dnsaddr=/ip4/5.5.5.5/tcp/5",
		    "dnsaddr=/ip4/6.6.6.6/udp/6/quic-v1/p2p/" ALICE } },
		{ NULL, { 0 } },
	};

	names = some;
	assert_int_equal(0, look_up("/dnsaddr/a/p2p/" ALICE, NULL));
	check_targets("1.1.1.1:1 3.3.3.3:3 ::4:4");
	assert_int_equal(3, asked);
}

static void dnsaddr_in_a_circle_ends(void **state)
{
	static const struct name some[] = {
		{ "_dnsaddr.a", { "dnsaddr=/dnsaddr/b/p2p/" ALICE } },
		{ "_dnsaddr.b",
		  { "dnsaddr=/dnsaddr/a/p2p/" ALICE, "dnsaddr=/dnsaddr/b/p2p/" ALICE } },
		{ NULL, { 0 } },
	};

	names = some;
	assert_int_equal(-ENOENT, look_up("/dnsaddr/a/p2p/" ALICE, NULL));
	assert_int_equal(2, asked);
}

static void dnsaddr_goes_four_steps(void **state)
{
	static const struct name some[] = {
		{ "_dnsaddr.a", { "dnsaddr=/dnsaddr/b/p2p/" ALICE } },
		{ "_dnsaddr.b", { "dnsaddr=/dnsaddr/c/p2p/" ALICE } },
		{ "_dnsaddr.c", { "dnsaddr=/dnsaddr/d/p2p/" ALICE } },
		{ "_dnsaddr.d",
		  { "dnsaddr=/dnsaddr/e/p2p/" ALICE, "dnsaddr=/ip4/4.4.4.4/tcp/4/p2p/" ALICE } },
		{ "_dnsaddr.e", { "dnsaddr=/ip4/5.5.5.5/tcp/5/p2p/" ALICE } },
		{ NULL, { 0 } },
	};

	names = some;
	assert_int_equal(0, look_up("/dnsaddr/a/p2p/" ALICE, NULL));
	check_targets("4.4.4.4:4");
	assert_int_equal(4, asked);
}

/* Each name leads to three more. */
static void one_address_asks_so_many_questions_and_no_more(void **state)
{
	static char texts[1 + 3 + 9 + 27][3][128], labels[1 + 3 + 9 + 27][32];
	static struct name some[1 + 3 + 9 + 27 + 1];

	for (unsigned i = 0; i < 1 + 3 + 9 + 27; i++) {
		snprintf(labels[i], sizeof(labels[i]), "_dnsaddr.n%u", i);
		some[i].name = labels[i];
		for (unsigned k = 0; k < 3; k++) {
			snprintf(texts[i][k], sizeof(texts[i][k]),
				 "dnsaddr=/dnsaddr/n%u/p2p/" ALICE, 3 * i + k + 1);
			some[i].values[k] = texts[i][k];
		}
	}
	names = some;
	assert_int_equal(-ENOENT, look_up("/dnsaddr/n0/p2p/" ALICE, NULL));
	assert_int_equal(TARGETS_QUERIES_MAX, asked);
}

/* ---- answers of DNS ---- */

static int read_answer(const struct buf *b, struct multiaddr *ret, size_t cap)
{
	return dnsaddr_read(b->data, b->len, &alice, ret, cap);
}

static void records_are_joined_of_their_strings(void **state)
{
	static const char text[] = "dnsaddr=/ip4/1.1.1.1/tcp/1/p2p/" ALICE;
	struct multiaddr a[2], want = address(text + strlen("dnsaddr="));

	for (size_t part = 1; part <= sizeof(text); part += 7) {
		struct buf b = BUF_INIT(0);

		put_head(&b, 2);
		put_record(&b, ns_t_a, "1234", 4);
		put_record(&b, ns_t_txt, text, part);
		assert_int_equal(1, read_answer(&b, a, 2));
		assert_true(multiaddr_equal(&want, &a[0]));
		buf_deinit(&b);
	}
}

static void records_beyond_the_room_are_left(void **state)
{
	struct buf b = BUF_INIT(0);
	struct multiaddr a[2];

	put_head(&b, 3);
	for (unsigned i = 0; i < 3; i++)
		put_record(&b, ns_t_txt, "dnsaddr=/ip4/1.1.1.1/tcp/1/p2p/" ALICE, 255);
	assert_int_equal(2, read_answer(&b, a, 2));
	assert_int_equal(0, read_answer(&b, a, 0));
	buf_deinit(&b);
}

static void malformed_records_are_passed_over(void **state)
{
	static const char *const texts[] = {
		"",
		"dnsaddr",
		"dnsaddr=",
		"DNSADDR=/ip4/1.1.1.1/tcp/1/p2p/" ALICE,
		" dnsaddr=/ip4/1.1.1.1/tcp/1/p2p/" ALICE,
		"dnsaddr=/nothing/1.1.1.1/p2p/" ALICE,
		"dnsaddr=/ip4/1.1.1.1/tcp/1/p2p/" ALICE "/p2p-circuit",
		"dnsaddr=/ip4/1.1.1.1/tcp/1/p2p/" ALICE "/p2p/" BOB,
	};
	static const char good[] = "dnsaddr=/ip4/1.1.1.1/tcp/1/p2p/" ALICE;
	static char longer[DNSADDR_TEXT_MAX + 2];
	struct buf b = BUF_INIT(0);
	struct multiaddr a;

	memset(longer, 'x', sizeof(longer) - 1);
	put_head(&b, sizeof(texts) / sizeof(*texts) + 2);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		put_record(&b, ns_t_txt, texts[i], 255);
	put_record(&b, ns_t_txt, longer, 255);
	put_record(&b, ns_t_txt, good, 255);
	assert_int_equal(1, read_answer(&b, &a, 1));
	b.data[b.len - strlen(good) - 1]++; /* a string that is longer than its record */
	assert_int_equal(0, read_answer(&b, &a, 1));
	buf_deinit(&b);
}

static void cut_answers_are_refused(void **state)
{
	struct buf b = BUF_INIT(0);
	struct multiaddr a;

	put_head(&b, 1);
	put_record(&b, ns_t_txt, "dnsaddr=/ip4/1.1.1.1/tcp/1/p2p/" ALICE, 255);
	assert_int_equal(1, read_answer(&b, &a, 1));
	for (size_t n = 0; n < b.len; n++) {
		uint8_t *cut = malloc(n + 1);

		assert_non_null(cut);
		memcpy(cut, b.data, n);
		assert_int_equal(-EBADMSG, dnsaddr_read(cut, n, &alice, &a, 1));
		free(cut);
	}
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, setup)
		TEST(addresses_of_ip_are_at_hand),
		TEST(there_are_so_many_targets_and_no_more),
		TEST(names_are_told_from_the_rest),
		TEST(a_name_has_several_addresses),
		TEST(a_name_that_does_not_exist_is_told),
		TEST(dnsaddr_leads_to_addresses_of_the_peer),
		TEST(dnsaddr_in_a_circle_ends),
		TEST(dnsaddr_goes_four_steps),
		TEST(one_address_asks_so_many_questions_and_no_more),
		TEST(records_are_joined_of_their_strings),
		TEST(records_beyond_the_room_are_left),
		TEST(malformed_records_are_passed_over),
		TEST(cut_answers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
