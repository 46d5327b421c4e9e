/*
 * peers/: this peer and the other members, each as the reference's `peers ls` shows it, with what
 * this peer knows besides. Source: type ID of ipfs-cluster 1.1.6 (api/types.go).
 */
#include <errno.h>
#include <string.h>

#include "fs/ops/views.h"
#include "util/clock.h"

/* ---- names and numbers ---- */

/* The end of the ID, which is of its key or of a hash of it: the same for ever. */
static uint64_t serial_of(const struct peerid *id)
{
	uint64_t serial = 0;

	for (unsigned i = 0; i < id->len; i++)
		serial = serial << 8 | id->bytes[i];
	return serial & NODE_SERIAL_MASK;
}

static const struct peerid *self_of(struct fs *fs)
{
	return &cluster_options(fs->cluster)->self;
}

static void file_name(const struct peerid *id, char out[256])
{
	char text[PEERID_TEXT_MAX];

	peerid_format(id, text);
	snprintf(out, 256, "%s.json", text);
}

struct search {
	uint64_t serial; /* looked for, or the last one passed */
	struct peerid found;
};

static bool has_serial(void *arg, const struct member *m)
{
	struct search *s = arg;

	if (serial_of(&m->peer) != s->serial)
		return true;
	s->found = m->peer;
	return false;
}

static bool by_serial(struct fs *fs, uint64_t serial, struct peerid *ret)
{
	struct search s = { .serial = serial };

	if (serial_of(self_of(fs)) == serial)
		s.found = *self_of(fs);
	else
		cluster_each_member(fs->cluster, has_serial, &s);
	*ret = s.found;
	return s.found.len > 0;
}

static bool comes_next(void *arg, const struct member *m)
{
	struct search *s = arg;
	uint64_t serial = serial_of(&m->peer);

	if (serial > s->serial && (s->found.len == 0 || serial < serial_of(&s->found)))
		s->found = m->peer;
	return true;
}

static bool next_serial(struct fs *fs, uint64_t after, struct peerid *ret)
{
	struct member self = { .peer = *self_of(fs) };
	struct search s = { .serial = after };

	comes_next(&s, &self);
	cluster_each_member(fs->cluster, comes_next, &s);
	*ret = s.found;
	return s.found.len > 0;
}

/* ---- this peer ---- */

static json_t *ipfs_object(struct fs *fs)
{
	struct tracker_kubo k = { 0 };
	bool known = view_kubo(fs, &k);

	return json_pack("{s:o,s:o,s:o}", "id", view_string(k.id), "addresses",
			 view_lines(k.addresses), "error",
			 view_string(known ? k.error : "offline"));
}

struct peer_list {
	json_t *ids;
	const struct peerid *self;
	bool self_done;
};

static void add_id(struct peer_list *l, const struct peerid *id)
{
	char text[PEERID_TEXT_MAX];

	peerid_format(id, text);
	json_array_append_new(l->ids, json_string(text));
}

static bool add_living(void *arg, const struct member *m)
{
	struct peer_list *l = arg;

	if (!l->self_done && peerid_compare(l->self, &m->peer) < 0) {
		add_id(l, l->self);
		l->self_done = true;
	}
	if (m->alive)
		add_id(l, &m->peer);
	return true;
}

static json_t *cluster_peers(struct fs *fs)
{
	struct peer_list l = { .ids = json_array(), .self = self_of(fs) };

	cluster_each_member(fs->cluster, add_living, &l);
	if (!l.self_done)
		add_id(&l, l.self);
	return l.ids;
}

static json_t *lines_of(struct buf *b)
{
	json_t *list = buf_terminate(b) == 0 ? view_lines((const char *)b->data) : json_array();

	buf_deinit(b);
	return list;
}

static json_t *self_object(struct fs *fs)
{
	struct buf own = BUF_INIT(0), others = BUF_INIT(0);
	char id[PEERID_TEXT_MAX];

	view_self(fs, id);
	cluster_addresses(fs->cluster, &own, &others);
	return json_pack("{s:s,s:o,s:o,s:o,s:s,s:s,s:s,s:s,s:o,s:o,s:b,s:b,s:b,s:i,s:s,s:s}", "id",
			 id, "addresses", lines_of(&own), "cluster_peers", cluster_peers(fs),
			 "cluster_peers_addresses", lines_of(&others), "version", PINFS_VERSION,
			 "commit", "", "rpc_protocol_version", "/ipfscluster/1.0/rpc", "error", "",
			 "ipfs", ipfs_object(fs), "peername", view_string(view_peername(fs)),
			 "alive", 1, "connected", 1, "trusted", 1, "rtt_ms", 0, "agent",
			 "pinfs/" PINFS_VERSION, "asked", "");
}

/* ---- another one ---- */

