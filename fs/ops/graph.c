/*
 * health/graph.json and graph.dot: who is connected to whom, by what each member said of itself
 * when it was asked last. Kubos' own connections are not asked for.
 * Source: ConnectGraph of ipfs-cluster 1.1.6 (connect_graph.go); ipfs-cluster-ctl's graph.go.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/ops/views.h"

/* ---- the graph ---- */

struct graph {
	struct fs *fs;
	char self[PEERID_TEXT_MAX];
	bool self_done;
	json_t *names, *ipfs_links, *links, *trust, *to_ipfs;
};

/* Members that are connected, as seen from here. */
static bool add_own_link(void *arg, const struct member *m)
{
	char id[PEERID_TEXT_MAX];

	peerid_format(&m->peer, id);
	if (m->alive && m->connected)
		json_array_append_new(arg, json_string(id));
	return true;
}

static void add_ipfs(struct graph *g, const char *id, const char *ipfs)
{
	if (!ipfs[0])
		return;
	json_object_set_new(g->to_ipfs, id, view_string(ipfs));
	json_object_set_new(g->ipfs_links, ipfs, json_array());
}

/* Its own links are there already: the members' list is not to be walked twice at once. */
static void add_self(struct graph *g)
{
	struct tracker_kubo k = { 0 };

	g->self_done = true;
	json_object_set_new(g->trust, g->self, json_true());
	json_object_set_new(g->names, g->self, view_string(view_peername(g->fs)));
	if (view_kubo(g->fs, &k) && k.up)
		add_ipfs(g, g->self, k.id);
}

static const char *text_in(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static json_t *links_of(const json_t *id, const char *self)
{
	json_t *list = json_array(), *peer;
	size_t i;

	json_array_foreach (json_object_get(id, "cluster_peers"), i, peer)
		if (strcmp(json_string_value(peer), self) != 0)
			json_array_append(list, peer);
	return list;
}

static bool add_member(void *arg, const struct member *m)
{
	struct graph *g = arg;
	char id[PEERID_TEXT_MAX];
	const json_t *ipfs;

	peerid_format(&m->peer, id);
	if (!g->self_done && strcmp(g->self, id) < 0)
		add_self(g);
	if (!m->alive)
		return true;
	json_object_set_new(g->trust, id, json_boolean(m->trusted));
	json_object_set_new(g->links, id,
			    m->id && !m->error[0] ? links_of(m->id, id) : json_array());
	if (!m->id || m->error[0])
		return true;
	json_object_set_new(g->names, id, view_string(text_in(m->id, "peername")));
	ipfs = json_object_get(m->id, "ipfs");
	if (!text_in(ipfs, "error")[0])
		add_ipfs(g, id, text_in(ipfs, "id"));
	return true;
}

static json_t *make_graph(struct fs *fs)
{
	struct graph g = { .fs = fs,
			   .names = json_object(),
			   .ipfs_links = json_object(),
			   .links = json_object(),
			   .trust = json_object(),
			   .to_ipfs = json_object() };
	json_t *own = json_array();

	view_self(fs, g.self);
	cluster_each_member(fs->cluster, add_own_link, own);
	json_object_set_new(g.links, g.self, own);
	cluster_each_member(fs->cluster, add_member, &g);
	if (!g.self_done)
		add_self(&g);
	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o}", "cluster_id", g.self, "id_to_peername",
			 g.names, "ipfs_links", g.ipfs_links, "cluster_links", g.links,
			 "cluster_trust_links", g.trust, "cluster_to_ipfs", g.to_ipfs);
}

static int render_graph_json(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	return text_json_new(out, make_graph(c->fs));
}
TEXT_OPS(graph_json, CLASS_READ_ONLY);

/* ---- the same for graphviz ---- */

/* "12*abcdef" */
static void shorten(const char *id, char out[16])
{
	size_t n = strlen(id);

	if (n < 8)
		snprintf(out, 16, "%.15s", id);
	else
		snprintf(out, 16, "%.2s*%.6s", id, id + n - 6);
}

/* A name between the tags of a label. */
static int add_label(struct buf *out, const char *s)
{
	int r = 0;

	for (; r == 0 && *s; s++) {
		switch (*s) {
		case '<':
			r = buf_str(out, "&lt;");
			break;
		case '>':
			r = buf_str(out, "&gt;");
			break;
		case '&':
			r = buf_str(out, "&amp;");
			break;
		case '"':
			r = buf_str(out, "&quot;");
			break;
		default:
			r = buf_byte(out, (uint8_t)*s);
		}
	}
	return r;
}

