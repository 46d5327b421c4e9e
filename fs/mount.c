/* The mount itself: checks, session, threads, end. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/fixed.h"
#include "fs/internal.h"
#include "fs/ops/export.h"
#include "fs/ops/pins.h"
#include "fs/waiting.h"
#include "util/clock.h"

#define LOG_AREA "fs"
#include "util/log.h"

/* ---- the mount point ---- */

/* The type of what is mounted at @path by /proc/self/mounts: -ENOENT when nothing is. */
static int mounted_type(const char *path, char *out, size_t cap)
{
	char line[8192];
	struct mntent ent;
	FILE *f = setmntent("/proc/self/mounts", "re");
	int r = -ENOENT;

	if (!f)
		return -errno;
	while (getmntent_r(f, &ent, line, sizeof(line))) {
		if (strcmp(ent.mnt_dir, path) != 0)
			continue;
		snprintf(out, cap, "%s", ent.mnt_type);
		r = 0; /* the last one is on top */
	}
	endmntent(f);
	return r;
}

static int detach(const char *path)
{
	pid_t pid;
	int status;

	if (umount2(path, MNT_DETACH) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		execlp("fusermount3", "fusermount3", "-uz", "--", path, (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return status == 0 ? 0 : -EPERM;
}

void fs_detach(struct fs *fs)
{
	int r = detach(fs->mountpoint);

	if (r < 0)
		log_warn("%s stays behind as a dead mount: %s", fs->mountpoint, strerror(-r));
}

int fs_recover_mountpoint(const char *path, struct err *e)
{
	char absolute[PATH_MAX], type[64];
	struct statvfs vfs;
	struct stat st;
	bool dead;
	int r;

	/* Asks the daemon behind it; the attributes of a dead mount may still be cached. */
	dead = statvfs(path, &vfs) < 0 && (errno == ENOTCONN || errno == ECONNABORTED);
	if (!dead && stat(path, &st) < 0) {
		if (errno == ENOENT)
			return err_set(e, -ENOENT,
				       "the mount point %s does not exist: make it with mkdir %s",
				       path, path);
		return err_sys(e, -errno, "the mount point %s", path);
	}
	if (!realpath(path, absolute)) { /* dead mounts cannot be resolved: take it as it is */
		if (path[0] != '/')
			return err_set(e, -EINVAL,
				       "the dead mount point %s must be given as an absolute path",
				       path);
		snprintf(absolute, sizeof(absolute), "%s", path);
	}
	r = mounted_type(absolute, type, sizeof(type));
	if (r == -ENOENT)
		return 0;
	if (!dead)
		return strncmp(type, "fuse.pinfs", 10) == 0
			   ? err_set(e, -EBUSY,
				     "%s is a living pinfs mount: unmount it first with "
				     "fusermount3 -u %s",
				     path, path)
			   : 0;
	if (strncmp(type, "fuse", 4) != 0)
		return err_set(e, -EBUSY, "%s is a dead mount of type %s, not ours: unmount it",
			       path, type);
	r = detach(absolute);
	if (r < 0)
		return err_sys(e, r, "detaching the dead mount %s", path);
	log_warn("detached the dead mount that a killed daemon left at %s", path);
	return 0;
}

/* ---- groups ---- */

static int find_group(const char *name, gid_t fallback, gid_t *ret, struct err *e)
{
	struct group *g;
	char *end;
	unsigned long n;

	*ret = fallback;
	if (!name || !*name)
		return 0;
	g = getgrnam(name);
	if (g) {
		*ret = g->gr_gid;
		return 0;
	}
	n = strtoul(name, &end, 10);
	if (*end || n > UINT_MAX)
		return err_set(e, -EINVAL, "there is no group \"%s\"", name);
	*ret = (gid_t)n;
	return 0;
}

static int find_groups(struct fs *fs, const struct fs_config *cfg, struct err *e)
{
	int r = find_group(cfg->access, fs->gid, &fs->access_gid, e);

	if (r == 0)
		r = find_group(cfg->write, fs->gid, &fs->write_gid, e);
	if (r == 0)
		r = find_group(cfg->backup, fs->gid, &fs->backup_gid, e);
	return r;
}

/* ---- the session ---- */

__attribute__((format(printf, 2, 0))) static void fuse_says(enum fuse_log_level level,
							    const char *fmt, va_list ap)
{
	char line[512];
	size_t n;

	vsnprintf(line, sizeof(line), fmt, ap);
	n = strlen(line);
	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = '\0';
	if (level <= FUSE_LOG_WARNING)
		log_warn("%s", line);
	else
		log_dbg("%s", line);
}

static int add_arg(struct fuse_args *args, const char *flag, const char *value)
{
	char text[1024];

	if (snprintf(text, sizeof(text), "%s%s", flag, value) >= (int)sizeof(text))
		return -EINVAL;
	return fuse_opt_add_arg(args, text) < 0 ? -ENOMEM : 0;
}

static int session_args(const struct fs_options *opt, struct fuse_args *args)
{
	int r = add_arg(args, "", "pinfs");

	if (r == 0)
		r = add_arg(args, "-ofsname=pinfs:", opt->peername);
	if (r == 0)
		r = add_arg(args, "-o",
			    "subtype=pinfs,default_permissions,nosuid,nodev,noexec,"
			    "noatime");
	for (size_t i = 0; r == 0 && i < opt->config->mount_options.n; i++)
		r = add_arg(args, "-o", opt->config->mount_options.v[i]);
	if (r == 0 && opt->fuse_options && *opt->fuse_options)
		r = add_arg(args, "-o", opt->fuse_options);
	if (r == 0 && opt->read_only)
		r = add_arg(args, "-o", "ro");
	if (r == 0 && opt->debug)
		r = add_arg(args, "", "-d");
	return r;
}

static int open_session(struct fs *fs, const struct fs_options *opt, struct err *e)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int r = session_args(opt, &args);

	if (access("/dev/fuse", F_OK) < 0) {
		r = err_set(e, -ENODEV,
			    "/dev/fuse is not there: load the module (modprobe fuse), or give the "
			    "container the device");
	} else if (r == 0) {
		fuse_set_log_func(fuse_says);
		fs->session =
		    fuse_session_new(&args, &fs_lowlevel_ops, sizeof(fs_lowlevel_ops), fs);
		if (!fs->session)
			r = err_set(e, -EINVAL, "a mount option is not known (see the log)");
	}
	fuse_opt_free_args(&args);
	if (r < 0)
		return r;
	if (fuse_session_mount(fs->session, opt->mountpoint) < 0)
		return err_set(
		    e, -EPERM,
		    "mounting at %s failed: is fusermount3 installed, may this user mount "
		    "there, and is user_allow_other set in /etc/fuse.conf where "
		    "allow_other is asked for?",
		    opt->mountpoint);
	return 0;
}

int fs_check_options(const char *options, struct err *e)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *se = NULL;
	int r = add_arg(&args, "", "pinfs");

	if (r == 0 && options && *options)
		r = add_arg(&args, "-o", options);
	fuse_set_log_func(fuse_says);
	if (r == 0)
		se = fuse_session_new(&args, &fs_lowlevel_ops, sizeof(fs_lowlevel_ops), NULL);
	fuse_opt_free_args(&args);
	if (!se)
		return err_set(e, -EINVAL, "a mount option is not known: %s", options);
	fuse_session_destroy(se);
	return 0;
}

static int check_folder(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, -errno, "the mount point %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, -ENOTDIR, "the mount point %s is not a folder", path);
	return 0;
}

/* The kernel may end the whole connection over a request that takes longer than an administrator
 * allows: stays under that. */
static int64_t deadline_ms(int64_t configured)
{
	static const char *const limits[] = { "/proc/sys/fs/fuse/default_request_timeout",
					      "/proc/sys/fs/fuse/max_request_timeout" };

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		FILE *f = fopen(limits[i], "re");
		long long seconds = 0;

		if (f && fscanf(f, "%lld", &seconds) == 1 && seconds > 0 &&
		    configured > seconds * 1000 / 2) {
			configured = seconds * 1000 / 2;
			log_warn("commit_deadline is %lld ms, half of %s", (long long)configured,
				 limits[i]);
		}
		if (f)
			fclose(f);
	}
	return configured;
}

