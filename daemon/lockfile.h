/*
 * cluster.lock: one process per configuration folder, shared with ipfs-cluster-service.
 *
 * The lock is a POSIX record lock (fcntl, write, whole file) on an empty file, as the reference
 * takes it. Such a lock belongs to the process, not to a descriptor: closing *any* descriptor of
 * that file drops it, silently. So this module opens the file once and nothing else in the process
 * may ever open it, not even to look at it. It is not inherited by fork: take it in the process
 * that will keep it. The file stays after a crash and then locks nothing.
 * Source: go4.org/lock (lock_unix.go), go-fs-lock.
 */
#pragma once

#include "util/err.h"

#define LOCKFILE_NAME "cluster.lock"

struct lockfile {
	int fd;
	char *path;
};

/* @folder must exist. -EBUSY: somebody else has it, the message names the pid; also when this
 * process holds it already. -EINVAL: the file is not empty, so it is not a lock. */
int lockfile_take(const char *folder, struct lockfile *ret, struct err *e);
/* Removes the file, then lets go of it. No-op on a lock that was never taken or was released. */
void lockfile_release(struct lockfile *l);
