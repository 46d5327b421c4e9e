#include "fs/fixed.h"

#include <errno.h>
#include <string.h>

#include "fs/internal.h"

const struct fixed_file fixed_files[FIXED_NR] = {
	[FIXED_README] = { "README", FIXED_NONE, CLASS_READ_ONLY, &ops_readme },
	[FIXED_WHY] = { "why", FIXED_NONE, CLASS_READ_ONLY, &ops_why },
	[FIXED_PINS] = { "pins", FIXED_NONE, CLASS_FOLDER, &ops_pins },
	[FIXED_STATE] = { "state", FIXED_NONE, CLASS_PRIVATE_FOLDER, &ops_state },
	[FIXED_EXPORT] = { "export", FIXED_STATE, CLASS_DUMP, &ops_export },
	[FIXED_IMPORT] = { "import", FIXED_STATE, CLASS_IMPORT, &ops_import },
	[FIXED_IMPORT_RESULT] = { "import.result", FIXED_STATE, CLASS_READ_ONLY,
				  &ops_import_result },
	[FIXED_CHECK] = { "check", FIXED_STATE, CLASS_IMPORT, &ops_check },
	[FIXED_CHECK_RESULT] = { "check.result", FIXED_STATE, CLASS_READ_ONLY, &ops_check_result },
	[FIXED_ALLOW] = { "allow", FIXED_STATE, CLASS_IMPORT, &ops_allow },
	[FIXED_INFO] = { "info.json", FIXED_STATE, CLASS_READ_ONLY, &ops_info },
	[FIXED_STATUS] = { "status", FIXED_NONE, CLASS_FOLDER, &ops_status },
	[FIXED_BY] = { "by", FIXED_STATUS, CLASS_FOLDER, &ops_by },
	[FIXED_ERRORS] = { "errors", FIXED_STATUS, CLASS_READ_ONLY, &ops_errors },
	[FIXED_SUMMARY] = { "summary.json", FIXED_STATUS, CLASS_READ_ONLY, &ops_summary },
	[FIXED_PEERS] = { "peers", FIXED_NONE, CLASS_FOLDER, &ops_peers },
	[FIXED_SELF] = { "self", FIXED_PEERS, CLASS_LINK, &ops_self },
	[FIXED_PEER_ADD] = { "add", FIXED_PEERS, CLASS_WRITE_ONLY, &ops_peer_add },
	[FIXED_HEALTH] = { "health", FIXED_NONE, CLASS_FOLDER, &ops_folder },
	[FIXED_READY] = { "ready", FIXED_HEALTH, CLASS_READ_ONLY, &ops_ready },
	[FIXED_PROBLEMS] = { "problems", FIXED_HEALTH, CLASS_READ_ONLY, &ops_problems },
	[FIXED_GRAPH_JSON] = { "graph.json", FIXED_HEALTH, CLASS_READ_ONLY, &ops_graph_json },
	[FIXED_GRAPH_DOT] = { "graph.dot", FIXED_HEALTH, CLASS_READ_ONLY, &ops_graph_dot },
	[FIXED_ALERTS] = { "alerts.json", FIXED_HEALTH, CLASS_READ_ONLY, &ops_alerts },
	[FIXED_METRICS] = { "metrics", FIXED_HEALTH, CLASS_FOLDER, &ops_metrics },
	[FIXED_PROM] = { "pinfs.prom", FIXED_HEALTH, CLASS_READ_ONLY, &ops_prom },
	[FIXED_IPFS] = { "ipfs", FIXED_NONE, CLASS_FOLDER, &ops_folder },
	[FIXED_IPFS_ID] = { "id.json", FIXED_IPFS, CLASS_READ_ONLY, &ops_ipfs_id },
	[FIXED_IPFS_REPO] = { "repo.json", FIXED_IPFS, CLASS_READ_ONLY, &ops_ipfs_repo },
	[FIXED_IPFS_GC] = { "gc", FIXED_IPFS, CLASS_WRITE_ONLY, &ops_gc },
	[FIXED_IPFS_GC_RESULT] = { "gc.result", FIXED_IPFS, CLASS_READ_ONLY, &ops_gc_result },
	[FIXED_BACKUPS] = { "backups", FIXED_NONE, CLASS_PRIVATE_FOLDER, &ops_backups },
	[FIXED_AUDIT] = { "audit", FIXED_NONE, CLASS_PRIVATE, &ops_audit },
	[FIXED_EVENTS] = { "events", FIXED_NONE, CLASS_READ_ONLY, &ops_events },
	[FIXED_CONFIG] = { "config", FIXED_NONE, CLASS_FOLDER, &ops_folder },
	[FIXED_SERVICE] = { "service.json", FIXED_CONFIG, CLASS_READ_ONLY, &ops_service },
	[FIXED_IDENTITY] = { "identity.json", FIXED_CONFIG, CLASS_READ_ONLY, &ops_identity },
	[FIXED_PEERSTORE] = { "peerstore", FIXED_CONFIG, CLASS_READ_ONLY, &ops_peerstore },
	[FIXED_BY_NAME] = { "by-name", FIXED_NONE, CLASS_FOLDER, &ops_by_name },
	[FIXED_BATCH] = { "batch", FIXED_NONE, CLASS_WRITE_ONLY, &ops_batch },
};

uint64_t fixed_id_now(struct fs *fs, enum fixed f)
{
	uint64_t removed = f == FIXED_STATE ? atomic_load(&fs->state_removed) : 0;

	return fixed_id(f) | removed * (FIXED_MASK + 1);
}

