/*
 * A pin as JSON text: one compact dump line, or the document shown in pins/. Byte for byte what the
 * reference prints (keys in its order, Go's escapes), times in UTC.
 * Source: "The dump" in docs/formats.md; vectors/cluster-pins.json. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/peer_texts.h"
#include "types/pin.h"
#include "util/buf.h"
#include "util/err.h"

/* Appends the pin on one line, without the newline. -ERANGE: a time outside years 1 to 9999. */
int pin_json_line(const struct pin *p, struct buf *out);
/* The same for many pins that share their peers. */
int pin_json_line_with(const struct pin *p, struct peer_texts *texts, struct buf *out);
/* Appends the document: the same keys, indented by 4, with the final newline. */
int pin_json_document(const struct pin *p, struct buf *out);
/* Bytes of the document, where the line (without its newline) has @line. */
size_t pin_json_document_len(const struct pin *p, size_t line);

/* Which keys a document had, beside the pin it makes. */
struct pin_json_keys {
	unsigned given;         /* bits PIN_KEY_* */
	unsigned unknown;       /* number of unknown keys */
	char first_unknown[64]; /* the first of them, cut */
	char nearest[32];       /* the known key most like it, or "" */
};

enum {
	PIN_KEY_REPLICATION_MIN = 1 << 0,
	PIN_KEY_REPLICATION_MAX = 1 << 1,
	PIN_KEY_NAME = 1 << 2,
	PIN_KEY_MODE = 1 << 3,
	PIN_KEY_SHARD_SIZE = 1 << 4,
	PIN_KEY_USER_ALLOCATIONS = 1 << 5,
	PIN_KEY_EXPIRE_AT = 1 << 6,
	PIN_KEY_METADATA = 1 << 7,
	PIN_KEY_PIN_UPDATE = 1 << 8,
	PIN_KEY_ORIGINS = 1 << 9,
	PIN_KEY_CID = 1 << 10,
	PIN_KEY_TYPE = 1 << 11,
	PIN_KEY_ALLOCATIONS = 1 << 12,
	PIN_KEY_MAX_DEPTH = 1 << 13,
	PIN_KEY_REFERENCE = 1 << 14,
	PIN_KEY_TIMESTAMP = 1 << 15,
	PIN_KEY_ALL = (1 << 16) - 1,
};

/*
 * Decodes one JSON object by the reference's rules (keys in any letter case, duplicates: the last
 * wins and metadata objects merge, null leaves the default, broken UTF-8 and lone surrogates become
 * U+FFFD, integers cut to 32 bits where the reference does), and the older {"cid":{"/":...}}.
 * @p is reset first; everything is in its arena. @mode gets the value of "mode" (recursive if not
 * given). The error names the key, and line and column within the text, both from 1.
 * -EINVAL, -EFBIG over PIN_BYTES_MAX or PIN_LIST_MAX, -ENOMEM. Does not recurse on the input.
 */
int pin_json_decode(const char *text, size_t n, struct pin *p, enum pin_mode *mode,
		    struct pin_json_keys *keys, struct err *e);

/* The same for a text that begins at @line and @column of a larger one, which the error names. */
int pin_json_decode_at(const char *text, size_t n, uint64_t line, uint64_t column, struct pin *p,
		       enum pin_mode *mode, struct pin_json_keys *keys, struct err *e);

/* The exact inverse of pin_json_line, for lines in canonical form only, and much faster. Returns
 * false, without a reason, for every other text: use pin_json_decode then. Texts without escapes
 * point into @text; the rest is in the arena. */
bool pin_json_decode_canonical(const char *text, size_t n, struct pin *p);
