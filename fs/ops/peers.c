/*
 * peers/: this peer, as the reference's `id` shows a peer.
 * Source: type ID of ipfs-cluster 1.1.6 (api/types.go).
 */
#include <errno.h>
#include <string.h>

#include "fs/ops/views.h"

#define PEER_SELF 1 /* serial */

static int file_name(struct fs *fs, char out[256])
{
	char id[PEERID_TEXT_MAX];

	view_self(fs, id);
	return snprintf(out, 256, "%s.json", id);
}

/* ---- the files ---- */

static json_t *ipfs_object(struct fs *fs)
{
	struct tracker_kubo k = { 0 };
	bool known = view_kubo(fs, &k);

	return json_pack("{s:o,s:o,s:o}", "id", view_string(k.id), "addresses",
			 view_lines(k.addresses), "error",
			 view_string(known ? k.error : "offline"));
}

static int render_peer(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	char id[PEERID_TEXT_MAX];

	view_self(c->fs, id);
	return text_json_new(
	    out,
	    json_pack("{s:s,s:[],s:[s],s:[],s:s,s:s,s:s,s:s,s:o,s:o,s:b,s:b}", "id", id,
		      "addresses", "cluster_peers", id, "cluster_peers_addresses", "version",
		      PINFS_VERSION, "commit", "", "rpc_protocol_version", "/ipfscluster/1.0/rpc",
		      "error", "", "ipfs", ipfs_object(c->fs), "peername",
		      view_string(view_peername(c->fs)), "alive", 1, "trusted", 1));
}
TEXT_OPS(peer, CLASS_READ_ONLY);

static int attr_self(struct call *c, uint64_t ino, struct stat *st)
{
	char name[256];

	node_stat(c->fs, ino, CLASS_LINK, (uint64_t)file_name(c->fs, name), c->fs->started_ns, st);
	return 0;
}

static int readlink_self(struct call *c, uint64_t ino, struct buf *out)
{
	char name[256];

	file_name(c->fs, name);
	return buf_str(out, name);
}

const struct node_ops ops_self = {
	.attr = attr_self,
	.readlink = readlink_self,
};

/* ---- the folder ---- */

static int peer_entry(struct call *c, struct node_entry *ret)
{
	file_name(c->fs, ret->name);
	ret->cookie = FIXED_COOKIES + PEER_SELF;
	ret->timeout = 0;
	return attr_peer(c, node_id(KIND_PEER, PEER_SELF), &ret->st);
}

static int lookup_peers(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	int r = fixed_lookup(c, dir, name, ret);
	char self[256];

	file_name(c->fs, self);
	if (r == -ENOENT && strcmp(name, self) == 0)
		return peer_entry(c, ret);
	return r;
}

static int next_peers(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	int r = l->cookie < FIXED_NR ? fixed_next(c, dir, l, ret) : -ENOENT;

	if (r == -ENOENT && l->cookie < FIXED_COOKIES + PEER_SELF)
		return peer_entry(c, ret);
	return r;
}

static int unlink_peers(struct call *c, uint64_t dir, const char *name)
{
	struct node_entry en;
	int r = lookup_peers(c, dir, name, &en);

	if (r < 0)
		return r;
	return call_refuse(c, -EPERM, "%s consensus component cannot remove peers",
			   cluster_consensus_name(c->fs->cluster));
}

const struct node_ops ops_peers = {
	.attr = fixed_attr,
	.lookup = lookup_peers,
	.next = next_peers,
	.unlink = unlink_peers,
};
