/* CIDs for measurements: as random as real ones, and the same for the same number. */
#pragma once

#include <stdint.h>

#define BENCH_CID_LEN 59 /* "b" and 36 bytes in base32 */

/* The CIDv1 (raw, SHA-256) number @n, with a final 0. Any thread. */
void bench_cid(uint64_t n, char out[BENCH_CID_LEN + 1]);
