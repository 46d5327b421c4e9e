#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "net/reach.h"

static struct multiaddr address(const char *text)
{
	struct multiaddr a;

	if (multiaddr_parse(text, strlen(text), &a, NULL) < 0)
		fail_msg("\"%s\" is refused", text);
	return a;
}

static void addresses_reach_as_far_as_their_networks(void **state)
{
	static const struct {
		const char *text;
		enum reach reach;
	} cases[] = {
		{ "/ip4/0.0.0.0/tcp/1", REACH_NOWHERE },
		{ "/ip4/224.0.0.1/tcp/1", REACH_NOWHERE },
		{ "/ip4/239.255.255.255/tcp/1", REACH_NOWHERE },
		{ "/ip4/255.255.255.255/tcp/1", REACH_NOWHERE },
		{ "/ip6/::/tcp/1", REACH_NOWHERE },
		{ "/ip6/ff02::1/tcp/1", REACH_NOWHERE },
		{ "/ip4/127.0.0.1/tcp/1", REACH_MACHINE },
		{ "/ip4/127.255.0.1/udp/1/quic-v1", REACH_MACHINE },
		{ "/ip6/::1/tcp/1", REACH_MACHINE },
		{ "/ip6/::ffff:127.0.0.1/tcp/1", REACH_MACHINE },
		{ "/ip4/10.0.0.1/tcp/1", REACH_NETWORK },
		{ "/ip4/100.64.0.1/tcp/1", REACH_NETWORK },
		{ "/ip4/100.127.255.255/tcp/1", REACH_NETWORK },
		{ "/ip4/169.254.1.1/tcp/1", REACH_NETWORK },
		{ "/ip4/172.16.0.1/tcp/1", REACH_NETWORK },
		{ "/ip4/172.31.0.1/tcp/1", REACH_NETWORK },
		{ "/ip4/192.168.1.1/tcp/1", REACH_NETWORK },
		{ "/ip6/fd00::1/tcp/1", REACH_NETWORK },
		{ "/ip6/fe80::1/tcp/1", REACH_NETWORK },
		{ "/ip6/febf::1/tcp/1", REACH_NETWORK },
		{ "/ip6/::ffff:10.0.0.1/tcp/1", REACH_NETWORK },
		{ "/ip4/9.255.255.255/tcp/1", REACH_WORLD },
		{ "/ip4/11.0.0.1/tcp/1", REACH_WORLD },
		{ "/ip4/100.63.0.1/tcp/1", REACH_WORLD },
		{ "/ip4/100.128.0.1/tcp/1", REACH_WORLD },
		{ "/ip4/126.0.0.1/tcp/1", REACH_WORLD },
		{ "/ip4/172.15.0.1/tcp/1", REACH_WORLD },
		{ "/ip4/172.32.0.1/tcp/1", REACH_WORLD },
		{ "/ip4/192.169.0.1/tcp/1", REACH_WORLD },
		{ "/ip6/::2/tcp/1", REACH_WORLD },
		{ "/ip6/2001:db8::1/tcp/1", REACH_WORLD },
		{ "/ip6/fec0::1/tcp/1", REACH_WORLD },
		{ "/ip6/::ffff:1.2.3.4/tcp/1", REACH_WORLD },
		{ "/dns4/example.org/tcp/1", REACH_WORLD },
		{ "/dnsaddr/example.org", REACH_WORLD },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct multiaddr a = address(cases[i].text);

		if (reach_of(&a) != cases[i].reach)
			fail_msg("%s is %d", cases[i].text, reach_of(&a));
	}
}

static void what_is_said_is_useful_as_far_as_its_sayer_is_away(void **state)
{
	static const struct {
		const char *remote, *useful, *useless; /* with spaces in between */
	} cases[] = {
		{ "/ip4/127.0.0.1", "/ip4/127.0.0.1 /ip4/10.0.0.1 /ip4/1.2.3.4 /dns/a",
		  "/ip4/0.0.0.0 /ip6/ff02::1" },
		{ "/ip4/10.0.0.1", "/ip4/192.168.0.1 /ip6/fe80::1 /ip4/1.2.3.4 /dns/a",
		  "/ip4/127.0.0.1 /ip6/::1 /ip4/0.0.0.0" },
		{ "/ip4/1.2.3.4", "/ip6/2001:db8::1 /ip4/5.6.7.8 /dns/a",
		  "/ip4/10.0.0.1 /ip4/127.0.0.1 /ip6/::1 /ip6/fd00::1 /ip4/0.0.0.0" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct multiaddr remote = address(cases[i].remote), said;
		char text[128], *rest = text;

		strcpy(text, cases[i].useful);
		for (char *word; (word = strsep(&rest, " "));) {
			said = address(word);
			if (!reach_is_useful(&said, &remote))
				fail_msg("%s from %s", word, cases[i].remote);
		}
		strcpy(text, cases[i].useless);
		rest = text;
		for (char *word; (word = strsep(&rest, " "));) {
			said = address(word);
			if (reach_is_useful(&said, &remote))
				fail_msg("%s from %s", word, cases[i].remote);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_reach_as_far_as_their_networks),
		cmocka_unit_test(what_is_said_is_useful_as_far_as_its_sayer_is_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
