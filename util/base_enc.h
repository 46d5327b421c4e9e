/*
 * Text encodings of bytes: base16, base32, base36, base58btc, base64. Pure functions.
 *
 * Encoders append to @out without a multibase prefix. Decoders take the text without prefix and
 * refuse every character and every bit that the encoder would not have written.
 * Source: multiformats/multibase, RFC 4648; vectors/cid.json.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

/* The longest input that the quadratic encodings (base36, base58) accept, in bytes. */
#define BASE_ENC_MAX 4096

int base16_encode(struct buf *out, const uint8_t *p, size_t n);       /* lower case */
int base32_lower_encode(struct buf *out, const uint8_t *p, size_t n); /* RFC 4648, no padding */
int base32_upper_encode(struct buf *out, const uint8_t *p, size_t n);
int base36_lower_encode(struct buf *out, const uint8_t *p, size_t n);
int base58_encode(struct buf *out, const uint8_t *p, size_t n);
int base64_encode(struct buf *out, const uint8_t *p, size_t n); /* standard, padded */

/* Decoders write at most @cap bytes and return the count, -EINVAL for text that is not in the
 * encoding, -EFBIG when it does not fit. Base16, base32 and base36 take either case. */
int base16_decode(const char *s, size_t n, uint8_t *out, size_t cap);
int base32_decode(const char *s, size_t n, uint8_t *out, size_t cap);
int base36_decode(const char *s, size_t n, uint8_t *out, size_t cap);
int base58_decode(const char *s, size_t n, uint8_t *out, size_t cap);
int base64_decode(const char *s, size_t n, uint8_t *out, size_t cap); /* padding required */

/* Multibase text of a CID or peer ID (prefix b B z k K f F m u v V ...): decodes what go-multibase
 * accepts. -EINVAL for an unknown prefix. */
int multibase_decode(const char *s, size_t n, uint8_t *out, size_t cap);
