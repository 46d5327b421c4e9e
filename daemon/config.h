/*
 * The configuration folder as this process sees it: service.json and identity.json, with the
 * CLUSTER_* variables on top. Loaded once before any thread exists, immutable afterwards.
 *
 * Every failure that a person has to mend in these files or variables is -EINVAL (exit code 78),
 * also a file that is missing; -EACCES, -EIO and the like come from the system as they are.
 */
#pragma once

#include <jansson.h>

#include "cluster/cluster_config.h"
#include "consensus/crdt/crdt_config.h"
#include "consensus/raft_config.h"
#include "fs/fs_config.h"
#include "ipfs/kubo.h"
#include "store/store_config.h"
#include "types/identity.h"
#include "util/buf.h"
#include "util/err.h"

#define CONFIG_FILE "service.json"
#define CONFIG_IDENTITY_FILE "identity.json"
#define CONFIG_PEERSTORE_FILE "peerstore"
#define CONFIG_BYTES_MAX (1024 * 1024) /* of each file */

enum config_consensus {
	CONFIG_CRDT,
	CONFIG_RAFT
};

struct config {
	char *folder;
	char *peerstore;                 /* path */
	enum config_consensus consensus; /* the other one's struct has its defaults */
	struct identity identity;
	struct cluster_config cluster;
	struct crdt_config crdt;
	struct raft_config raft;
	struct kubo_config kubo;
	struct tracker_config tracker;
	struct allocator_config allocator;
	struct monitor_config monitor;
	struct informer_config informer;
	struct store_config store;
	struct fs_config fs;
	json_t *doc; /* what is in force, secrets included, in the reference's order */
};

/* Loads @folder. Needs hash_init. Warnings (unknown keys, doubtful values) go to the log. On 0
 * the caller owns *ret. */
int config_load(const char *folder, struct config **ret, struct err *e);
/* The same for bytes in memory, without the identity: what config_load does with service.json.
 * @src names the file and may leave the environment out. */
int config_parse(const void *data, size_t len, const struct conf_source *src, struct config **ret,
		 struct err *e);
void config_free(struct config *c);

/* Appends service.json as it is in force, two spaces deep, without final newline. */
int config_json(const struct config *c, struct buf *out);
/* The same with secrets, passwords and private keys replaced by "XXX_hidden_XXX", and a final
 * newline: what may be shown. */
int config_json_public(const struct config *c, struct buf *out);
/* identity.json without the private key, with a final newline. */
int config_identity_public(const struct config *c, struct buf *out);

/* Which store of the reference lies in @folder: "pebble", "badger", "badger3", "leveldb" or
 * "raft/raft.db". NULL: none that the reference would open with this configuration. Folders that
 * the file names (datastore.*.folder, consensus.raft.data_folder) are looked at. */
const char *config_go_store(const struct config *c);

/* "$IPFS_CLUSTER_PATH", or "$HOME/.ipfs-cluster". The caller frees; NULL: neither is set. */
char *config_default_folder(void);
