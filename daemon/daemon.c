#include "daemon/daemon.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consensus/crdt/crdt.h"
#include "consensus/crdt/crdt_net.h"
#include "daemon/go_store.h"
#include "daemon/lockfile.h"
#include "daemon/network.h"
#include "daemon/sdnotify.h"
#include "fs/fs.h"
#include "net/peerstore.h"
#include "util/container.h"
#include "util/path.h"

#define LOG_AREA "daemon"
#include "util/log.h"

#define STOP_WITHIN_MS 9000 /* then the process goes without waiting any longer */
#define READERS_MAX 512

struct daemon {
	const struct options *opt;
	struct config *config;
	struct fs_config fs_config; /* with what the command line says */
	struct lockfile lock;
	char *data_folder;
	char *mountpoint;
	uv_loop_t loop;
	struct mbox mbox;
	struct store *store;
	struct kubo *kubo;
	struct cluster *cluster;
	struct consensus *consensus;
	struct network *network; /* NULL: offline */
	struct fs *fs;
	uv_signal_t signals[3];
	unsigned n_signals;
	uv_timer_t watchdog;
	struct mbox_msg ended, broken;
	bool loop_open, stopping;
	bool failed; /* the store broke: not an orderly end */
};

/* ---- stopping ---- */

static void ignore_close(uv_handle_t *h)
{
}

static void close_handles(struct daemon *d)
{
	for (unsigned i = 0; i < d->n_signals; i++)
		uv_close((uv_handle_t *)&d->signals[i], ignore_close);
	d->n_signals = 0;
	uv_close((uv_handle_t *)&d->watchdog, ignore_close);
	mbox_close(&d->mbox);
}

static void network_closed(void *arg)
{
	struct daemon *d = arg;

	d->network = NULL;
	close_handles(d);
}

static void kubo_closed(void *arg)
{
	struct daemon *d = arg;

	if (d->network)
		network_close(d->network, network_closed, d);
	else
		network_closed(d);
}

static void cluster_closed(void *arg)
{
	struct daemon *d = arg;

	d->cluster = NULL;
	if (d->kubo)
		kubo_close(d->kubo, kubo_closed, d);
	else
		kubo_closed(d);
}

static void cluster_drained(void *arg)
{
	struct daemon *d = arg;

	if (d->network)
		network_quiesce(d->network);
	if (d->fs)
		fs_stop(d->fs);
}

static void give_up(uv_timer_t *t)
{
	struct daemon *d = container_of(t, struct daemon, watchdog);

	log_err("stopping takes too long, going without the rest");
	if (d->fs)
		fs_detach(d->fs);
	_exit(EXIT_RUNTIME);
}

static void stop(struct daemon *d)
{
	if (d->stopping)
		return;
	d->stopping = true;
	sdnotify("STOPPING=1");
	if (d->fs)
		fs_freeze(d->fs);
	uv_timer_start(&d->watchdog, give_up, STOP_WITHIN_MS, 0);
	if (d->cluster)
		cluster_close(d->cluster, cluster_drained, cluster_closed, d);
	else
		cluster_closed(d);
}

static void on_signal(uv_signal_t *s, int number)
{
	log_info("signal %d: stopping", number);
	stop(s->data);
}

static void on_unmounted(struct mbox_msg *m)
{
	struct daemon *d = container_of(m, struct daemon, ended);

	if (!d->stopping)
		log_info("unmounted: stopping");
	stop(d);
}

static void on_broken(struct mbox_msg *m)
{
	struct daemon *d = container_of(m, struct daemon, broken);

	d->failed = true;
	if (!d->stopping)
		log_err("the data cannot be used any more: stopping");
	stop(d);
}

/* ---- what the tree shows of the process ---- */

static int show_service(void *arg, struct buf *out)
{
	return config_json_public(((struct daemon *)arg)->config, out);
}

static int show_identity(void *arg, struct buf *out)
{
	return config_identity_public(((struct daemon *)arg)->config, out);
}

static int show_peerstore(void *arg, struct buf *out)
{
	int r =
	    path_read(((struct daemon *)arg)->config->peerstore, PEERSTORE_BYTES_MAX, out, NULL);

	return r == -ENOENT ? 0 : r;
}

