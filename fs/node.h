/*
 * What a file of the tree is to the rest of fs/: a kind, a number, and functions. One file in ops/
 * per kind of file.
 *
 * Ids are kind << 56 | serial, for the kernel's node ids and for st_ino alike; nothing is kept per
 * node, and a serial is never used again for something else.
 *
 * All functions run on the FUSE thread, unless said otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "cluster/cluster.h"
#include "fs/fs.h"
#include "store/pinset.h"
#include "util/buf.h"
#include "util/err.h"

enum kind {
	KIND_ROOT,  /* serial 1 */
	KIND_FIXED, /* serial: index into the table of fixed files, fixed.h */
	KIND_PIN,
	KIND_NEW_PIN, /* created, not committed */
	KIND_SCRATCH,
	KIND_PIN_STATUS,
	KIND_BY_STATUS, /* serial: status or union */
	KIND_STATUS_LINK,
	KIND_NAME,
	KIND_NAME_LINK,
	KIND_BACKUP,
	KIND_PEER,
	KIND_METRIC,
	KIND_SPOOL, /* a scratch name beside state/import */
	KIND_NR
};

#define NODE_SERIAL_BITS 56
#define NODE_SERIAL_MASK ((1ULL << NODE_SERIAL_BITS) - 1)

static inline uint64_t node_id(enum kind kind, uint64_t serial)
{
	return (uint64_t)kind << NODE_SERIAL_BITS | serial;
}

static inline enum kind node_kind(uint64_t ino)
{
	return (enum kind)(ino >> NODE_SERIAL_BITS);
}

static inline uint64_t node_serial(uint64_t ino)
{
	return ino & NODE_SERIAL_MASK;
}

struct call;   /* one request under way, call.h */
struct handle; /* one open file, handle.h */

/* An entry of a folder. */
struct node_entry {
	char name[256];
	uint64_t cookie; /* of the entry itself: a listing goes on behind it */
	struct stat st;  /* st_ino is the node id */
	double timeout;  /* seconds the kernel may keep name and attributes */
};

/* A listing under way within one request. */
struct node_list {
	uint64_t cookie; /* of the last entry given out */
	struct pinset_iter iter;
	bool iter_open;
	uint64_t u[2]; /* free for the folder's next function */
};

/* What a kind of file can do; NULL: it cannot (the error is in dispatch*.c). Functions return 0,
 * -errno with a reason set by call_refuse, or CALL_LATER when they will answer the request. */
struct node_ops {
	int (*attr)(struct call *c, uint64_t ino, struct stat *st);

	/* folders */
	int (*lookup)(struct call *c, uint64_t dir, const char *name, struct node_entry *ret);
	int (*next)(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret);
	int (*create)(struct call *c, uint64_t dir, const char *name, struct handle *h,
		      struct node_entry *ret);
	int (*unlink)(struct call *c, uint64_t dir, const char *name);
	int (*rmdir)(struct call *c, uint64_t dir, const char *name);
	int (*rename)(struct call *c, uint64_t dir, const char *name, const char *newname);
	int (*symlink)(struct call *c, uint64_t dir, const char *name, const char *target,
		       struct node_entry *ret);

	/* files */
	int (*open)(struct call *c, uint64_t ino, struct handle *h);
	ssize_t (*read)(struct call *c, struct handle *h, void *out, size_t n, uint64_t off);
	/* After the answer to a read of @n bytes at @off: what is probably asked for next can be
	 * made while the reader is busy with these. */
	void (*read_on)(struct handle *h, size_t n, uint64_t off);
	int (*write)(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off);
	int (*truncate)(struct call *c, uint64_t ino, struct handle *h, uint64_t size);
	int (*touch)(struct call *c, uint64_t ino, struct handle *h); /* both times set to now */
	int (*set_time)(struct call *c, uint64_t ino, struct handle *h, int64_t ns); /* mtime */
	int (*flush)(struct call *c, struct handle *h);
	int (*fsync)(struct call *c, struct handle *h);
	void (*release)(struct handle *h); /* frees what open and create put there */
	int (*readlink)(struct call *c, uint64_t ino, struct buf *out);
};

/* By kind; KIND_FIXED goes through the table of fixed files. */
const struct node_ops *node_ops(uint64_t ino);

/* Attributes that all of a sort share. */
enum node_class {
	CLASS_ROOT,           /* 0755, or 0750 and group access */
	CLASS_FOLDER,         /* 0755 */
	CLASS_PRIVATE_FOLDER, /* 0750, group backup */
	CLASS_READ_ONLY,      /* 0444 */
	CLASS_WRITABLE,       /* 0644 */
	CLASS_WRITE_ONLY,     /* 0200 */
	CLASS_DUMP,           /* 0440, group backup */
	CLASS_IMPORT,         /* 0640, group backup */
	CLASS_LINK,           /* 0777 */
	CLASS_PRIVATE,        /* 0440: audit and the like */
};
void node_stat(struct fs *fs, uint64_t ino, enum node_class class, uint64_t size, int64_t mtime_ns,
	       struct stat *st);

/* An entry made of attributes. */
static inline void node_entry_set(struct node_entry *en, const char *name, uint64_t cookie,
				  double timeout)
{
	__builtin_snprintf(en->name, sizeof(en->name), "%s", name);
	en->cookie = cookie;
	en->timeout = timeout;
}
