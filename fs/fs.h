/*
 * The mount: a tree of files in front of a peer. For daemon/; what the files of fs/ share is in
 * node.h.
 *
 * Threads: fs_new, fs_start and fs_stop on the loop's thread; the FUSE thread runs inside. Replies
 * to what had to wait are sent from the loop.
 */
#pragma once

#include <stdbool.h>

#include "cluster/cluster.h"
#include "fs/fs_config.h"
#include "util/err.h"

struct fs;

/* Files that are shown as they are. Each renders its bytes into @out; any thread. */
struct fs_source {
	int (*service_json)(void *arg, struct buf *out);
	int (*identity_json)(void *arg, struct buf *out);
	int (*peerstore)(void *arg, struct buf *out);
	int (*info)(void *arg, json_t *info); /* adds what the process knows to state/info.json */
	void *arg;
};

struct fs_options {
	const char *mountpoint;
	const struct fs_config *config;
	const char *fuse_options; /* "allow_other,..." handed to libfuse, or NULL */
	bool read_only;
	bool debug; /* libfuse prints every request */
	struct cluster *cluster;
	struct fs_source source;
	const char *peername;
};

/* Checks the mount point and mounts. -EINVAL, -ENOENT, -EBUSY, -ENODEV with what to do. */
int fs_new(const struct fs_options *opt, struct fs **ret, struct err *e);
/* Starts the FUSE thread and the notifier. */
int fs_start(struct fs *fs, struct err *e);
/* True when the mount is gone: somebody unmounted it. Any thread. @ended is posted when it happens.
 */
void fs_on_end(struct fs *fs, struct mbox *mbox, struct mbox_msg *ended);
/* Refuses further changes with EROFS. Any thread. */
void fs_freeze(struct fs *fs);
/* Detaches the mount and joins the threads; requests under way were answered before. */
void fs_stop(struct fs *fs);
void fs_free(struct fs *fs);
/* Before the process ends without fs_stop: takes the mount away, however busy it is. Any thread. */
void fs_detach(struct fs *fs);

/* Whether libfuse knows these mount options. -EINVAL. */
int fs_check_options(const char *options, struct err *e);
/* A mount point left dead by a killed daemon is detached. -EBUSY: a living one is there. */
int fs_recover_mountpoint(const char *path, struct err *e);
