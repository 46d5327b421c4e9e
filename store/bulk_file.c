#include "store/bulk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/path.h"

#define TAIL_BYTES (256u << 10)

int bulk_file_open(struct bulk_file *f, const char *folder)
{
	int fd = path_unnamed(folder);

	if (fd < 0)
		return fd;
	*f = (struct bulk_file){ .fd = fd };
	return 0;
}

void bulk_file_close(struct bulk_file *f)
{
	if (f->map)
		munmap(f->map, f->map_len);
	if (f->fd >= 0)
		close(f->fd);
	free(f->tail);
	*f = (struct bulk_file)BULK_FILE_INIT;
}

static int flush_tail(struct bulk_file *f)
{
	int r = f->n_tail ? path_write_all(f->fd, f->tail, f->n_tail) : 0;

	f->n_tail = 0;
	return r;
}

int bulk_file_append(struct bulk_file *f, const void *p, size_t n)
{
	int r = 0;

	if (!f->tail) {
		f->tail = malloc(TAIL_BYTES);
		if (!f->tail)
			return -ENOMEM;
	}
	if (n > TAIL_BYTES - f->n_tail)
		r = flush_tail(f);
	if (r < 0)
		return r;
	if (n > TAIL_BYTES)
		r = path_write_all(f->fd, p, n);
	else
		memcpy(f->tail + f->n_tail, p, n);
	if (r < 0)
		return r;
	f->n_tail += n > TAIL_BYTES ? 0 : n;
	f->size += n;
	return 0;
}

static int map(struct bulk_file *f, size_t n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_SHARED, f->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	f->map = p;
	f->map_len = n;
	return 0;
}

int bulk_file_map(struct bulk_file *f)
{
	int r = flush_tail(f);

	free(f->tail);
	f->tail = NULL;
	return r < 0 || f->size == 0 ? r : map(f, f->size, PROT_READ);
}

int bulk_file_map_new(struct bulk_file *f, size_t n)
{
	int r = posix_fallocate(f->fd, 0, (off_t)n);

	if (r != 0)
		return -r;
	f->size = n;
	return map(f, n, PROT_READ | PROT_WRITE);
}
