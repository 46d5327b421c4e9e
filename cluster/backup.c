/*
 * On disk a dump made by us has the name it shows; one with a name of the user's is stored as
 * <serial>=<name>, since '=' cannot be in a name: so the folder itself is the index. A file's mtime
 * is the time of the pinset's last change, by which an unchanged one is known; its ctime is when it
 * was made.
 */
#include "cluster/backup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/export.h"
#include "util/clock.h"
#include "util/path.h"
#include "util/rfc3339.h"

#define LOG_AREA "backup"
#include "util/log.h"

#define CHUNK (1u << 20)
#define TEMPORARY ".new"
#define FILE_NAME_MAX (BACKUP_NAME_MAX + 24) /* serial and '=' */
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"

struct backups {
	pthread_mutex_t lock;
	int fd; /* of the folder */
	unsigned rotate;
	uint64_t next; /* serial */
};

/* One file of the folder. */
struct entry {
	struct backup b;
	char file[FILE_NAME_MAX];
	int64_t change_ns; /* of the pinset in it */
	bool named;        /* by the user: never rotated */
};

static int64_t ns_of(struct timespec ts)
{
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static bool is_name(const char *s)
{
	size_t n = strlen(s);

	return n < BACKUP_NAME_MAX && n > 5 && s[0] != '.' && strspn(s, NAME_CHARS) == n &&
	       strcmp(s + n - 5, ".json") == 0;
}

/* False: no file of ours. */
static bool parse_file_name(const char *file, struct entry *ret)
{
	const char *shown = file;
	char *end;

	if (!isdigit((unsigned char)file[0]) || strlen(file) >= FILE_NAME_MAX)
		return false;
	errno = 0;
	ret->b.serial = strtoull(file, &end, 10);
	if (errno || ret->b.serial == 0 || (*end != '=' && *end != '-'))
		return false;
	ret->named = *end == '=';
	if (ret->named)
		shown = end + 1;
	if (!is_name(shown))
		return false;
	strcpy(ret->file, file);
	strcpy(ret->b.name, shown);
	return true;
}

static bool read_entry(struct backups *b, const char *file, struct entry *ret)
{
	struct stat st;

	if (!parse_file_name(file, ret) || fstatat(b->fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	ret->b.size = (uint64_t)st.st_size;
	ret->b.time_ns = ns_of(st.st_ctim);
	ret->change_ns = ns_of(st.st_mtim);
	return true;
}

/* ---- the list: a pass over the folder, which holds few files ---- */

/* Calls @each until it returns true. */
static int each_entry(struct backups *b, bool (*each)(const struct entry *x, void *arg), void *arg)
{
	int fd = openat(b->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *d;
	struct entry x;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		int r = -errno;

		close(fd);
		return r;
	}
	while ((d = readdir(dir)))
		if (read_entry(b, d->d_name, &x) && each(&x, arg))
			break;
	closedir(dir);
	return 0;
}

/* What is looked for, and the best so far. */
struct search {
	const char *name;
	uint64_t after;
	int64_t change_ns;
	uint64_t size;
	int64_t now_ns;
	unsigned newer; /* of ours, above @after */
	bool found;
	struct entry best;
};

static bool keep(struct search *s, const struct entry *x)
{
	s->found = true;
	s->best = *x;
	return false;
}

static bool match_next(const struct entry *x, void *arg)
{
	struct search *s = arg;

	if (x->b.serial <= s->after || (s->found && x->b.serial >= s->best.b.serial))
		return false;
	return keep(s, x);
}

static bool match_name(const struct entry *x, void *arg)
{
	struct search *s = arg;

	return strcmp(x->b.name, s->name) == 0 && (keep(s, x), true);
}

static bool match_content(const struct entry *x, void *arg)
{
	struct search *s = arg;

	return x->change_ns == s->change_ns && x->b.size == s->size && (keep(s, x), true);
}

static bool match_last(const struct entry *x, void *arg)
{
	struct search *s = arg;

	return s->found && x->b.serial <= s->best.b.serial ? false : keep(s, x);
}

static bool match_last_of_age(const struct entry *x, void *arg)
{
	struct search *s = arg;

	if (s->now_ns - x->b.time_ns < BACKUP_KEEP_S * NS_PER_S)
		return false;
	return match_last(x, arg);
}

static bool match_oldest_ours(const struct entry *x, void *arg)
{
	struct search *s = arg;

	if (x->named || x->b.serial <= s->after)
		return false;
	s->newer++;
	return s->found && x->b.serial >= s->best.b.serial ? false : keep(s, x);
}

static int find(struct backups *b, bool (*match)(const struct entry *x, void *arg),
		struct search *s)
{
	int r = each_entry(b, match, s);

	return r < 0 ? r : s->found ? 0 : -ENOENT;
}

int backups_next(struct backups *b, uint64_t after, struct backup *ret)
{
	struct search s = { .after = after };
	int r = find(b, match_next, &s);

	if (r == 0)
		*ret = s.best.b;
	return r;
}

int backups_find(struct backups *b, const char *name, struct backup *ret)
{
	struct search s = { .name = name };
	int r = find(b, match_name, &s);

	if (r == 0)
		*ret = s.best.b;
	return r;
}

static int find_serial(struct backups *b, uint64_t serial, struct entry *ret)
{
	struct search s = { .after = serial - 1 };
	int r = serial ? find(b, match_next, &s) : -ENOENT;

	if (r == 0 && s.best.b.serial != serial)
		r = -ENOENT;
	if (r == 0)
		*ret = s.best;
	return r;
}

/* ---- making ---- */

static int write_dump(int fd, const struct store_txn *t)
{
	struct export *x;
	uint8_t *chunk = malloc(CHUNK);
	uint64_t offset = 0, begun = 0;
	ssize_t n;
	int r = chunk ? export_new(t, &x) : -ENOMEM;

	if (r < 0)
		goto out_free;
	while ((n = export_read(x, offset, chunk, CHUNK)) > 0) {
		r = path_write_all(fd, chunk, (size_t)n);
		if (r < 0)
			break;
		offset += (uint64_t)n;
		path_write_back(fd, offset, &begun);
	}
	if (r == 0 && n < 0)
		r = (int)n;
	export_free(x);
out_free:
	free(chunk);
	return r;
}

static int set_change_time(int fd, int64_t ns)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { ns / NS_PER_S, ns % NS_PER_S } };

	return futimens(fd, times) < 0 ? -errno : 0;
}

static int write_temporary(struct backups *b, const struct store_txn *t)
{
	int fd, r;

	unlinkat(b->fd, TEMPORARY, 0);
	fd = openat(b->fd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0)
		return -errno;
	r = write_dump(fd, t);
	if (r == 0)
		r = set_change_time(fd, store_info(t)->changed_ns);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

static int file_name(uint64_t serial, const char *name, char out[FILE_NAME_MAX])
{
	char time[RFC3339_LEN + 1] = "";
	int r;

	if (name) {
		snprintf(out, FILE_NAME_MAX, "%llu=%s", (unsigned long long)serial, name);
		return 0;
	}
	r = rfc3339_format(clock_now_s(), time);
	snprintf(out, FILE_NAME_MAX, "%06llu-%s.json", (unsigned long long)serial, time);
	return r;
}

static int write_new(struct backups *b, const struct store_txn *t, const char *name,
		     struct backup *ret)
{
	char file[FILE_NAME_MAX];
	struct entry x;
	int r = write_temporary(b, t);

	if (r == 0)
		r = file_name(b->next, name, file);
	if (r == 0 && renameat(b->fd, TEMPORARY, b->fd, file) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(b->fd, TEMPORARY, 0);
		return r;
	}
	b->next++;
	if (fsync(b->fd) < 0 || !read_entry(b, file, &x)) {
		unlinkat(b->fd, file, 0);
		return -EIO;
	}
	*ret = x.b;
	return 0;
}

/* Removes those of ours before the newest ones to be kept. */
static void rotate(struct backups *b)
{
	struct search aged = { .now_ns = clock_now_ns() };
	uint64_t spared = find(b, match_last_of_age, &aged) == 0 ? aged.best.b.serial : 0;
	struct search s = { 0 };

	while (find(b, match_oldest_ours, &s) == 0 && s.newer > b->rotate) {
		if (s.best.b.serial != spared && unlinkat(b->fd, s.best.file, 0) < 0) {
			log_warn("%s could not be removed (%s), keeping it", s.best.file,
				 strerror(errno));
			return;
		}
		s = (struct search){ .after = s.best.b.serial };
	}
}

static int make(struct backups *b, const struct store_txn *t, const char *name, struct backup *ret)
{
	struct search s = { .name = name,
			    .change_ns = store_info(t)->changed_ns,
			    .size = store_info(t)->export_bytes };
	int r = find(b, name ? match_name : match_content, &s);

	if (r == 0 && name)
		return -EEXIST;
	if (r == 0)
		*ret = s.best.b;
	if (r != -ENOENT)
		return r;
	r = write_new(b, t, name, ret);
	if (r == 0)
		rotate(b);
	return r;
}

int backups_make(struct backups *b, const struct store_txn *t, const char *name, struct backup *ret,
		 struct err *e)
{
	int r;

	if (name && !*name)
		name = NULL;
	if (name && !is_name(name))
		return err_set(e, -EINVAL,
			       "the name of a backup ends in .json and has at most %d letters, "
			       "digits and . _ : -",
			       BACKUP_NAME_MAX - 1);
	pthread_mutex_lock(&b->lock);
	r = make(b, t, name, ret);
	pthread_mutex_unlock(&b->lock);
	return r < 0 ? err_sys(e, r, "writing a backup") : 0;
}

/* ---- the rest ---- */

int backups_open(const char *folder, unsigned rotate_at, struct backups **ret, struct err *e)
{
	struct backups *b;
	struct search s = { 0 };
	int r = path_mkdirs(folder, 0700, e);

	if (r < 0)
		return r;
	b = calloc(1, sizeof(*b));
	if (!b)
		return err_sys(e, -ENOMEM, "opening %s", folder);
	b->rotate = rotate_at;
	b->next = 1;
	pthread_mutex_init(&b->lock, NULL);
	b->fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = b->fd < 0 ? -errno : find(b, match_last, &s);
	if (r < 0 && r != -ENOENT) {
		err_sys(e, r, "opening %s", folder);
		backups_close(b);
		return r;
	}
	if (r == 0)
		b->next = s.best.b.serial + 1;
	unlinkat(b->fd, TEMPORARY, 0);
	*ret = b;
	return 0;
}

void backups_close(struct backups *b)
{
	if (!b)
		return;
	if (b->fd >= 0)
		close(b->fd);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

int backups_open_file(struct backups *b, uint64_t serial)
{
	struct entry x;
	int fd, r = find_serial(b, serial, &x);

	if (r < 0)
		return r;
	fd = openat(b->fd, x.file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int backups_remove(struct backups *b, uint64_t serial, struct err *e)
{
	struct entry x;
	int r;

	pthread_mutex_lock(&b->lock);
	r = find_serial(b, serial, &x);
	if (r == 0 && clock_now_ns() - x.b.time_ns < BACKUP_KEEP_S * NS_PER_S)
		r = -EPERM;
	if (r == 0 && (unlinkat(b->fd, x.file, 0) < 0 || fsync(b->fd) < 0))
		r = -errno;
	pthread_mutex_unlock(&b->lock);
	if (r == -EPERM)
		return err_set(e, r, "a backup can be removed when it is 24 hours old");
	return r < 0 ? err_sys(e, r, "removing a backup") : 0;
}