static bool is_folder(const struct fixed_file *f)
{
	return f->class == CLASS_FOLDER || f->class == CLASS_PRIVATE_FOLDER;
}

int fixed_attr(struct call *c, uint64_t ino, struct stat *st)
{
	enum fixed f = fixed_of(ino);
	const struct store_info *info = call_info(c);

	if (!info)
		return -EMFILE;
	node_stat(c->fs, ino, f == FIXED_NONE ? CLASS_ROOT : fixed_files[f].class, 0,
		  info->changed_ns, st);
	return 0;
}

static int entry_of(struct call *c, enum fixed f, struct node_entry *ret)
{
	const struct fixed_file *file = &fixed_files[f];
	int r = file->ops->attr(c, fixed_id_now(c->fs, f), &ret->st);

	if (r == 0)
		node_entry_set(ret, file->name, f, is_folder(file) ? 1.0 : 0.0);
	return r;
}

int fixed_lookup(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	enum fixed parent = fixed_of(dir);

	for (enum fixed f = FIXED_README; f < FIXED_NR; f++)
		if (fixed_files[f].parent == parent && strcmp(fixed_files[f].name, name) == 0)
			return entry_of(c, f, ret);
	return -ENOENT;
}

int fixed_next(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	enum fixed parent = fixed_of(dir);

	for (uint64_t f = l->cookie + 1; f < FIXED_NR; f++)
		if (fixed_files[f].parent == parent)
			return entry_of(c, (enum fixed)f, ret);
	return -ENOENT;
}

const struct node_ops ops_folder = {
	.attr = fixed_attr,
	.lookup = fixed_lookup,
	.next = fixed_next,
};

static const struct node_ops *const ops_by_kind[KIND_NR] = {
	[KIND_ROOT] = &ops_folder,
	[KIND_PIN] = &ops_pin,
	[KIND_NEW_PIN] = &ops_new_pin,
	[KIND_SCRATCH] = &ops_scratch,
	[KIND_PIN_STATUS] = &ops_pin_status,
	[KIND_BY_STATUS] = &ops_by_status,
	[KIND_STATUS_LINK] = &ops_status_link,
	[KIND_NAME] = &ops_name,
	[KIND_NAME_LINK] = &ops_name_link,
	[KIND_BACKUP] = &ops_backup,
	[KIND_PEER] = &ops_peer,
	[KIND_METRIC] = &ops_metric,
	[KIND_SPOOL] = &ops_spool,
};

const struct node_ops *node_ops(uint64_t ino)
{
	static const struct node_ops nothing;
	enum kind kind = node_kind(ino);
	const struct node_ops *ops = NULL;

	if (kind == KIND_FIXED && fixed_of(ino) != FIXED_NONE)
		ops = fixed_files[fixed_of(ino)].ops;
	else if (kind < KIND_NR)
		ops = ops_by_kind[kind];
	return ops ? ops : &nothing;
}

/* ---- attributes ---- */

static const struct {
	mode_t mode;
	bool backup_group, write_group;
} classes[] = {
	[CLASS_ROOT] = { S_IFDIR | 0755, false, false },
	[CLASS_FOLDER] = { S_IFDIR | 0755, false, true },
	[CLASS_PRIVATE_FOLDER] = { S_IFDIR | 0750, true, false },
	[CLASS_READ_ONLY] = { S_IFREG | 0444, false, false },
	[CLASS_WRITABLE] = { S_IFREG | 0644, false, true },
	[CLASS_WRITE_ONLY] = { S_IFREG | 0200, false, true },
	[CLASS_DUMP] = { S_IFREG | 0440, true, false },
	[CLASS_IMPORT] = { S_IFREG | 0640, true, false },
	[CLASS_LINK] = { S_IFLNK | 0777, false, false },
	[CLASS_PRIVATE] = { S_IFREG | 0440, true, false },
};

/* What the groups of -o access=, write=, backup= open; without them the owner's own group is shown.
 * A file has one group, so access= is checked at the root alone: who passes there is one of the
 * others further in. */
static void apply_groups(struct fs *fs, enum node_class class, struct stat *st)
{
	st->st_mode = classes[class].mode;
	st->st_gid = fs->gid;
	if (class == CLASS_ROOT && fs->access_gid != fs->gid) {
		st->st_gid = fs->access_gid;
		st->st_mode &= ~(mode_t)0007;
	} else if (classes[class].backup_group && fs->backup_gid != fs->gid) {
		st->st_gid = fs->backup_gid;
		if (class == CLASS_IMPORT || class == CLASS_PRIVATE_FOLDER)
			st->st_mode |= 0020;
	} else if (classes[class].write_group && fs->write_gid != fs->gid) {
		st->st_gid = fs->write_gid;
		st->st_mode |= 0020;
	}
}

void node_stat(struct fs *fs, uint64_t ino, enum node_class class, uint64_t size, int64_t mtime_ns,
	       struct stat *st)
{
	memset(st, 0, sizeof(*st));
	apply_groups(fs, class, st);
	st->st_ino = ino;
	st->st_uid = fs->uid;
	st->st_nlink = S_ISDIR(st->st_mode) ? 2 : 1;
	st->st_size = (off_t)size;
	st->st_blksize = class == CLASS_DUMP || class == CLASS_IMPORT ? 1 << 20 : 4096;
	st->st_blocks = (blkcnt_t)((size + 511) / 512);
	st->st_mtim.tv_sec = mtime_ns / 1000000000;
	st->st_mtim.tv_nsec = mtime_ns % 1000000000;
	st->st_atim = st->st_ctim = st->st_mtim;
}
