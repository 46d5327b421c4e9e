/*
 * The sections of service.json as tables: those of the reference, in the order it writes them, and
 * ours. A section that this program does not use at run time is described as well, so that a wrong
 * value is found and a right one is kept; its rows have no place in a struct.
 */
#pragma once

#include "daemon/config.h"
#include "util/conf.h"

#define CONF_NO_STRUCT SIZE_MAX

struct conf_table {
	const struct conf_section *section;
	size_t base; /* of its struct within struct config, or CONF_NO_STRUCT */
};

/* Up to a row without section. */
extern const struct conf_table conf_tables[];
const struct conf_table *conf_table_find(const char *path); /* NULL: no such section */

extern const struct conf_section conf_cluster, conf_crdt, conf_raft, conf_ipfshttp, conf_stateless,
    conf_pubsubmon, conf_balanced, conf_disk, conf_numpin, conf_pinqueue, conf_tags, conf_ipfsproxy,
    conf_pinsvcapi, conf_restapi, conf_metrics, conf_tracing, conf_badger, conf_badger3,
    conf_leveldb, conf_pebble, conf_lmdb, conf_fuse;

/* Section datastore.pebble as the reference's init writes it; JSON text. */
extern const char conf_pebble_default[];

extern const struct conf_codec conf_multiaddr; /* struct multiaddr */
extern const struct conf_codec conf_peerid;    /* struct peerid; "*" gives the one without bytes */
extern const struct conf_range conf_positive, conf_not_negative;

/* Rows. A FIELD has a place in struct @s. */
#define KEY(n, t, f, ...)                                                                          \
	{                                                                                          \
		.name = n, .type = t, .flags = (f), __VA_ARGS__                                    \
	}
#define FIELD(n, t, f, s, m, ...)                                                                  \
	{                                                                                          \
		.name = n, .type = t, .flags = CONF_STORED | (f), .offset = offsetof(struct s, m), \
		__VA_ARGS__                                                                        \
	}
#define NO_MORE_KEYS                                                                               \
	{                                                                                          \
		.name = NULL                                                                       \
	}
