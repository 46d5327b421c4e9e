/*
 * Keys of pins in the order of the dump. The reference orders by the base32 text of the CID, in
 * which 2-7 sort before A-Z; so each group of five bits is stored with 6 added (mod 32), and byte
 * order becomes text order. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "types/cid.h"

#define SORTKEY_MAX 416
/* First byte of keys that are not the text of a CID; no CID's key begins with it. */
#define SORTKEY_OPAQUE 0xff

struct sortkey {
	uint16_t len;
	uint8_t bytes[SORTKEY_MAX];
};

/* CIDs whose key would pass 400 bytes keep their first 368 and the BLAKE2b-256 of all of it. */
void sortkey_of_cid(const uint8_t *cid, size_t n, struct sortkey *ret);
/* A key of a delta ("/" + base32). Returns 0 with @ret_cid set where it is the canonical key of a
 * CID, 1 where it is anything else: such keys take part in the CRDT but are no pins. */
int sortkey_of_delta_key(const char *key, size_t n, struct sortkey *ret, struct cid *ret_cid);
int sortkey_compare(const struct sortkey *a, const struct sortkey *b);