static int show_info(void *arg, json_t *info)
{
	const struct daemon *d = arg;
	int r = json_object_set_new(info, "version", json_string(PINFS_VERSION));

	r |= json_object_set_new(info, "pid", json_integer(getpid()));
	r |= json_object_set_new(info, "config", json_string(d->config->folder));
	return r < 0 ? -ENOMEM : 0;
}

/* ---- starting ---- */

static int prepare_folder(struct daemon *d, struct err *e)
{
	const char *folder = d->opt->config;
	char *by_default = folder ? NULL : config_default_folder();
	char *service = NULL;
	int r;

	folder = folder ? folder : by_default;
	if (!folder)
		return err_set(e, -EINVAL,
			       "neither IPFS_CLUSTER_PATH nor HOME is set: give "
			       "-o config=DIR");
	service = path_join(folder, CONFIG_FILE);
	if (!service)
		r = err_sys(e, -ENOMEM, "starting");
	else if (access(service, F_OK) < 0)
		r = err_set(e, -EINVAL,
			    "there is no configuration at %s: make one with pinfs --init", service);
	else
		r = config_load(folder, &d->config, e);
	if (r == 0) {
		const char *data = d->config->store.folder;

		d->data_folder = data[0] == '/' ? strdup(data) : path_join(d->config->folder, data);
		r = d->data_folder ? 0 : err_sys(e, -ENOMEM, "starting");
	}
	free(service);
	free(by_default);
	return r;
}

/* A peer that does not agree with others yet must not pretend to. */
static int check_consensus(const struct daemon *d, struct err *e)
{
	if (d->config->cluster.leave_on_shutdown && d->config->consensus == CONFIG_CRDT)
		log_warn(
		    "leave_on_shutdown does nothing in crdt: there is no peerset to leave, and "
		    "the pins stay; to empty the peer, rm -r state");
	if (d->config->consensus == CONFIG_CRDT || d->opt->offline)
		return 0;
	return err_set(e, -EOPNOTSUPP,
		       "this folder is of a raft peer; this version of pinfs runs crdt peers only, "
		       "raft comes later. With -o offline its state can be looked at");
}

static int find_mountpoint(struct daemon *d, struct err *e)
{
	const char *home = getenv("HOME"), *path = d->opt->mountpoint;
	char *by_default = NULL;
	char absolute[PATH_MAX];
	int r;

	if (!path && home)
		path = by_default = path_join(home, "pinfs");
	if (!path)
		return err_set(e, -EINVAL, "no mount point given, and HOME is not set");
	r = by_default ? path_mkdirs(path, 0755, NULL)
		       : 0; /* a dead mount there is dealt with next */
	r = fs_recover_mountpoint(path, e);
	if (r == 0) {
		d->mountpoint = strdup(realpath(path, absolute) ? absolute : path);
		r = d->mountpoint ? 0 : -ENOMEM;
	}
	free(by_default);
	return r;
}

