/*
 * What the files rpc_*.c share. Private. Loop's thread.
 *
 * A method gets one argument and ends its call, at once or later. Whatever must be waited for (a
 * commit, Kubo, another peer) belongs to a struct of its own that embeds a rpc_wait: when the
 * caller goes away before, rpc_wait.call becomes NULL, and whoever brings the result frees it
 * without an answer.
 */
#pragma once

#include <string.h>

#include "cluster/internal.h"
#include "cluster/members.h"
#include "cluster/rpc_server.h"
#include "store/pinset.h"
#include "types/rpc_types.h"

#define RPC_REPLY_MAX (GORPC_VALUE_MAX - 65536) /* bytes of a value that grows */

struct rpc_server {
	struct cluster *c;
	struct host *host;
	struct gorpc *gorpc;
	struct gorpc_config config;
	struct list going; /* feeds that have more to say at once */
	uv_idle_t idle;    /* runs while there are any; a timer would leave no turn to others */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* All that are served, each open or for trusted peers by rpc_policy.h. */
const struct gorpc_method *rpc_methods(size_t *ret_n);

/* ---- answers ---- */

/* Ends a call with the one value in @out, @r being what its encoder said. Empties @out. */
void rpc_answer(struct gorpc_call *call, int r, struct buf *out);
void rpc_answer_empty(struct gorpc_call *call); /* {} */
/* Ends it with an error of the method, in words. */
void rpc_fail(struct gorpc_call *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Ends it since its argument makes no sense. */
void rpc_bad_argument(struct gorpc_call *call, const struct err *e);

/* A text for an encoder. */
static inline struct pin_text rpc_text(const char *s)
{
	return (struct pin_text){ s, strlen(s) };
}

/* ---- what is answered later ---- */

struct rpc_wait {
	struct gorpc_call *call; /* NULL: nobody waits any more */
	/* The caller went away; may be NULL, may free what embeds @w. */
	void (*gone)(struct rpc_wait *w);
};

void rpc_wait_begin(struct rpc_wait *w, struct gorpc_call *call, void (*gone)(struct rpc_wait *w));
/* `cancelled` of every method. */
void rpc_cancelled(void *arg, struct gorpc_call *call);

/* ---- many values: rpc_feed.c ---- */

struct rpc_feed;

struct rpc_feed_ops {
	/* The next value, appended to @out: 1. 0: none, but there may be more. -EAGAIN: rpc_feed_go
	 * will be called. -ENOENT: that was all. Other errors end the call with @e. @t is a view of
	 * now, for this call alone. */
	int (*next)(struct rpc_feed *f, const struct store_txn *t, struct buf *out, struct err *e);
	/* It is over: frees what embeds @f. */
	void (*free)(struct rpc_feed *f);
};

/* Pages of values, one in each turn of the loop, as fast as the caller takes them. */
struct rpc_feed {
	struct rpc_wait wait;
	struct rpc_server *s;
	const struct rpc_feed_ops *ops;
	struct list link; /* in rpc_server.going, or by itself */
	struct buf value; /* not taken yet */
};

void rpc_feed_begin(struct rpc_feed *f, struct rpc_server *s, struct gorpc_call *call,
		    const struct rpc_feed_ops *ops);
void rpc_feed_go(struct rpc_feed *f); /* there may be more now */
void rpc_feed_run(uv_idle_t *idle);

/* ---- the state of a pin: rpc_status.c ---- */

#define RPC_IPFS_ADDRESSES_MAX 16

/* Where the parts of an answer lie until the next one is made. */
struct rpc_status {
	struct cluster *c;
	struct pin pin;
	struct unpin_row unpin;
	char error[STATUS_ERROR_MAX];
	struct peerid ipfs; /* of Kubo, as it was at the beginning */
	struct multiaddr *ipfs_addresses;
	size_t n_ipfs_addresses;
};

int rpc_status_init(struct rpc_status *x, struct cluster *c);
void rpc_status_deinit(struct rpc_status *x);
/* Of a pin. -EBADMSG: it cannot be read. */
int rpc_status_of_pin(struct rpc_status *x, const struct store_txn *t, const struct pin_row *row,
		      struct rpc_pin_info *ret);
/* Of a CID that left the pinset, and is on its way out of Kubo. */
void rpc_status_of_unpin(struct rpc_status *x, const struct unpin_row *row,
			 struct rpc_pin_info *ret);
/* The entry in the list of unpins, among its first ones. -ENOENT. */
int rpc_status_find_unpin(const struct store_txn *t, const struct cid *cid, struct unpin_row *ret);
/* Of any CID: one that is nowhere is unpinned. */
int rpc_status_of(struct rpc_status *x, const struct store_txn *t, const struct cid *cid,
		  struct rpc_pin_info *ret);

/* ---- this peer: rpc_self.c ---- */

/* Appends the ID of this peer. */
int rpc_self_id(struct rpc_server *s, struct buf *out);

/* ---- methods ---- */

/* rpc_cluster.c */
void rpc_cluster_id(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_cluster_id_stream(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_cluster_peer_remove(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_cluster_peers(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_cluster_repo_gc_local(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_cluster_version(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
/* rpc_peer_add.c */
void rpc_cluster_peer_add(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
/* rpc_recover.c */
void rpc_cluster_recover_all_local(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_cluster_recover_local(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_tracker_recover(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
/* rpc_tracker.c */
/* Takes a CID as the argument. False: there is none, and the call is over. */
bool rpc_take_cid(struct gorpc_call *call, const uint8_t *p, size_t n, struct cid *ret);
void rpc_answer_status(struct rpc_server *s, struct gorpc_call *call, const struct cid *cid);
void rpc_tracker_status(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_tracker_status_all(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
/* rpc_ipfs.c */
void rpc_ipfs_repo_stat(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_ipfs_swarm_peers(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
/* rpc_blocks.c */
void rpc_ipfs_block_stream(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
/* rpc_consensus.c */
void rpc_consensus_add_peer(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_consensus_log_pin(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_consensus_log_unpin(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
void rpc_consensus_rm_peer(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
