#include "daemon/conf_tables.h"

#include <limits.h>
#include <string.h>

const struct conf_range conf_positive = { 1, INT64_MAX, "above 0" };
const struct conf_range conf_not_negative = { 0, INT64_MAX, ">= 0" };

static int parse_multiaddr(const char *s, void *ret, struct err *e)
{
	return multiaddr_parse(s, strlen(s), ret, e);
}

static int parse_peerid(const char *s, void *ret, struct err *e)
{
	if (strcmp(s, "*") == 0) {
		memset(ret, 0, sizeof(struct peerid));
		return 0;
	}
	return peerid_parse(s, strlen(s), ret, e);
}

const struct conf_codec conf_multiaddr = { sizeof(struct multiaddr), "a multiaddress",
					   parse_multiaddr };
const struct conf_codec conf_peerid = { sizeof(struct peerid), "a peer ID", parse_peerid };

#define BASE(m) offsetof(struct config, m)

const struct conf_table conf_tables[] = {
	{ &conf_cluster, BASE(cluster) },
	{ &conf_crdt, BASE(crdt) },
	{ &conf_raft, BASE(raft) },
	{ &conf_ipfsproxy, CONF_NO_STRUCT },
	{ &conf_pinsvcapi, CONF_NO_STRUCT },
	{ &conf_restapi, CONF_NO_STRUCT },
	{ &conf_ipfshttp, BASE(kubo) },
	{ &conf_stateless, BASE(tracker) },
	{ &conf_pubsubmon, BASE(monitor) },
	{ &conf_balanced, BASE(allocator) },
	{ &conf_disk, BASE(informer) },
	{ &conf_numpin, BASE(informer) },
	{ &conf_pinqueue, BASE(informer) },
	{ &conf_tags, BASE(informer) },
	{ &conf_metrics, CONF_NO_STRUCT },
	{ &conf_tracing, CONF_NO_STRUCT },
	{ &conf_badger, CONF_NO_STRUCT },
	{ &conf_badger3, CONF_NO_STRUCT },
	{ &conf_leveldb, CONF_NO_STRUCT },
	{ &conf_lmdb, BASE(store) },
	{ &conf_pebble, CONF_NO_STRUCT },
	{ &conf_fuse, BASE(fs) },
	{ NULL, 0 },
};

const struct conf_table *conf_table_find(const char *path)
{
	const struct conf_table *t;

	for (t = conf_tables; t->section; t++) {
		if (strcmp(t->section->path, path) == 0)
			return t;
	}
	return NULL;
}
