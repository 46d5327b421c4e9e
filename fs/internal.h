/* The mount's state, shared by the files of this folder. Private. */
#pragma once

#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>

#include "fs/call.h"
#include "fs/handle.h"
#include "fs/hidden.h"
#include "fs/why.h"

struct notifier;
struct scratch_set;
struct spool;
struct waiting_set;
struct export_set;

struct fs {
	struct fs_options opt;
	struct cluster *cluster;
	struct store *store;
	struct fuse_session *session;
	char *mountpoint;
	uid_t uid;
	gid_t gid, backup_gid, write_gid, access_gid;
	int64_t started_ns;
	pthread_t thread;
	bool running;
	atomic_bool frozen;
	struct mbox *end_mbox;
	struct mbox_msg *ended;

	struct list handles; /* open ones; FUSE thread */
	struct buf reply;    /* of reads and listings, kept from one to the next; FUSE thread */
	struct why *why;
	struct notifier *notifier;
	struct scratch_set *scratch;
	struct export_set *exports;  /* open dumps */
	struct waiting_set *waiting; /* requests that the peer has not answered yet */

	struct spool *spool;                /* ops/spool.c, NULL: none */
	uint64_t next_new;                  /* serials of pins that are created but not committed */
	atomic_uint_fast64_t shown_serial;  /* highest of a pin that the kernel was told of */
	atomic_uint_fast64_t state_removed; /* how often */
	struct hidden state_hidden; /* names of state/, counted from FIXED_EXPORT; FUSE thread */
};

/* mount.c: what df shows, bytes: Kubo's repository where it is known, else the disk under us. */
void fs_space(struct fs *fs, uint64_t *ret_free, uint64_t *ret_used);

/* dispatch_files.c: tells the kernel that a file is open. -ENOENT: nobody waits for it any more.
 * Any thread. */
int fs_reply_open(struct fuse_req *req, struct handle *h);

/* call.c: a refusal outside a request. */
void fs_record(struct fs *fs, const struct cluster_who *who, const char *path, int code,
	       const char *reason);
/* ops/spool.c: at the end. */
void spool_forget(struct fs *fs);

extern const struct fuse_lowlevel_ops fs_lowlevel_ops; /* dispatch.c */

/* notify.c: one thread that tells the kernel what it must forget; nobody waits for it. */
int notifier_start(struct fs *fs, struct notifier **ret);
void notifier_stop(struct notifier *n);
void notifier_inode(struct notifier *n, uint64_t ino);
