#include "daemon/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/path.h"

#define ATTEMPTS 16 /* each lost to a holder that removed the file under our hands */

/* A second open of the file would cost this process its lock, so the fact that it holds one is
 * kept per process, as the kernel keeps it. */
static atomic_bool held;

static int busy(int fd, const char *path, struct err *e)
{
	struct flock who = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &who) == 0 && who.l_type != F_UNLCK && who.l_pid > 0)
		return err_set(e, -EBUSY, "%s is locked: process %ld uses this folder", path,
			       (long)who.l_pid);
	return err_set(e, -EBUSY, "%s is locked: another process uses this folder", path);
}

/* Whether @fd is still the file of that name: a holder that stops removes the file first. */
static bool same_file(int fd, const char *path)
{
	struct stat mine, there;

	return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
	       mine.st_dev == there.st_dev;
}

/* 1: taken; 0: try again. */
static int attempt(const char *path, int *ret_fd, struct err *e)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;
	int fd, r;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, -errno, "opening %s", path);
	if (fstat(fd, &st) < 0)
		r = err_sys(e, -errno, "%s", path);
	else if (st.st_size > 0)
		r = err_set(e, -EINVAL, "%s is not empty, so it is not a lock: remove it", path);
	else if (fcntl(fd, F_SETLK, &all) == 0)
		r = same_file(fd, path);
	else if (errno == EACCES || errno == EAGAIN)
		r = busy(fd, path, e);
	else
		r = err_sys(e, -errno, "locking %s", path);
	if (r <= 0)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

int lockfile_take(const char *folder, struct lockfile *ret, struct err *e)
{
	char *path = path_join(folder, LOCKFILE_NAME);
	int fd = -1, i, r = 0;

	if (!path)
		return err_sys(e, -ENOMEM, "%s", folder);
	if (atomic_exchange(&held, true)) {
		r = err_set(e, -EBUSY, "%s is locked by this process", path);
		free(path);
		return r;
	}
	for (i = 0; i < ATTEMPTS && r == 0; i++)
		r = attempt(path, &fd, e);
	if (r == 0)
		r = err_set(e, -EBUSY, "%s is locked: others come and go", path);
	if (r < 0) {
		atomic_store(&held, false);
		free(path);
		return r;
	}
	ret->fd = fd;
	ret->path = path;
	return 0;
}

void lockfile_release(struct lockfile *l)
{
	if (!l->path)
		return;
	unlink(l->path); /* before the lock goes: nobody can hold a file that is about to vanish */
	close(l->fd);
	free(l->path);
	l->path = NULL;
	l->fd = -1;
	atomic_store(&held, false);
}