/* IDs come from others: in the file they stand without what would end a text. */
static int add_node(struct buf *out, const char *kind, size_t number, const char *name,
		    const char *id, const char *style)
{
	char small[16];
	int r = buf_printf(out, "%s%zu [label=< <B> ", kind, number);

	shorten(id, small);
	if (r == 0)
		r = add_label(out, name);
	if (r == 0)
		r = buf_str(out, " </B> <BR/> <B> ");
	if (r == 0)
		r = add_label(out, small);
	if (r == 0)
		r = buf_str(out, " </B> > group=\"");
	if (r == 0)
		r = add_label(out, id);
	return r < 0 ? r
		     : buf_printf(out,
				  "\" colorscheme=\"x11\" fontname=\"Arial\" style=\"filled\" "
				  "fontcolor=\"black\" %s ]\n",
				  style);
}

/* The number of a key, which is that of its node. False: there is none. */
static bool number_of(json_t *object, const char *key, size_t *ret)
{
	const char *k;
	json_t *v;

	*ret = 0;
	json_object_foreach (object, k, v) {
		if (strcmp(k, key) == 0)
			return true;
		++*ret;
	}
	return false;
}

static int add_cluster_nodes(json_t *graph, struct buf *out)
{
	json_t *names = json_object_get(graph, "id_to_peername"), *links;
	json_t *trust = json_object_get(graph, "cluster_trust_links");
	const char *id, *self = text_in(graph, "cluster_id");
	size_t i = 0;
	int r = buf_str(out, "digraph cluster {\n/* The nodes of the connectivity graph */\n"
			     "/* The cluster-service peers */\nsubgraph {\nrank=\"min\"\n");

	json_object_foreach (json_object_get(graph, "cluster_links"), id, links) {
		const char *style = "color=\"darkorange3\" shape=\"box3d\"";

		if (strcmp(id, self) == 0)
			style = "color=\"orange\" peripheries=\"2\" shape=\"box3d\"";
		else if (json_is_true(json_object_get(trust, id)))
			style = "color=\"orange\" shape=\"box3d\"";
		if (r == 0)
			r = add_node(out, "C", i++, text_in(names, id), id, style);
	}
	return r < 0 ? r : buf_str(out, "}\n");
}

/* First the Kubos that are known, then one for each peer without. */
static int add_ipfs_nodes(json_t *graph, struct buf *out)
{
	json_t *ipfs = json_object_get(graph, "ipfs_links"), *links;
	size_t i = 0;
	const char *id;
	int r = buf_str(out, "/* The ipfs peers */\nsubgraph {\nrank=\"max\"\n");

	json_object_foreach (ipfs, id, links)
		if (r == 0)
			r = add_node(out, "I", i++, "IPFS", id,
				     "color=\"turquoise3\" shape=\"cylinder\"");
	json_object_foreach (json_object_get(graph, "cluster_links"), id, links)
		if (r == 0 && !json_object_get(json_object_get(graph, "cluster_to_ipfs"), id))
			r = add_node(out, "I", i++, "IPFS", "Errored",
				     "color=\"firebrick1\" shape=\"cylinder\"");
	return r < 0 ? r : buf_str(out, "}\n");
}

static int add_cluster_edges(json_t *graph, struct buf *out)
{
	json_t *all = json_object_get(graph, "cluster_links"), *links, *peer;
	size_t from = 0, to, i;
	const char *id;
	int r = buf_str(out, "/* The connections among cluster-service peers */\n");

	json_object_foreach (all, id, links) {
		json_array_foreach (links, i, peer)
			if (r == 0 && number_of(all, json_string_value(peer), &to))
				r = buf_printf(out, "C%zu -> C%zu\n", from, to);
		from++;
	}
	return r;
}

static int add_ipfs_edges(json_t *graph, struct buf *out)
{
	json_t *to_ipfs = json_object_get(graph, "cluster_to_ipfs"), *links;
	json_t *ipfs = json_object_get(graph, "ipfs_links");
	size_t from = 0, to, missing = json_object_size(ipfs);
	const char *id;
	int r =
	    buf_str(out, "/* The connections between cluster peers and their ipfs daemons */\n");

	json_object_foreach (json_object_get(graph, "cluster_links"), id, links) {
		if (r == 0 && number_of(ipfs, text_in(to_ipfs, id), &to))
			r = buf_printf(out, "C%zu -> I%zu\n", from, to);
		else if (r == 0)
			r = buf_printf(out, "C%zu -> I%zu [style=\"dotted\"]\n", from, missing++);
		from++;
	}
	return r < 0 ? r : buf_str(out, "}\n");
}

static int render_graph_dot(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	json_t *graph = make_graph(c->fs);
	int r = graph ? add_cluster_nodes(graph, out) : -ENOMEM;

	if (r == 0)
		r = add_ipfs_nodes(graph, out);
	if (r == 0)
		r = add_cluster_edges(graph, out);
	if (r == 0)
		r = add_ipfs_edges(graph, out);
	json_decref(graph);
	return r;
}
TEXT_OPS(graph_dot, CLASS_READ_ONLY);
