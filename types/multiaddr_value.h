/*
 * The protocols of a multiaddress and the three things each can do with its value. Only for
 * types/multiaddr.c. Pure functions.
 * Source: multiformats/multiaddr, protocols.csv.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/multiaddr.h"
#include "util/buf.h"

#define MULTIADDR_VARIABLE (-1) /* the value follows its length */

struct multiaddr_proto {
	uint32_t code;
	int8_t size; /* bytes of the value, or MULTIADDR_VARIABLE */
	bool path;   /* the value is the rest of the text, with its slash */
	const char *name;
	/* Text to bytes; the count, -EINVAL, -EFBIG. All three are NULL where size is 0. */
	int (*parse)(const char *s, size_t n, uint8_t *out, size_t cap);
	bool (*valid)(const uint8_t *p, size_t n);
	int (*format)(const uint8_t *p, size_t n, struct buf *out); /* of a valid value */
};

const struct multiaddr_proto *multiaddr_proto_by_code(uint64_t code); /* NULL: unknown */
const struct multiaddr_proto *multiaddr_proto_by_name(const char *s, size_t n);
