/*
 * Kubo over its HTTP RPC: one function per call used, nothing of policy. All of it on the loop's
 * thread. Each call gets a deadline and ends with exactly one callback, never from inside the
 * function that started it; a cancelled call ends with -ECANCELED.
 * Source: Kubo 0.42 RPC (/api/v0, POST only).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "types/cid.h"
#include "types/multiaddr.h"
#include "util/err.h"

struct kubo;
struct kubo_call; /* one request under way; valid until its callback returns */

/* Section ipfs_connector.ipfshttp of the configuration; milliseconds, bytes. */
struct kubo_config {
	struct multiaddr
	    node_multiaddress; /* ip4, ip6 or dns + tcp, optionally /https or /tls/http */
	int64_t connect_swarms_delay_ms;
	int64_t ipfs_request_timeout_ms; /* calls without a timeout of their own */
	int64_t pin_timeout_ms;          /* without progress */
	int64_t unpin_timeout_ms;
	int64_t repogc_timeout_ms;
	int32_t informer_trigger_interval;
	bool unpin_disable;
};

/* @status: 0, or -errno: -ECONNREFUSED and friends (Kubo is not there), -ETIMEDOUT, -ECANCELED,
 * -ENOENT (pin/rm, pin/ls: not pinned), -EREMOTEIO (Kubo answered with an error), -EBADMSG (its
 * answer made no sense), -EFBIG. @e is set on failure, in the reference's words where it has them.
 */
typedef void (*kubo_done)(void *arg, int status, const struct err *e);

/* Once per process, before any thread. */
int kubo_global_init(void);
void kubo_global_cleanup(void);

/* -EINVAL: an address that cannot be used. */
int kubo_new(uv_loop_t *loop, const struct kubo_config *cfg, struct kubo **ret, struct err *e);
/* Cancels every call, lets their callbacks run, then calls @closed. */
void kubo_close(struct kubo *k, void (*closed)(void *arg), void *arg);
void kubo_cancel(struct kubo_call *c);

/* Since the start. Any thread. */
struct kubo_counts {
	uint64_t pins_asked, pins_failed; /* pin/add and pin/update */
	uint64_t blocks_asked, blocks_failed, blocks_put;
	uint64_t block_bytes; /* of those that were put */
};
void kubo_counts(const struct kubo *k, struct kubo_counts *ret);

/* The functions below return 0 and set *ret_call (may be NULL), or -errno without a callback. */

struct kubo_id {
	char id[PEERID_TEXT_MAX];
	char agent[128];
	const char *const *addresses; /* of the callback's life */
	size_t n_addresses;
};
typedef void (*kubo_id_done)(void *arg, int status, const struct kubo_id *id, const struct err *e);
int kubo_id(struct kubo *k, kubo_id_done done, void *arg, struct kubo_call **ret_call);

struct kubo_repo {
	uint64_t repo_size, storage_max, num_objects; /* bytes, bytes, blocks */
};
typedef void (*kubo_repo_done)(void *arg, int status, const struct kubo_repo *r,
			       const struct err *e);
/* repo/stat with size-only: fast also on large repositories. */
int kubo_repo_stat(struct kubo *k, kubo_repo_done done, void *arg, struct kubo_call **ret_call);

/* pin/add with progress: @progress (may be NULL) is called with the number of nodes so far; the
 * deadline of pin_timeout starts anew at each increase. @depth: -1 recursive, 0 direct. */
typedef void (*kubo_progress)(void *arg, uint64_t nodes);
int kubo_pin_add(struct kubo *k, const struct cid *cid, int32_t depth, const char *name,
		 kubo_progress progress, kubo_done done, void *arg, struct kubo_call **ret_call);
/* pin/update of a recursive pin, keeping the old one (unpin=false). */
int kubo_pin_update(struct kubo *k, const struct cid *from, const struct cid *to, kubo_done done,
		    void *arg, struct kubo_call **ret_call);
int kubo_pin_rm(struct kubo *k, const struct cid *cid, kubo_done done, void *arg,
		struct kubo_call **ret_call);

enum kubo_pin_kind {
	KUBO_UNPINNED,
	KUBO_DIRECT,
	KUBO_RECURSIVE,
	KUBO_INDIRECT
};
typedef void (*kubo_pin_kind_done)(void *arg, int status, enum kubo_pin_kind kind,
				   const struct err *e);
/* pin/ls of one CID; not pinned is no error (KUBO_UNPINNED). */
int kubo_pin_ls_one(struct kubo *k, const struct cid *cid, kubo_pin_kind_done done, void *arg,
		    struct kubo_call **ret_call);

/* pin/ls of all pins of one kind, streamed: @each per pin, in Kubo's order; memory is bounded by
 * one line. @each may pause nothing: keep it short. */
typedef void (*kubo_pin_each)(void *arg, const struct cid *cid);
int kubo_pin_ls(struct kubo *k, enum kubo_pin_kind kind, kubo_pin_each each, kubo_done done,
		void *arg, struct kubo_call **ret_call);

/* @addr with /p2p. */
int kubo_swarm_connect(struct kubo *k, const struct multiaddr *addr, kubo_done done, void *arg,
		       struct kubo_call **ret_call);

/* The peers that Kubo is connected to, one for each connection; of the callback's life. */
typedef void (*kubo_peers_done)(void *arg, int status, const struct peerid *peers, size_t n,
				const struct err *e);
int kubo_swarm_peers(struct kubo *k, kubo_peers_done done, void *arg, struct kubo_call **ret_call);

/* block/put, not pinned, with the codec and the hash of @cid. The bytes are the caller's until
 * @done. -EBADMSG: they are not the block of that CID (Kubo keeps them under their own).
 * -EOPNOTSUPP: Kubo has no name for the hash. */
int kubo_block_put(struct kubo *k, const struct cid *cid, const void *data, size_t n,
		   kubo_done done, void *arg, struct kubo_call **ret_call);

/* repo/gc, streamed: @each per removed key or error. */
typedef void (*kubo_gc_each)(void *arg, const char *key, const char *error);
int kubo_repo_gc(struct kubo *k, kubo_gc_each each, kubo_done done, void *arg,
		 struct kubo_call **ret_call);
