/*
 * health/graph.json and graph.dot: who is connected to whom.
 * Source: ConnectGraph of ipfs-cluster 1.1.6 (api/types.go); ipfs-cluster-ctl's graph.go.
 */
#include <stdio.h>
#include <string.h>

#include "fs/ops/views.h"

static int render_graph_json(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	char self[PEERID_TEXT_MAX];
	struct tracker_kubo k = { 0 };
	json_t *names = json_object(), *ipfs = json_object(), *to_ipfs = json_object();

	view_self(c->fs, self);
	view_kubo(c->fs, &k);
	json_object_set_new(names, self, view_string(view_peername(c->fs)));
	if (k.id[0]) {
		json_object_set_new(ipfs, k.id, json_array());
		json_object_set_new(to_ipfs, self, view_string(k.id));
	}
	return text_json_new(out, json_pack("{s:s,s:o,s:o,s:{s:[]},s:{s:b},s:o}", "cluster_id",
					    self, "id_to_peername", names, "ipfs_links", ipfs,
					    "cluster_links", self, "cluster_trust_links", self, 1,
					    "cluster_to_ipfs", to_ipfs));
}
TEXT_OPS(graph_json, CLASS_READ_ONLY);

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

static int add_node(struct buf *out, const char *node, const char *name, const char *id,
		    const char *style)
{
	char small[16];
	int r = buf_printf(out, "%s [label=< <B> ", node);

	shorten(id, small);
	if (r == 0)
		r = add_label(out, name);
	return r < 0 ? r
		     : buf_printf(out,
				  " </B> <BR/> <B> %s </B> > group=\"%s\" colorscheme=\"x11\" "
				  "fontname=\"Arial\" style=\"filled\" fontcolor=\"black\" %s ]\n",
				  small, id, style);
}

static int render_graph_dot(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	char self[PEERID_TEXT_MAX];
	struct tracker_kubo k = { 0 };
	int r;

	view_self(c->fs, self);
	view_kubo(c->fs, &k);
	r = buf_str(out, "digraph cluster {\n/* The cluster-service peers */\nsubgraph {\n"
			 "rank=\"min\"\n");
	if (r == 0)
		r = add_node(out, "C0", view_peername(c->fs), self,
			     "color=\"orange\" peripheries=\"2\" shape=\"box3d\"");
	if (r == 0)
		r = buf_str(out, "}\n/* The ipfs peers */\nsubgraph {\nrank=\"max\"\n");
	if (r == 0)
		r = k.id[0] ? add_node(out, "I0", "IPFS", k.id,
				       "color=\"turquoise3\" shape=\"cylinder\"")
			    : add_node(out, "I0", "IPFS", "Errored",
				       "color=\"firebrick1\" shape=\"cylinder\"");
	if (r == 0)
		r = buf_str(out, "}\n/* The connections between cluster peers and their ipfs "
				 "daemons */\n");
	return r < 0 ? r
		     : buf_str(out, k.up ? "C0 -> I0\n}\n" : "C0 -> I0 [style=\"dotted\"]\n}\n");
}
TEXT_OPS(graph_dot, CLASS_READ_ONLY);