/* One that has not answered yet, with nothing but its ID. */
static json_t *unknown_object(const struct peerid *peer)
{
	char id[PEERID_TEXT_MAX];

	peerid_format(peer, id);
	return json_pack("{s:s,s:[],s:[],s:[],s:s,s:s,s:s,s:s,s:{s:s,s:[],s:s},s:s}", "id", id,
			 "addresses", "cluster_peers", "cluster_peers_addresses", "version", "",
			 "commit", "", "rpc_protocol_version", "", "error", "", "ipfs", "id", "",
			 "addresses", "error", "", "peername", "");
}

struct shown {
	json_t *object;
	int64_t asked_ns;
};

static void show_member(void *arg, const struct member *m)
{
	struct shown *s = arg;
	json_t *j = m->id ? json_deep_copy(m->id) : unknown_object(&m->peer);

	if (m->error[0])
		json_object_set_new(j, "error", view_string(m->error));
	json_object_set_new(j, "alive", json_boolean(m->alive));
	json_object_set_new(j, "connected", json_boolean(m->connected));
	json_object_set_new(j, "trusted", json_boolean(m->trusted));
	json_object_set_new(j, "rtt_ms", json_integer((json_int_t)m->rtt_ms));
	json_object_set_new(j, "agent", view_string(m->agent));
	json_object_set_new(j, "asked", json_string(view_time(m->asked_ns).s));
	s->object = j;
	s->asked_ns = m->asked_ns;
}

/* What it announced last, which need not be all of its heads. */
static void add_heads(struct fs *fs, const struct peerid *peer, json_t *j)
{
	struct crdt_heads heads = { 0 };
	char text[CID_TEXT_MAX + 1];
	json_t *list = json_array();
	bool in_step = false;
	bool heard = cluster_heads_of(fs->cluster, peer, &heads, &in_step);

	for (size_t i = 0; i < heads.n; i++) {
		struct cid cid;

		if (cid_from_bytes(heads.v[i], sizeof(heads.v[i]), &cid, NULL) < 0)
			continue;
		cid_format(&cid, text);
		json_array_append_new(list, json_string(text));
	}
	json_object_set_new(j, "heads", list);
	json_object_set_new(j, "heads_heard", json_string(view_time(heads.heard_s * NS_PER_S).s));
	json_object_set_new(j, "in_step", heard ? json_boolean(in_step) : json_null());
}

/* ---- the files ---- */

static int render_peer(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	struct shown s = { 0 };
	struct peerid peer;

	if (!by_serial(c->fs, node_serial(ino), &peer))
		return -ESTALE;
	if (peerid_equal(&peer, self_of(c->fs)))
		return text_json_new(out, self_object(c->fs));
	if (!cluster_find_member(c->fs->cluster, &peer, show_member, &s))
		return -ESTALE;
	add_heads(c->fs, &peer, s.object);
	if (s.asked_ns)
		*ret_mtime_ns = s.asked_ns;
	return text_json_new(out, s.object);
}
TEXT_OPS(peer, CLASS_READ_ONLY);

static int attr_self(struct call *c, uint64_t ino, struct stat *st)
{
	char name[256];

	file_name(self_of(c->fs), name);
	node_stat(c->fs, ino, CLASS_LINK, strlen(name), c->fs->started_ns, st);
	return 0;
}

static int readlink_self(struct call *c, uint64_t ino, struct buf *out)
{
	char name[256];

	file_name(self_of(c->fs), name);
	return buf_str(out, name);
}

const struct node_ops ops_self = {
	.attr = attr_self,
	.readlink = readlink_self,
};

/* ---- the folder ---- */

static int peer_entry(struct call *c, const struct peerid *peer, struct node_entry *ret)
{
	uint64_t serial = serial_of(peer);

	file_name(peer, ret->name);
	ret->cookie = FIXED_COOKIES + serial;
	ret->timeout = 0;
	return attr_peer(c, node_id(KIND_PEER, serial), &ret->st);
}

static int find_peer(struct call *c, const char *name, struct node_entry *ret)
{
	size_t n = strlen(name);
	struct peerid peer, found;
	char canonical[256];

	if (n <= 5 || strcmp(name + n - 5, ".json") != 0 ||
	    peerid_parse(name, n - 5, &peer, NULL) < 0 ||
	    !by_serial(c->fs, serial_of(&peer), &found) || !peerid_equal(&peer, &found))
		return -ENOENT;
	file_name(&peer, canonical);
	return strcmp(name, canonical) == 0 ? peer_entry(c, &peer, ret) : -ENOENT;
}

static int lookup_peers(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	int r = fixed_lookup(c, dir, name, ret);

	if (r == -ENOENT)
		r = find_peer(c, name, ret);
	return r == -ESTALE ? -ENOENT : r;
}

static int next_peers(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	int r = l->cookie < FIXED_NR ? fixed_next(c, dir, l, ret) : -ENOENT;
	uint64_t after = l->cookie > FIXED_COOKIES ? l->cookie - FIXED_COOKIES : 0;
	struct peerid peer;

	if (r != -ENOENT)
		return r;
	/* One that goes at this moment is passed over. */
	do {
		if (!next_serial(c->fs, after, &peer))
			return -ENOENT;
		after = serial_of(&peer);
		r = peer_entry(c, &peer, ret);
	} while (r == -ESTALE);
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
