/*
 * Names that are looked up, made or renamed in pins/: one of a CID leads to the name that is shown
 * for it, which leads back; a bad one is refused in words.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "fs/ops/pins.h"
#include "types/hash.h"

#define NAME_BYTES 255 /* what the kernel lets through */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char name[NAME_BYTES + 1], shown[256];
	struct err e = { 0 };
	struct cid cid, again;

	if (n > NAME_BYTES)
		return 0;
	assert(hash_init() == 0);
	if (n > 0)
		memcpy(name, data, n);
	name[n] = '\0';
	switch (pin_name_parse(name, &cid, &e)) {
	case PIN_NAME_CID:
		pin_name_format(cid.bytes, cid.len, shown);
		if (shown[strlen(shown) - 1] != 'n') /* cut: it ends in a hash */
			return 0;
		assert(pin_name_parse(shown, &again, NULL) == PIN_NAME_CID);
		assert(cid_equal(&cid, &again));
		break;
	case PIN_NAME_SCRATCH:
		assert(name[0] != '\0');
		break;
	case PIN_NAME_BAD:
		assert(e.code < 0 && e.msg[0]);
		break;
	}
	return 0;
}