static bool lies_in(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* The daemon must never wait for itself. */
static int check_mountpoint(const struct daemon *d, struct err *e)
{
	char folder[PATH_MAX];

	if (!realpath(d->config->folder, folder))
		return err_sys(e, -errno, "%s", d->config->folder);
	if (lies_in(d->mountpoint, folder) || lies_in(folder, d->mountpoint))
		return err_set(e, -EINVAL,
			       "the mount point %s and the configuration folder %s must not lie "
			       "within each other",
			       d->mountpoint, folder);
	return 0;
}

static int open_store(struct daemon *d, struct err *e)
{
	const struct store_config *sc = &d->config->store;
	struct store_options so = { .folder = d->data_folder,
				    .map_size = sc->map_size,
				    .max_readers = READERS_MAX,
				    .broken = &d->broken };
	int r;

	d->broken.fn = on_broken;
	r = go_store_check(d->config, d->data_folder, d->opt->fresh, e);
	if (r == 0)
		r = store_open(&so, &d->mbox, &d->store, e);
	if (r == 0)
		r = go_store_note(d->config, d->data_folder, e);
	if (r == 0 && store_was_killed(d->store))
		log_warn("the last stop was not an orderly one; what was acknowledged is there");
	return r;
}

/* The peers of --bootstrap are trusted in this run, as in the reference. */
static int trust_bootstrap(struct daemon *d, struct err *e)
{
	struct crdt_config *crdt = &d->config->crdt;

	for (size_t i = 0; i < d->opt->n_bootstrap; i++) {
		const char *text = d->opt->bootstrap[i];
		struct peerid *v, peer;
		struct multiaddr a;

		if (multiaddr_parse(text, strlen(text), &a, e) < 0)
			return err_wrap(e, -EINVAL, "--bootstrap");
		if (multiaddr_peerid(&a, &peer) < 0)
			return err_set(e, -EINVAL, "--bootstrap %s: there is no /p2p/ in it", text);
		if (d->opt->no_trust)
			continue;
		v = realloc(crdt->trusted_peers.v, (crdt->trusted_peers.n + 1) * sizeof(*v));
		if (!v)
			return err_sys(e, -ENOMEM, "--bootstrap");
		crdt->trusted_peers.v = v;
		v[crdt->trusted_peers.n++] = peer;
	}
	return 0;
}

static int build_cluster(struct daemon *d, struct err *e)
{
	const struct config *c = d->config;
	struct cluster_options co = {
		.config = &c->cluster,
		.tracker = &c->tracker,
		.monitor = &c->monitor,
		.crdt = &c->crdt,
		.informer = &c->informer,
		.allocator = &c->allocator,
		.kubo_config = &c->kubo,
		.max_unpins = c->fs.max_unpins,
		.backups_rotate = (unsigned)c->fs.backups_rotate,
		.audit_days = (unsigned)c->fs.audit_days,
		.data_folder = d->data_folder,
		.self = c->identity.id,
		.store = d->store,
		.mbox = &d->mbox,
		.loop = &d->loop,
		.offline = d->opt->offline,
	};
	int r = 0;

	if (!d->opt->offline)
		r = kubo_new(&d->loop, &c->kubo, &d->kubo, e);
	co.kubo = d->kubo;
	if (r == 0)
		r = cluster_new(&co, &d->cluster, e);
	if (r == 0)
		r = trust_bootstrap(d, e);
	if (r == 0)
		r = crdt_new(d->store, &d->loop, &c->crdt, cluster_consensus_events(d->cluster),
			     &d->consensus, e);
	if (r == 0 && network_knows_others(c, d->opt->bootstrap, d->opt->n_bootstrap))
		crdt_note_others(d->consensus);
	return r < 0 ? r : cluster_start(d->cluster, d->consensus, e);
}

static int build_network(struct daemon *d, struct err *e)
{
	const struct network_options no = {
		.loop = &d->loop,
		.config = d->config,
		.data_folder = d->data_folder,
		.bootstrap = d->opt->bootstrap,
		.n_bootstrap = d->opt->n_bootstrap,
		.engine = d->consensus,
		.cluster = d->cluster,
	};
	int r;

	if (d->opt->offline)
		return 0;
	r = network_new(&no, &d->network, e);
	if (r == 0)
		network_start(d->network);
	return r;
}

static int build_mount(struct daemon *d, struct err *e)
{
	struct fs_options fo = {
		.mountpoint = d->mountpoint,
		.config = &d->fs_config,
		.fuse_options = (const char *)d->opt->fuse.data,
		.read_only = d->opt->read_only,
		.debug = d->opt->debug,
		.cluster = d->cluster,
		.peername = d->config->cluster.peername,
		.source = { .service_json = show_service,
			    .identity_json = show_identity,
			    .peerstore = show_peerstore,
			    .info = show_info,
			    .arg = d },
	};
	int r;

	d->fs_config = d->config->fs;
	/* The command line goes before the file; both outlive the mount. */
	if (d->opt->access)
		d->fs_config.access = d->opt->access;
	if (d->opt->write)
		d->fs_config.write = d->opt->write;
	if (d->opt->backup)
		d->fs_config.backup = d->opt->backup;
	r = fs_new(&fo, &d->fs, e);
	if (r < 0)
		return r;
	d->ended.fn = on_unmounted;
	fs_on_end(d->fs, &d->mbox, &d->ended);
	return fs_start(d->fs, e);
}

static int open_loop(struct daemon *d, struct err *e)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	int r = uv_loop_init(&d->loop);

	if (r == 0)
		r = mbox_init(&d->mbox, &d->loop);
	if (r < 0)
		return err_sys(e, r, "starting the event loop");
	d->loop_open = true;
	uv_timer_init(&d->loop, &d->watchdog);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uv_signal_init(&d->loop, &d->signals[i]);
		d->signals[i].data = d;
		d->n_signals++;
		uv_signal_start(&d->signals[i], on_signal, numbers[i]);
	}
	return 0;
}

