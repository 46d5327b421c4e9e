/*
 * Section fuse: the mount. Filled and freed by daemon/config; immutable.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct fs_config {
	char *access; /* group that may browse; "": the owner alone */
	char *write;  /* group that may write */
	char *backup; /* group for state/ and backups/ */
	int32_t audit_days;
	int64_t max_unpins;         /* of one burst; 0: max(100, 10 %), -1: no brake */
	int32_t backups_rotate;     /* in raft mode: what consensus.raft.backups_rotate says */
	int64_t commit_deadline_ms; /* a commit that takes longer is ETIMEDOUT */
	struct {                    /* laid out as struct conf_list */
		char **v;
		size_t n;
	} mount_options; /* handed to libfuse */
};
