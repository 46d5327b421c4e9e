#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fault/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CRASH_EXIT 42

atomic_long fault_alloc = -1, fault_disk = -1;
atomic_bool fault_full, fault_meta;
static atomic_bool crash; /* a call for the disk that is to fail ends the process instead */

static bool hits(atomic_long *left)
{
	return atomic_load(left) >= 0 && atomic_fetch_sub(left, 1) == 0;
}

void fault_at(atomic_long *what, long n)
{
	atomic_store(what, n);
}

bool fault_end(atomic_long *what)
{
	return atomic_exchange(what, -1) < 0;
}

void fault_crash_at(long n)
{
	atomic_store(&crash, true);
	fault_at(&fault_disk, n);
}

bool fault_crashed(pid_t child)
{
	int status;

	assert_int_equal(child, waitpid(child, &status, 0));
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CRASH_EXIT);
	return WEXITSTATUS(status) == CRASH_EXIT;
}

void fault_none(void)
{
	fault_end(&fault_alloc);
	fault_end(&fault_disk);
	atomic_store(&fault_full, false);
	atomic_store(&fault_meta, false);
}

/* ---- memory ---- */

static bool alloc_fails(void)
{
	if (!hits(&fault_alloc))
		return false;
	errno = ENOMEM;
	return true;
}

#ifdef FAULT_WRAP

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t n)
{
	return alloc_fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return alloc_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return alloc_fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return alloc_fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
	return alloc_fails() ? NULL : __real_strdup(s);
}

#else

/* glibc's own names; what it allocates itself comes here as well. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	return alloc_fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return alloc_fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return alloc_fails() ? NULL : __libc_realloc(p, n);
}

#endif

/* ---- the disk ---- */

static bool disk_fails(void)
{
	if (!hits(&fault_disk))
		return false;
	if (atomic_load(&crash))
		_exit(CRASH_EXIT);
	errno = ENOSPC;
	return true;
}

/* How much of a write at @at is taken, -1 for none. */
static ssize_t taken(int fd, size_t n, off_t at)
{
	struct stat st;

	if (disk_fails())
		return -1;
	if (!atomic_load(&fault_full) || fstat(fd, &st) < 0 || at + (off_t)n <= st.st_size)
		return (ssize_t)n;
	if (at < st.st_size)
		return st.st_size - at;
	errno = ENOSPC;
	return -1;
}

/* Where a write without a place of its own goes. */
static off_t place(int fd)
{
	return lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
}

static size_t length(const struct iovec *v, int n)
{
	size_t all = 0;

	for (int i = 0; i < n; i++)
		all += v[i].iov_len;
	return all;
}

/* libuv wakes its loop by a write, which cannot fail. */
static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

ssize_t write(int fd, const void *p, size_t n)
{
	ssize_t k = is_file(fd) ? taken(fd, n, place(fd)) : (ssize_t)n;

	return k < 0 ? -1 : syscall(SYS_write, fd, p, k);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	ssize_t k = taken(fd, n, at);

	if (atomic_load(&fault_meta) && (fcntl(fd, F_GETFL) & O_DSYNC)) {
		errno = EIO;
		return -1;
	}
	return k < 0 ? -1 : syscall(SYS_pwrite64, fd, p, k, at);
}

/* Under the names without 64-bit offsets too, which a library may have been built with. */
ssize_t short_pwrite(int fd, const void *p, size_t n, off_t at) __asm__("pwrite");
ssize_t short_pwritev(int fd, const struct iovec *v, int n, off_t at) __asm__("pwritev");
int short_ftruncate(int fd, off_t n) __asm__("ftruncate");

ssize_t short_pwrite(int fd, const void *p, size_t n, off_t at)
{
	return pwrite(fd, p, n, at);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	ssize_t all = (ssize_t)length(v, n), k = taken(fd, length(v, n), at);

	if (k == all)
		return syscall(SYS_pwritev, fd, v, n, at, 0);
	return k < 0 ? -1 : pwrite(fd, v[0].iov_base, v[0].iov_len, at);
}

ssize_t short_pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	return pwritev(fd, v, n, at);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	ssize_t all = (ssize_t)length(v, n), k = taken(fd, length(v, n), place(fd));

	if (k == all)
		return syscall(SYS_writev, fd, v, n);
	return k < 0 ? -1 : write(fd, v[0].iov_base, v[0].iov_len);
}

int ftruncate(int fd, off_t n)
{
	return disk_fails() ? -1 : (int)syscall(SYS_ftruncate, fd, n);
}

int short_ftruncate(int fd, off_t n)
{
	return ftruncate(fd, n);
}

int fsync(int fd)
{
	return disk_fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return disk_fails() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int posix_fallocate(int fd, off_t at, off_t n)
{
	if (taken(fd, (size_t)n, at) < (ssize_t)n)
		return ENOSPC;
	return syscall(SYS_fallocate, fd, 0, at, n) < 0 ? errno : 0;
}
