/* What a peer says of itself, as JSON. Source: type ID of ipfs-cluster 1.1.6 (api/types.go). */
#include "types/rpc_types.h"

static json_t *peer(const struct peerid *id)
{
	char text[PEERID_TEXT_MAX];

	if (id->len == 0)
		return json_string("");
	return json_stringn(text, peerid_format(id, text));
}

/* Texts of a decoded ID are UTF-8. */
static json_t *string(const struct pin_text *t)
{
	return json_stringn(t->n ? t->p : "", t->n);
}

static json_t *address(const struct multiaddr *a)
{
	struct buf text = BUF_INIT(0);
	json_t *ret = NULL;

	if (multiaddr_format(a, &text) == 0)
		ret = json_stringn((const char *)text.data, text.len);
	buf_deinit(&text);
	return ret;
}

static json_t *addresses(const struct multiaddr *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(list, address(&v[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *peers(const struct peerid *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(list, peer(&v[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *rpc_id_json(const struct rpc_id *id)
{
	return json_pack(
	    "{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:{s:o,s:o,s:o},s:o}", "id", peer(&id->peer),
	    "addresses", addresses(id->addresses, id->n_addresses), "cluster_peers",
	    peers(id->cluster_peers, id->n_cluster_peers), "cluster_peers_addresses",
	    addresses(id->cluster_peers_addresses, id->n_cluster_peers_addresses), "version",
	    string(&id->version), "commit", string(&id->commit), "rpc_protocol_version",
	    string(&id->rpc_protocol), "error", string(&id->error), "ipfs", "id",
	    peer(&id->ipfs.peer), "addresses", addresses(id->ipfs.addresses, id->ipfs.n_addresses),
	    "error", string(&id->ipfs.error), "peername", string(&id->peername));
}