static int build(struct daemon *d, struct err *e)
{
	int r = check_consensus(d, e);

	if (r == 0)
		r = find_mountpoint(d, e);
	if (r == 0)
		r = check_mountpoint(d, e);
	if (r == 0)
		r = open_loop(d, e);
	if (r == 0)
		r = open_store(d, e);
	if (r == 0)
		r = build_cluster(d, e);
	if (r == 0)
		r = build_network(d, e);
	if (r == 0)
		r = build_mount(d, e);
	return r;
}

static void take_down(struct daemon *d)
{
	if (d->loop_open) {
		stop(d);
		uv_run(&d->loop, UV_RUN_DEFAULT);
	}
	fs_free(d->fs); /* files left open read the store */
	store_close(d->store);
	if (d->loop_open) {
		mbox_drain(&d->mbox);
		uv_loop_close(&d->loop);
	}
	lockfile_release(&d->lock);
	config_free(d->config);
	free(d->data_folder);
	free(d->mountpoint);
}

/* Where the daemon of this folder is mounted, for whoever finds the folder locked. */
static char *mount_note(const struct daemon *d)
{
	return path_join(d->data_folder, "mounted");
}

static void note_mount(const struct daemon *d)
{
	char *path = mount_note(d);

	if (path && path_write_atomic(path, d->mountpoint, strlen(d->mountpoint), 0644, NULL) < 0)
		log_warn("%s could not be written", path);
	free(path);
}

static int lock_folder(struct daemon *d, struct err *e)
{
	struct buf where = BUF_INIT(0);
	int r = lockfile_take(d->config->folder, &d->lock, e);
	char *path = r == -EBUSY ? mount_note(d) : NULL;

	if (path && path_read(path, PATH_MAX, &where, NULL) == 0) {
		size_t n = strlen(e->msg);

		snprintf(e->msg + n, sizeof(e->msg) - n, " (mounted at %.*s)", (int)where.len,
			 (const char *)where.data);
	}
	buf_deinit(&where);
	free(path);
	return r;
}

int daemon_run(const struct options *o, void (*ready)(void *arg), void *arg, struct err *e)
{
	struct daemon d = { .opt = o, .lock = { .fd = -1 } };
	int r = fs_check_options((const char *)o->fuse.data, e), code;

	if (r < 0)
		return EXIT_USAGE;
	r = prepare_folder(&d, e);
	if (r < 0) {
		free(d.data_folder);
		config_free(d.config);
		return r == -EINVAL ? EXIT_CONFIG : EXIT_RUNTIME;
	}
	r = lock_folder(&d, e);
	if (r < 0) {
		free(d.data_folder);
		config_free(d.config);
		return r == -EBUSY ? EXIT_LOCKED : EXIT_RUNTIME;
	}
	r = build(&d, e);
	code = r == -EINVAL ? EXIT_USAGE : r < 0 ? EXIT_RUNTIME : EXIT_OK;
	if (r == 0) {
		note_mount(&d);
		log_info("pinfs %s, peer %s (%s), mounted at %s", PINFS_VERSION,
			 d.config->cluster.peername, d.consensus->ops->name, d.mountpoint);
		sdnotify("READY=1");
		if (ready)
			ready(arg);
		uv_run(&d.loop, UV_RUN_DEFAULT);
	}
	take_down(&d);
	return d.failed ? EXIT_RUNTIME : code;
}
