/*
 * Protobuf of a pin: the value that the CRDT stores and whose bytes decide ties, so the encoding is
 * canonical (fields in number order, zero values omitted, options always written).
 * Source: "Pin protobuf" in docs/formats.md; vectors/cluster-pins.json. Any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "types/pin.h"
#include "util/buf.h"
#include "util/err.h"

/* Appends the canonical encoding. -ENOMEM, -EFBIG. */
int pin_pb_encode(const struct pin *p, struct buf *out);

/* Decodes @n bytes into @p (reset first). Texts point into @data, which must outlive their use; the
 * rest is in the arena. Does not allocate beyond the arena and does not recurse. A bad reference or
 * pin_update is unset, a bad CID leaves cid undefined (the caller knows it from the key); a bad
 * peer ID, multiaddress, UTF-8 or a cut field is -EBADMSG. */
int pin_pb_decode(const uint8_t *data, size_t n, struct pin *p, struct err *e);
