#include "types/name.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "types/hash.h"

#define HASH_TAIL 17 /* '~' and 16 digits */

static void add_hash(const char *name, size_t n, char *at)
{
	uint8_t hash[16];

	hash_blake2b(hash, sizeof(hash), name, n);
	*at++ = '~';
	for (int i = 0; i < 8; i++, at += 2)
		snprintf(at, 3, "%02x", hash[i]);
}

/* Not within a character of UTF-8. */
static size_t cut_at(const char *s, size_t n)
{
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

size_t name_cut(const char *name, size_t n, char out[NAME_FOLDER_MAX + 1])
{
	size_t keep;

	if (n <= NAME_FOLDER_MAX) {
		memcpy(out, name, n);
		out[n] = '\0';
		return n;
	}
	keep = cut_at(name, NAME_FOLDER_MAX - HASH_TAIL);
	memcpy(out, name, keep);
	add_hash(name, n, out + keep);
	return keep + HASH_TAIL;
}

static bool must_encode(const char *name, size_t n, size_t i)
{
	unsigned char c = (unsigned char)name[i];

	if (c == '/' || c == '%' || c < 0x20 || c == 0x7f || (c == '.' && i == 0))
		return true;
	return i == 0 && n == strlen(NAME_UNNAMED) && memcmp(name, NAME_UNNAMED, n) == 0;
}

size_t name_folder(const char *name, size_t n, char out[NAME_FOLDER_MAX + 1])
{
	size_t o = 0, keep = 0;

	if (n == 0)
		return name_cut(NAME_UNNAMED, strlen(NAME_UNNAMED), out);
	for (size_t i = 0; i < n; i++) {
		bool encode = must_encode(name, n, i);
		size_t need = encode ? 3 : 1;

		if (o + need > NAME_FOLDER_MAX) {
			add_hash(name, n, out + keep);
			return keep + HASH_TAIL;
		}
		if (encode)
			snprintf(out + o, 4, "%%%02X", (unsigned char)name[i]);
		else
			out[o] = name[i];
		o += need;
		/* The longest start that leaves room for the hash and ends between characters. */
		if (o <= NAME_FOLDER_MAX - HASH_TAIL &&
		    (i + 1 == n || ((unsigned char)name[i + 1] & 0xc0) != 0x80))
			keep = o;
	}
	out[o] = '\0';
	return o;
}
