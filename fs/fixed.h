/*
 * The files and folders whose names never change: one table, read by lookup, listing and
 * attributes.
 */
#pragma once

#include "fs/node.h"

enum fixed {
	FIXED_NONE,
	FIXED_README,
	FIXED_WHY,
	FIXED_PINS,
	FIXED_STATE,
	FIXED_EXPORT,
	FIXED_IMPORT,
	FIXED_IMPORT_RESULT,
	FIXED_CHECK,
	FIXED_CHECK_RESULT,
	FIXED_ALLOW,
	FIXED_INFO,
	FIXED_STATUS,
	FIXED_BY,
	FIXED_ERRORS,
	FIXED_SUMMARY,
	FIXED_PEERS,
	FIXED_SELF,
	FIXED_PEER_ADD,
	FIXED_HEALTH,
	FIXED_READY,
	FIXED_PROBLEMS,
	FIXED_GRAPH_JSON,
	FIXED_GRAPH_DOT,
	FIXED_ALERTS,
	FIXED_METRICS,
	FIXED_PROM,
	FIXED_IPFS,
	FIXED_IPFS_ID,
	FIXED_IPFS_REPO,
	FIXED_IPFS_GC,
	FIXED_IPFS_GC_RESULT,
	FIXED_BACKUPS,
	FIXED_AUDIT,
	FIXED_EVENTS,
	FIXED_CONFIG,
	FIXED_SERVICE,
	FIXED_IDENTITY,
	FIXED_PEERSTORE,
	FIXED_BY_NAME,
	FIXED_BATCH,
	FIXED_NR
};

struct fixed_file {
	const char *name;
	enum fixed parent; /* FIXED_NONE: the root */
	enum node_class class;
	const struct node_ops *ops;
};

extern const struct fixed_file fixed_files[FIXED_NR];

#define FIXED_MASK 0xffULL /* of a serial; above it, how often the folder was removed */

static inline uint64_t fixed_id(enum fixed f)
{
	return node_id(KIND_FIXED, f);
}

/* The id of now: state/ gets a new one with each cleanup, since the kernel lets nobody into a
 * folder that was removed while somebody still is in it. */
uint64_t fixed_id_now(struct fs *fs, enum fixed f);

/* FIXED_NONE for the root and for ids of other kinds. */
static inline enum fixed fixed_of(uint64_t ino)
{
	uint64_t f = node_serial(ino) & FIXED_MASK;

	return node_kind(ino) == KIND_FIXED && f < FIXED_NR ? (enum fixed)f : FIXED_NONE;
}

/* For folders with fixed files only; those with more entries call these first. */
int fixed_lookup(struct call *c, uint64_t dir, const char *name, struct node_entry *ret);
int fixed_next(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret);
/* Attributes of folders. */
int fixed_attr(struct call *c, uint64_t ino, struct stat *st);

/* Cookies of entries that are not fixed begin here. */
#define FIXED_COOKIES 256

/* The functions of each kind, from ops/. */
extern const struct node_ops ops_folder; /* only fixed entries */
extern const struct node_ops ops_readme, ops_why, ops_pins, ops_pin, ops_new_pin, ops_scratch;
extern const struct node_ops ops_state, ops_export, ops_import, ops_import_result, ops_spool;
extern const struct node_ops ops_check, ops_check_result, ops_allow, ops_info;
extern const struct node_ops ops_status, ops_pin_status, ops_by, ops_by_status, ops_status_link;
extern const struct node_ops ops_errors, ops_summary;
extern const struct node_ops ops_peers, ops_peer, ops_self, ops_peer_add, ops_ready, ops_problems;
extern const struct node_ops ops_graph_json, ops_graph_dot, ops_alerts, ops_metrics, ops_metric;
extern const struct node_ops ops_prom, ops_ipfs_id, ops_ipfs_repo, ops_gc, ops_gc_result;
extern const struct node_ops ops_backups, ops_backup, ops_audit, ops_events;
extern const struct node_ops ops_service, ops_identity, ops_peerstore;
extern const struct node_ops ops_by_name, ops_name, ops_name_link, ops_batch;
