/*
 * Messages of bitswap as text, and what they are about: blocks and peers, which are numbers.
 * Include after cmocka.h.
 */
#pragma once

#include "net/bitswap_message.h"
#include "types/peerid.h"

#define SMALL 0    /* blocks from here on have 100 bytes */
#define LARGE 5000 /* 5000 */
#define GREAT 7000 /* and 1048632, as those of the reference's imports */
#define BLOCKS_END 7200

const struct cid *block_cid(unsigned block);
/* Valid until the next call. */
const uint8_t *block_bytes(unsigned block, size_t *ret_n);
size_t block_size(unsigned block);
unsigned block_number(const struct cid *cid); /* of either version */

const struct peerid *peer_id(unsigned peer); /* up to 999 */
unsigned peer_number(const struct peerid *id);

/* "full want 1 have 2 cancel 3 block 4 HAVE 5 DONT 6", in that order: wants of a block and of
 * knowing, a wantlist's end of a want, a block, presences. A want that asks for no DONT_HAVE is
 * "want- 1". Appends; an empty message is "". */
int text_read(const uint8_t *message, size_t n, struct buf *text);
/* The same words make a message; "want 1:7" has priority 7. */
void text_write(const char *text, struct buf *message);