int fs_new(const struct fs_options *opt, struct fs **ret, struct err *e)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return err_sys(e, -ENOMEM, "mounting");
	fs->opt = *opt;
	fs->cluster = opt->cluster;
	fs->store = cluster_store(opt->cluster);
	fs->uid = getuid();
	fs->gid = getgid();
	fs->started_ns = clock_now_ns();
	fs->mountpoint = strdup(opt->mountpoint);
	fs->why = why_new();
	fs->scratch = scratch_set_new();
	fs->exports = export_set_new(cluster_options(fs->cluster)->data_folder);
	fs->waiting = waiting_set_new(deadline_ms(opt->config->commit_deadline_ms));
	list_init(&fs->handles);
	r = fs->mountpoint && fs->why && fs->scratch && fs->exports && fs->waiting
		? 0
		: err_sys(e, -ENOMEM, "mounting");
	if (r == 0)
		r = find_groups(fs, opt->config, e);
	if (r == 0)
		r = check_folder(opt->mountpoint, e);
	if (r == 0)
		r = open_session(fs, opt, e);
	if (r < 0) {
		fs_free(fs);
		return r;
	}
	*ret = fs;
	return 0;
}

/* ---- what the peer tells the kernel through us ---- */

/* Serials ascend: of one above all that were ever shown, the kernel has nothing. */
static void pin_notice(struct fs *fs, uint64_t serial)
{
	if (serial <= atomic_load(&fs->shown_serial))
		notifier_inode(fs->notifier, node_id(KIND_PIN, serial));
}

