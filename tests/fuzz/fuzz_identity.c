/*
 * The two values of identity.json, in two lines: what is read signs for the ID it has, and is
 * written as a key that is read as the same.
 */
#include <assert.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "types/hash.h"
#include "types/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct identity *id, const char *text)
{
	struct buf key = BUF_INIT(0);
	struct identity again;
	struct peerid from_key;

	peerid_from_ed25519(id->public_key, &from_key);
	assert(peerid_equal(&id->id, &from_key));
	assert(memcmp(id->secret_key + 32, id->public_key, 32) == 0);
	assert(identity_private_key(id, &key) == 0 && buf_terminate(&key) == 0);
	assert(identity_parse(text, (const char *)key.data, &again, NULL) == 0);
	assert(memcmp(again.secret_key, id->secret_key, 64) == 0);
	identity_clear(&again);
	buf_deinit(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *key;
	struct err e = { 0 };
	struct identity id;
	int r;

	assert(text && hash_init() == 0);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	key = strchr(text, '\n');
	if (key) {
		*key++ = '\0';
		r = identity_parse(text, key, &id, &e);
		assert(r == 0 || e.code == r);
		if (r == 0) {
			check(&id, text);
			identity_clear(&id);
		}
	}
	free(text);
	return 0;
}
