/*
 * What peers tell each other in calls: IDs, states of pins, and the like, as msgpack. Strings and
 * arrays of a decoded value are memory of the bump they are decoded with (texts always UTF-8: other
 * bytes become U+FFFD), of an encoded one the caller's. Where a list or text is NULL it is left
 * out, where it is another pointer it is written, be it empty; and so it is read.
 *
 * Encoders append: -ENOMEM, -EFBIG (the buffer's), and the buffer is as it was. Decoders: -EBADMSG
 * (malformed, a field of another kind), -EFBIG (a list over RPC_LIST_MAX, or more memory than the
 * bump may take), -ENOMEM. Pure. Source: "RPC types" in docs/formats.md;
 * vectors/cluster-rpc-streams.json.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/cid.h"
#include "types/multiaddr.h"
#include "types/peerid.h"
#include "types/pin.h"
#include "types/status.h"
#include "util/buf.h"
#include "util/bump.h"
#include "util/err.h"

#define RPC_LIST_MAX 4096 /* entries of one list */

struct rpc_time {
	bool set;
	int64_t s; /* Unix */
	uint32_t ns;
};

struct rpc_ipfs_id {
	struct peerid peer; /* len 0: none */
	const struct multiaddr *addresses;
	size_t n_addresses;
	struct pin_text error;
};

struct rpc_id {
	struct peerid peer;
	const struct multiaddr *addresses; /* each with /p2p */
	size_t n_addresses;
	const struct peerid *cluster_peers;
	size_t n_cluster_peers;
	const struct multiaddr *cluster_peers_addresses;
	size_t n_cluster_peers_addresses;
	struct pin_text version, commit, rpc_protocol, error, peername;
	struct rpc_ipfs_id ipfs;
};

struct rpc_pin_info {
	struct cid cid;
	struct pin_text name, error, peername;
	struct peerid peer, ipfs_peer;
	const struct peerid *allocations;
	size_t n_allocations;
	const struct multiaddr *origins, *ipfs_addresses;
	size_t n_origins, n_ipfs_addresses;
	const struct pin_meta *metadata;
	size_t n_metadata;
	struct rpc_time created, since;
	enum status status; /* undefined where the peer says another than those we know */
	uint32_t attempts;
	bool priority;
};

struct rpc_gc_key {
	struct cid cid;
	struct pin_text error;
};

struct rpc_repo_gc {
	struct peerid peer;
	struct pin_text peername, error;
	const struct rpc_gc_key *keys;
	size_t n_keys;
	/* For encoding, in place of keys: n_keys of rpc_gc_key_encode, one behind the other. */
	const struct buf *encoded;
	size_t n_left_out; /* further keys, which did not fit into a list when it was decoded */
};

struct rpc_repo_stat {
	uint64_t repo_size, storage_max;
};

struct rpc_node { /* NodeWithMeta */
	const uint8_t *data;
	size_t len;
	struct cid cid;
	uint64_t cumulative_size;
};

/* The object that the reference's `id` shows. A new reference; NULL without memory. */
json_t *rpc_id_json(const struct rpc_id *id);

int rpc_id_encode(const struct rpc_id *id, struct buf *out);
int rpc_id_decode(const uint8_t *p, size_t n, struct bump *b, struct rpc_id *ret, struct err *e);
int rpc_pin_info_encode(const struct rpc_pin_info *i, struct buf *out);
int rpc_pin_info_decode(const uint8_t *p, size_t n, struct bump *b, struct rpc_pin_info *ret,
			struct err *e);
int rpc_gc_key_encode(const struct rpc_gc_key *k, struct buf *out);
int rpc_repo_gc_encode(const struct rpc_repo_gc *g, struct buf *out);
int rpc_repo_gc_decode(const uint8_t *p, size_t n, struct bump *b, struct rpc_repo_gc *ret,
		       struct err *e);
int rpc_repo_stat_encode(const struct rpc_repo_stat *s, struct buf *out);
int rpc_repo_stat_decode(const uint8_t *p, size_t n, struct rpc_repo_stat *ret, struct err *e);
int rpc_node_decode(const uint8_t *p, size_t n, struct rpc_node *ret, struct err *e); /* into @p */
int rpc_node_encode(const struct rpc_node *node, struct buf *out);
/* A pin as an argument: the struct of types/pin.h, reset first; all memory is its arena's. What
 * could not be stored (a name that is no UTF-8, a bad or missing peer ID in a list) is -EBADMSG. */
int rpc_pin_encode(const struct pin *pin, struct buf *out);
int rpc_pin_decode(const uint8_t *p, size_t n, struct pin *ret, struct err *e);
/* Single values. */
int rpc_cid_encode(const struct cid *c, struct buf *out);
int rpc_cid_decode(const uint8_t *p, size_t n, struct cid *ret, struct err *e);
int rpc_peerid_encode(const struct peerid *id, struct buf *out);
int rpc_peerid_decode(const uint8_t *p, size_t n, struct peerid *ret, struct err *e);
int rpc_peerids_encode(const struct peerid *v, size_t n_ids, struct buf *out);
int rpc_peerids_decode(const uint8_t *p, size_t n, struct bump *b, const struct peerid **ret,
		       size_t *ret_n, struct err *e);
int rpc_empty_encode(struct buf *out); /* {} */
int rpc_version_encode(const char *version, struct buf *out);
int rpc_filter_encode(uint32_t bits, struct buf *out);
int rpc_filter_decode(const uint8_t *p, size_t n, uint32_t *ret, struct err *e);
