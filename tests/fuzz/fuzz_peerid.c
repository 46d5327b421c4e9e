/* Peer IDs: the canonical text of one is read as the same, whatever it came from. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "types/peerid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct peerid *id)
{
	char text[PEERID_TEXT_MAX];
	size_t n = peerid_format(id, text);
	struct peerid back;

	assert(id->len > 0 && id->len <= PEERID_BYTES_MAX);
	assert(n == strlen(text) && n < PEERID_TEXT_MAX);
	assert(peerid_from_bytes(id->bytes, id->len, &back, NULL) == 0);
	assert(peerid_equal(id, &back));
	/* Other hashes than those of keys have texts that do not look like a peer ID's. */
	if (peerid_parse(text, n, &back, NULL) == 0)
		assert(peerid_equal(id, &back));
	else
		assert(text[0] != '1' && strncmp(text, "Qm", 2) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	struct peerid id;
	int r = peerid_from_bytes(data, size, &id, &e);

	assert(r == 0 || e.code == r);
	if (r == 0)
		check(&id);
	e = (struct err){ 0 };
	r = peerid_parse((const char *)data, size, &id, &e);
	assert(r == 0 || e.code == r);
	if (r == 0)
		check(&id);
	return 0;
}