static void pin_changed(void *arg, const struct cid *cid, uint64_t serial, bool removed)
{
	pin_notice(arg, serial);
}

static void all_changed(void *arg)
{
	struct fs *fs = arg;

	/* Not one notice per pin: the names are looked up again within a second. */
	notifier_inode(fs->notifier, fixed_id(FIXED_PINS));
	notifier_inode(fs->notifier, fixed_id_now(fs, FIXED_STATE));
}

/* ---- threads ---- */

static void *fuse_main(void *arg)
{
	struct fs *fs = arg;

	fuse_session_loop(fs->session);
	if (fs->end_mbox)
		mbox_post(fs->end_mbox, fs->ended);
	return NULL;
}

void fs_on_end(struct fs *fs, struct mbox *mbox, struct mbox_msg *ended)
{
	fs->end_mbox = mbox;
	fs->ended = ended;
}

int fs_start(struct fs *fs, struct err *e)
{
	struct cluster_events ev = { .pin_changed = pin_changed,
				     .all_changed = all_changed,
				     .arg = fs };
	int r = notifier_start(fs, &fs->notifier);

	waiting_set_start(fs->waiting, cluster_options(fs->cluster)->loop);
	export_set_start(fs->exports, cluster_options(fs->cluster)->loop);
	if (r == 0) {
		cluster_set_events(fs->cluster, &ev);
		r = -pthread_create(&fs->thread, NULL, fuse_main, fs);
	}
	if (r < 0)
		return err_sys(e, r, "starting the threads of the mount");
	pthread_setname_np(fs->thread, "fuse");
	fs->running = true;
	return 0;
}

void fs_freeze(struct fs *fs)
{
	atomic_store(&fs->frozen, true);
}

static void wake(int sig)
{
}

/* The thread may sit in a read of a mount that others keep busy: a signal ends the read. */
static void join_fuse_thread(struct fs *fs)
{
	struct timespec until;

	do {
		pthread_kill(fs->thread, SIGUSR1);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 50 * 1000 * 1000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
	} while (pthread_timedjoin_np(fs->thread, NULL, &until) == ETIMEDOUT);
}

/* What programs still have open, while there is a peer to give it back to. */
static void close_files(struct fs *fs)
{
	struct list *it, *n;

	list_each_safe (it, n, &fs->handles) {
		struct handle *h = container_of(it, struct handle, link);

		list_del(&h->link);
		if (h->ops->release)
			h->ops->release(h);
		handle_unref(h);
	}
	spool_forget(fs);
}

void fs_stop(struct fs *fs)
{
	struct cluster_events none = { 0 };
	struct sigaction sa = { .sa_handler = wake };

	cluster_set_events(fs->cluster, &none);
	sigaction(SIGUSR1, &sa, NULL);
	/* First the notifier: a notice may wait for a lock that a request holds, and requests are
	 * still answered now. */
	notifier_stop(fs->notifier);
	fs->notifier = NULL;
	fuse_session_exit(fs->session);
	if (fs->running)
		join_fuse_thread(fs);
	fs->running = false;
	waiting_set_stop(fs->waiting);
	export_set_stop(fs->exports);
	fuse_session_unmount(fs->session);
	close_files(fs);
}

void fs_free(struct fs *fs)
{
	if (!fs)
		return;
	if (fs->session)
		fuse_session_destroy(fs->session);
	spool_forget(fs);
	buf_deinit(&fs->reply);
	scratch_set_free(fs->scratch);
	waiting_set_free(fs->waiting);
	export_set_free(fs->exports);
	why_free(fs->why);
	free(fs->mountpoint);
	free(fs);
}

/* ---- df ---- */

void fs_space(struct fs *fs, uint64_t *ret_free, uint64_t *ret_used)
{
	struct tracker *t = cluster_tracker(fs->cluster);
	struct tracker_kubo k = { 0 };

	if (t)
		tracker_kubo(t, &k);
	if (k.repo_ns && k.repo.storage_max >= k.repo.repo_size) {
		*ret_used = k.repo.repo_size;
		*ret_free = k.repo.storage_max - k.repo.repo_size;
		return;
	}
	store_space(fs->store, ret_free, ret_used);
}
