/*
 * To be preloaded: LMDB's meta pages, which it writes through a file opened with O_DSYNC, cannot be
 * written while the file $META_FAILS is there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	const char *file = getenv("META_FAILS");

	if (file && (fcntl(fd, F_GETFL) & O_DSYNC) && access(file, F_OK) == 0) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at) __attribute__((alias("pwrite")));
