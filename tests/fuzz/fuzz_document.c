/*
 * A pin's document as it is written: what is a document is seen to be whole exactly at its end, so
 * that the WRITE which completes it is the one that commits.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "fs/ops/pins.h"

#define SIZE_MAX_TRIED 2048 /* each of its beginnings is looked at */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int parse(const struct cid *cid, const char *text, size_t n)
{
	struct cluster_item item = { 0 };
	struct err e = { 0 };
	int r;

	pin_init(&item.pin);
	r = document_parse(cid, text, n, &item, &e);
	assert(r == 0 ? cid_equal(&item.pin.cid, cid) : e.code == r && e.msg[0]);
	pin_deinit(&item.pin);
	return r;
}

/* Where the text is whole for the first time; 0: never. */
static size_t whole_at(const char *text, size_t n)
{
	const char *reason = NULL;

	for (size_t at = 1; at <= n; at++)
		switch (document_shape(text, at, &reason)) {
		case DOCUMENT_WHOLE:
			return at;
		case DOCUMENT_CUT:
			break;
		case DOCUMENT_BAD:
			assert(reason);
			return 0;
		}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char name[] = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
	const char *text = (const char *)data;
	struct cid cid;
	size_t at;

	if (n > SIZE_MAX_TRIED)
		return 0;
	assert(cid_parse(name, strlen(name), &cid, NULL) == 0);
	at = whole_at(text, n);
	if (parse(&cid, text, n) < 0)
		return 0;
	assert(at > 0);
	assert(parse(&cid, text, at) == 0);
	for (size_t i = at; i < n; i++)
		assert(is_space(text[i]));
	return 0;
}
