#include "daemon/go_store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/path.h"

#define STAMP "go-store" /* in our data folder: what theirs looked like when we started last */

/* The newest time among the files of a folder, or of the file itself; 0 when it cannot be read. */
static int64_t newest(const char *path)
{
	struct dirent *ent;
	struct stat st;
	int64_t best = 0;
	DIR *d;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	d = opendir(path);
	if (!d)
		return 0;
	while ((ent = readdir(d))) {
		int64_t t;

		if (fstatat(dirfd(d), ent->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode))
			continue;
		t = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
		best = t > best ? t : best;
	}
	closedir(d);
	return best;
}

static int64_t store_time(const struct config *c, const char *name)
{
	char *path = path_join(c->folder, name);
	int64_t t = path ? newest(path) : 0;

	free(path);
	return t;
}

static bool file_exists(const char *folder, const char *name)
{
	char *path = path_join(folder, name);
	bool there = path && access(path, F_OK) == 0;

	free(path);
	return there;
}

/* The time noted at our last start; 0: none. */
static int64_t noted(const char *data_folder)
{
	struct buf b = BUF_INIT(0);
	char *path = path_join(data_folder, STAMP);
	int64_t t = 0;

	if (path && path_read(path, 32, &b, NULL) == 0 && buf_terminate(&b) == 0)
		t = strtoll((const char *)b.data, NULL, 10);
	buf_deinit(&b);
	free(path);
	return t;
}

int go_store_check(const struct config *c, const char *data_folder, bool fresh, struct err *e)
{
	const char *name = config_go_store(c);
	bool ours = file_exists(data_folder, "data.mdb");

	if (!name || fresh)
		return 0;
	if (ours && store_time(c, name) <= noted(data_folder))
		return 0;
	return err_set(
	    e, -EEXIST,
	    "%s/%s is a store of ipfs-cluster-service, which cannot be read here%s. "
	    "Alone: run  ipfs-cluster-service -c %s state export -f pins.json , start with "
	    "-o fresh, then  cp pins.json MOUNTPOINT/state/import . Among trusted peers: "
	    "start with -o fresh; the pinset comes from them (do not import)",
	    c->folder, name, ours ? ", and it changed since our last start" : "", c->folder);
}

int go_store_note(const struct config *c, const char *data_folder, struct err *e)
{
	const char *name = config_go_store(c);
	char text[32], *path;
	int r;

	if (!name || store_time(c, name) == noted(data_folder))
		return 0; /* a full disk does not matter then */
	path = path_join(data_folder, STAMP);
	if (!path)
		return err_sys(e, -ENOMEM, "starting");
	snprintf(text, sizeof(text), "%lld\n", (long long)store_time(c, name));
	r = path_write_atomic(path, text, strlen(text), 0600, e);
	free(path);
	return r;
}
