#include "util/path.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

char *path_join(const char *dir, const char *name)
{
	char *p;

	return asprintf(&p, "%s/%s", dir, name) < 0 ? NULL : p;
}

int path_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char *copy = strdup(path), *p;
	int r = 0;

	if (!copy)
		return err_sys(e, -ENOMEM, "%s", path);
	for (p = copy + 1; r == 0; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			r = err_sys(e, -errno, "making the folder %s", copy);
		*p = c;
		if (c == '\0')
			break;
	}
	free(copy);
	return r;
}

int path_read(const char *path, size_t max, struct buf *out, struct err *e)
{
	size_t start = out->len;
	int fd, r = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, -errno, "opening %s", path);
	for (;;) {
		ssize_t n;

		r = buf_reserve(out, 4096);
		if (r < 0) {
			err_sys(e, r, "reading %s", path);
			break;
		}
		n = read(fd, out->data + out->len, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = err_sys(e, -errno, "reading %s", path);
		if (n <= 0)
			break;
		out->len += (size_t)n;
		if (out->len - start > max) {
			r = err_set(e, -EFBIG, "%s is larger than %zu bytes", path, max);
			break;
		}
	}
	close(fd);
	return r;
}

int path_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void path_write_back(int fd, uint64_t size, uint64_t *begun)
{
	if (size - *begun < PATH_BACK_BYTES)
		return;
	sync_file_range(fd, (off_t)*begun, (off_t)(size - *begun), SYNC_FILE_RANGE_WRITE);
	*begun = size;
}

int path_fsync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int write_and_sync(const char *tmp, const void *data, size_t len, mode_t mode)
{
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode), r;

	if (fd < 0)
		return -errno;
	r = path_write_all(fd, data, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

int path_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	char *tmp, *copy = strdup(path);
	int r;

	if (!copy || asprintf(&tmp, "%s.tmp", path) < 0) {
		free(copy);
		return err_sys(e, -ENOMEM, "writing %s", path);
	}
	r = write_and_sync(tmp, data, len, mode);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r == 0)
		r = path_fsync_dir(dirname(copy));
	else
		unlink(tmp);
	if (r < 0)
		err_sys(e, r, "writing %s", path);
	free(tmp);
	free(copy);
	return r;
}

/* Where the file system has no files without a name. */
static int open_unlinked(const char *dir)
{
	char *path = path_join(dir, "spool.XXXXXX");
	int r;

	if (!path)
		return -ENOMEM;
	r = mkostemp(path, O_CLOEXEC);
	if (r < 0)
		r = -errno;
	else
		unlink(path);
	free(path);
	return r;
}

int path_unnamed(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	return errno == EOPNOTSUPP || errno == EISDIR ? open_unlinked(dir) : -errno;
}
