/* Each allocation of what we say fails once: then what was said before is said still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "net/mdns_link.h"
#include "tests/lib/refusing_malloc.h"

static const uint8_t key[32] = { 1 };

static void without_memory_there_is_nothing_to_say(void **state)
{
	struct mdns_self self;
	struct peerid id;
	unsigned n = 0;
	int r;

	peerid_from_ed25519(key, &id);
	do {
		refuse_at = ++n;
		r = mdns_self_init(&self, &id);
		assert_true(r == 0 || r == -ENOMEM);
	} while (r < 0);
	refuse_at = 0;
	assert_true(n > 1);
	mdns_self_deinit(&self);
}

static void without_memory_what_was_said_stays(void **state)
{
	static const char *const texts[] = { "/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/tcp/1" };
	uint8_t before[MDNS_SENT_MAX];
	struct multiaddr v[2];
	struct mdns_self self;
	struct peerid id;
	unsigned n = 0;
	size_t len;
	int r;

	peerid_from_ed25519(key, &id);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(0, multiaddr_parse(texts[i], strlen(texts[i]), &v[i], NULL));
	assert_int_equal(0, mdns_self_init(&self, &id));
	assert_int_equal(1, mdns_self_set(&self, v, 1));
	len = self.answer.len;
	memcpy(before, self.answer.data, len);
	for (;;) {
		refuse_at = ++n;
		r = mdns_self_set(&self, v, 2);
		refuse_at = 0;
		if (r == 1)
			break;
		assert_int_equal(-ENOMEM, r);
		assert_int_equal(len, self.answer.len);
		assert_memory_equal(before, self.answer.data, len);
	}
	assert_true(n > 3);
	assert_true(self.answer.len > len);
	mdns_self_deinit(&self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_memory_there_is_nothing_to_say),
		cmocka_unit_test(without_memory_what_was_said_stays),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
