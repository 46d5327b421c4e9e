#include "types/pin_json_keys.h"

#include <stdint.h>
#include <string.h>

#include "util/container.h"

#define NEAREST_MAX 40 /* bytes of the longest text that is compared */

/* In the order of the reference and of the bits PIN_KEY_*. */
static const char *const names[PIN_JSON_N_KEYS] = {
	"replication_factor_min",
	"replication_factor_max",
	"name",
	"mode",
	"shard_size",
	"user_allocations",
	"expire_at",
	"metadata",
	"pin_update",
	"origins",
	"cid",
	"type",
	"allocations",
	"max_depth",
	"reference",
	"timestamp",
};

/* Go folds two characters beside the capitals onto ASCII letters: the long s and the Kelvin sign.
 * Returns the bytes that the letter takes. */
static size_t fold(const char *p, size_t n, char *ret)
{
	if (n >= 2 && memcmp(p, "\u017f", 2) == 0) {
		*ret = 's';
		return 2;
	}
	if (n >= 3 && memcmp(p, "\u212a", 3) == 0) {
		*ret = 'k';
		return 3;
	}
	*ret = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
	return 1;
}

static int equal_folded(const struct pin_text *key, const char *name)
{
	size_t i = 0;

	while (i < key->n && *name) {
		char c;

		i += fold(key->p + i, key->n - i, &c);
		if (c != *name++)
			return 0;
	}
	return i == key->n && *name == 0;
}

int pin_json_key(const struct pin_text *key)
{
	for (int i = 0; i < PIN_JSON_N_KEYS; i++) {
		/* Nearly every key is written as it should be. */
		if (key->n == strlen(names[i]) && memcmp(key->p, names[i], key->n) == 0)
			return i;
	}
	for (int i = 0; i < PIN_JSON_N_KEYS; i++)
		if (equal_folded(key, names[i]))
			return i;
	return -1;
}

const char *pin_json_key_name(size_t index)
{
	return names[index];
}

/* Insertions, deletions and replacements that make @b of @a, letter case apart. */
static unsigned distance(const struct pin_text *a, const char *b)
{
	unsigned row[NEAREST_MAX + 1];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; i < a->n; i++) {
		unsigned diagonal = row[0];
		char c;

		fold(a->p + i, 1, &c);
		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < n; j++) {
			unsigned best = diagonal + (c != b[j]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j + 1] + 1 < best)
				best = row[j + 1] + 1;
			diagonal = row[j + 1];
			row[j + 1] = best;
		}
	}
	return row[n];
}

const char *pin_json_nearest(const struct pin_text *key)
{
	const char *ret = "";
	unsigned best = UINT32_MAX;

	if (key->n > NEAREST_MAX)
		return ret;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		unsigned d = distance(key, names[i]);

		/* More than a third of the letters wrong is not a slip of the fingers. */
		if (d < best && d <= 1 + strlen(names[i]) / 3) {
			best = d;
			ret = names[i];
		}
	}
	return ret;
}
