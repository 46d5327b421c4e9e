#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fault/dumps.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/export.h"
#include "util/path.h"

void dumps_text(struct peer *p, struct buf *out)
{
	struct store_txn *t;
	struct export *x;
	char piece[4096];
	ssize_t n;

	*out = (struct buf)BUF_INIT(DUMPS_TEXT_MAX);
	assert_int_equal(0, store_read(p->store, &t));
	assert_int_equal(0, export_new(t, &x));
	while ((n = export_read(x, out->len, piece, sizeof(piece))) > 0)
		assert_int_equal(0, buf_append(out, piece, (size_t)n));
	assert_int_equal(0, n);
	export_free(x);
	store_read_end(t);
}

static bool is_dump(struct peer *p, const struct backup *b, const struct buf *text)
{
	char *data = malloc(DUMPS_TEXT_MAX);
	int fd = backups_open_file(cluster_backups(p->cluster), b->serial);
	ssize_t n;
	bool same;

	assert_non_null(data);
	assert_true(fd >= 0);
	n = read(fd, data, DUMPS_TEXT_MAX);
	close(fd);
	same = n == (ssize_t)text->len && memcmp(data, text->data, text->len) == 0;
	assert_int_equal(b->size, n);
	free(data);
	return same;
}

unsigned dumps_of(struct peer *p, const struct buf *text, const struct buf *also)
{
	struct backup b = { 0 };
	unsigned n = 0;

	while (backups_next(cluster_backups(p->cluster), b.serial, &b) == 0) {
		if (is_dump(p, &b, text))
			n++;
		else if (!also || !is_dump(p, &b, also))
			fail_msg("%s is not whole", b.name);
	}
	return n;
}

unsigned dumps_files(struct peer *p)
{
	char *path = path_join(p->folder, "backups");
	DIR *dir = opendir(path);
	struct dirent *d;
	unsigned n = 0;

	assert_non_null(dir);
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.' || strlen(d->d_name) > 2;
	closedir(dir);
	free(path);
	return n;
}
