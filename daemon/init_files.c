#include "daemon/init_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/path.h"
#include "util/rfc3339.h"

#define KEPT_AT_ONCE 100 /* names of one second */

static int look(const char *folder, const char *name, struct stat *st)
{
	char *path = path_join(folder, name);
	int r = !path ? -ENOMEM : lstat(path, st) < 0 ? -errno : 0;

	free(path);
	return r;
}

bool init_file_exists(const char *folder, const char *name)
{
	struct stat st;

	return look(folder, name, &st) == 0;
}

bool init_file_holds(const char *folder, const char *name)
{
	struct stat st;

	return look(folder, name, &st) == 0 && st.st_size > 0;
}

static int link_in(const char *folder, const char *from, const char *to)
{
	char *a = path_join(folder, from), *b = path_join(folder, to);
	int r = !a || !b ? -ENOMEM : link(a, b) < 0 ? -errno : 0;

	free(a);
	free(b);
	return r;
}

/* Gives what is there a second, dated name, which stays when the first one becomes the new file. */
static int keep(const char *folder, struct init_file *f, struct err *e)
{
	char time[RFC3339_LEN + 1] = "";
	struct stat st;
	int r = look(folder, f->name, &st);

	f->kept[0] = '\0';
	if (r == -ENOENT || (r == 0 && st.st_size == 0))
		return 0;
	if (r == 0)
		r = rfc3339_format(clock_now_s(), time);
	if (r < 0)
		return err_sys(e, r, "%s/%s", folder, f->name);
	for (unsigned k = 0; k < KEPT_AT_ONCE; k++) {
		char more[8] = "";

		if (k > 0)
			snprintf(more, sizeof(more), "-%u", k);
		if (snprintf(f->kept, INIT_KEPT_MAX, "%s.%s%s", f->name, time, more) >=
		    INIT_KEPT_MAX) {
			r = -ENAMETOOLONG;
			break;
		}
		r = link_in(folder, f->name, f->kept);
		if (r != -EEXIST)
			break;
	}
	if (r < 0)
		err_sys(e, r, "keeping %s/%s beside the new one", folder, f->name);
	return r;
}

static int put(const char *folder, const struct init_file *f, struct err *e)
{
	char *path = path_join(folder, f->name);
	int r;

	if (!path)
		return err_sys(e, -ENOMEM, "%s", f->name);
	r = path_write_atomic(path, f->text->data, f->text->len, f->mode, e);
	free(path);
	return r;
}

static void undo(const char *folder, struct init_file *f)
{
	char *path = path_join(folder, f->name), *kept = path_join(folder, f->kept);

	if (path && kept && f->kept[0]) {
		rename(kept, path); /* does nothing when both are still one file */
		unlink(kept);
	} else if (path && !f->kept[0]) {
		unlink(path);
	}
	free(path);
	free(kept);
}

int init_files_write(const char *folder, struct init_file *files, size_t n, struct err *e)
{
	size_t i;
	int r = 0;

	for (i = 0; i < n && r == 0; i++) {
		r = keep(folder, &files[i], e);
		if (r < 0)
			break;
		r = put(folder, &files[i], e);
	}
	while (r < 0 && i-- > 0)
		undo(folder, &files[i]);
	return r;
}
