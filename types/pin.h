/*
 * A pin: one struct, with codecs in files of their own (pin_json, pin_pb, dump).
 *
 * Strings and arrays of a pin point into its arena or into memory of the caller that outlives the
 * pin's use (decoders document which). The arena is kept by pin_reset, so that decoding millions
 * of pins into one struct allocates nothing per pin. One thread at a time.
 * Source: "Pin protobuf" and "JSON of a pin" in docs/formats.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/cid.h"
#include "types/multiaddr.h"
#include "types/peerid.h"
#include "util/buf.h"

/* The protobuf enum. Shown as "bad-type", "pin", "meta-pin", "clusterdag-pin", "shard-pin". */
enum pin_type {
	PIN_TYPE_BAD,
	PIN_TYPE_DATA,
	PIN_TYPE_META,
	PIN_TYPE_CLUSTERDAG,
	PIN_TYPE_SHARD
};

/* What max_depth says: 0 is direct, everything else recursive. */
enum pin_mode {
	PIN_MODE_RECURSIVE,
	PIN_MODE_DIRECT
};

#define PIN_DEPTH_RECURSIVE (-1)
#define PIN_DEPTH_DIRECT 0
#define PIN_TIME_UNSET 0 /* of timestamp and expire_at; the epoch itself cannot be told from it */

/* Limits of one pin, far above what is in use; a pin beyond them is refused. */
#define PIN_BYTES_MAX (1u << 20) /* its JSON or protobuf */
#define PIN_LIST_MAX 4096        /* allocations, origins, metadata entries */

struct pin_text {
	const char *p; /* UTF-8, not terminated */
	size_t n;
};

struct pin_meta {
	struct pin_text key, value;
};

struct pin {
	struct cid cid;
	enum pin_type type;
	int32_t replication_min, replication_max; /* -1 everywhere; 0 use the default */
	int32_t max_depth;
	struct pin_text name;
	uint64_t shard_size;  /* bytes */
	int64_t expire_at;    /* Unix seconds */
	int64_t timestamp;    /* Unix seconds */
	struct cid reference; /* undefined when absent, as pin_update */
	struct cid pin_update;
	struct pin_meta *metadata; /* sorted by key bytes, keys unique */
	size_t n_metadata;
	struct peerid *allocations; /* in the given order */
	size_t n_allocations;
	struct peerid *user_allocations; /* not stored */
	size_t n_user_allocations;
	struct multiaddr *origins; /* in the given order */
	size_t n_origins;

	/* private: chunks of memory behind the pointers above */
	struct pin_arena *arena;
};

void pin_init(struct pin *p);  /* defaults of an empty document are not set here */
void pin_reset(struct pin *p); /* everything zero again, memory kept */
void pin_deinit(struct pin *p);

/* @n zeroed bytes, aligned for any type, that live until pin_reset. NULL when memory is out. */
void *pin_alloc(struct pin *p, size_t n);
/* Room for one more entry behind the @n of @size bytes at @array, which came from this function, or
 * is NULL for none. Returns where the array is now; NULL when memory is out. */
void *pin_grow(struct pin *p, void *array, size_t n, size_t size);
/* Makes the @n entries at @all, in order of appearance and in memory that lives as long as the pin,
 * its metadata: sorted, the last of equal keys wins. Reorders @all. -ENOMEM. */
int pin_set_metadata(struct pin *p, struct pin_meta *all, size_t n);
/* Deep copy into @dst's own arena; @dst was initialised. -ENOMEM. */
int pin_copy(struct pin *dst, const struct pin *src);
/* Equal in everything that is stored, the timestamp apart. */
bool pin_equal_but_time(const struct pin *a, const struct pin *b);

enum pin_mode pin_mode(const struct pin *p);
const char *pin_mode_name(enum pin_mode m);
const char *pin_type_name(enum pin_type t);
/* True when replicated everywhere or allocated to @self. */
bool pin_is_for(const struct pin *p, const struct peerid *self);
