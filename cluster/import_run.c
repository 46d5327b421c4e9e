/* The commit of an import: a job of the writer, with a dump of what there was before. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/import_internal.h"
#include "util/clock.h"
#include "util/container.h"
#include "util/path.h"

#define LOG_AREA "cluster"
#include "util/log.h"

bool cluster_importing(const struct cluster *c)
{
	union {
		const struct cluster *in;
		struct cluster *out;
	} u = { c }; /* the lock is no part of what is const */
	bool running;

	pthread_mutex_lock(&u.out->lock);
	running = c->many_running || c->import_running;
	pthread_mutex_unlock(&u.out->lock);
	return running;
}

void import_abort(struct cluster *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->import_running)
		atomic_store(&c->import_running->abort, true);
	if (c->check_running)
		atomic_store(&c->check_running->abort, true);
	pthread_mutex_unlock(&c->lock);
}

bool cluster_receiving(struct cluster *c)
{
	bool open;

	pthread_mutex_lock(&c->lock);
	open = c->import_open[false];
	pthread_mutex_unlock(&c->lock);
	return open;
}

void import_cancel(struct import *im)
{
	atomic_store(&im->cancelled, true);
	atomic_store(&im->abort, true);
}

/* ---- writer's thread ---- */

int dump_before(struct cluster *c, const char *what, struct err *e)
{
	struct backup b;
	struct store_txn *t;
	int r = store_read(c->opt.store, &t);

	if (r < 0)
		return err_sys(e, r, "reading the state");
	r = backups_make(c->backups, t, NULL, &b, e);
	store_read_end(t);
	if (r < 0)
		err_wrap(e, r, "the dump before the %s (nothing was changed)", what);
	return r;
}

/* Nothing has changed yet. */
static int allow(void *arg, const struct bulk_counts *counts, struct err *e)
{
	struct import *im = arg;
	struct cluster *c = im->cluster;
	int r = brake_check_import(c->brake, counts->pins_before, counts->removed, e);

	im->load.counts = *counts;
	if (r < 0)
		return r;
	return counts->pins_before > 0 ? dump_before(c, "import", e) : 0;
}

static int parse_method(const char *name, enum consensus_method *ret)
{
	static const char *const names[] = { "", "replace", "update", "merge" };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum consensus_method)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* The spool becomes the last accepted dump. */
static int keep_spool(struct import *im)
{
	char path[32];

	if (im->mtime_ns)
		set_file_time(im->fd, im->mtime_ns);
	if (fsync(im->fd) < 0)
		return -errno;
	if (!im->named) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", im->fd);
		unlink(im->temp);
		if (linkat(AT_FDCWD, path, AT_FDCWD, im->temp, AT_SYMLINK_FOLLOW) < 0)
			return -errno;
		im->named = true;
	}
	if (rename(im->temp, im->file) < 0)
		return -errno;
	im->named = false;
	return path_fsync_dir(im->cluster->opt.data_folder);
}

int import_run_begin(struct cluster_request *rq)
{
	struct import *im = rq->import;
	int r = request_begin(rq, &rq->error);

	if (r < 0)
		return r;
	im->load = (struct consensus_load){ .allow = allow, .arg = im, .abort = &im->abort };
	r = parse_method(im->reader.options.method, &im->load.method);
	return r < 0 ? err_set(&rq->error, r, "method: there is no %s", im->reader.options.method)
		     : 0;
}

int import_run_explain(struct cluster_request *rq, int r)
{
	if (r != -ECANCELED)
		return r;
	if (atomic_load(&rq->import->cancelled))
		return err_set(&rq->error, -EINTR, "interrupted (nothing was changed)");
	return err_set(&rq->error, r, "the peer is shutting down (nothing was changed)");
}

static int import_job(struct store_txn *none, struct store_batch *b)
{
	struct cluster_request *rq = container_of(b, struct cluster_request, batch);
	struct import *im = rq->import;
	int r = import_run_begin(rq), kept;

	if (r == 0)
		r = im->loader->ops->commit(im->loader, &im->load, &rq->error);
	if (r < 0 && r != -EINPROGRESS)
		return import_run_explain(rq, r);
	brake_count_import(rq->cluster->brake, im->load.counts.removed);
	kept = keep_spool(im);
	if (kept < 0)
		log_warn("the dump was imported, but not kept as the last one: %s",
			 strerror(-kept));
	return r;
}

/* ---- loop's thread ---- */

static void fill_result(struct import *im)
{
	static const char *const names[] = { "", "replace", "update", "merge" };
	const struct consensus_load *ld = &im->load;
	struct import_result *res = &im->result;

	snprintf(res->method, sizeof(res->method), "%s", names[ld->used]);
	res->added = ld->counts.added;
	res->changed = ld->counts.changed;
	res->removed = ld->counts.removed;
	res->revision_before = ld->counts.revision_before;
	res->revision_after = ld->counts.revision_after;
	res->height = ld->height;
	if (cid_defined(&ld->head)) {
		char text[CID_TEXT_MAX + 1];

		cid_format(&ld->head, text);
		snprintf(res->head, sizeof(res->head), "%.*s", (int)sizeof(res->head) - 1, text);
	}
}

/* A refusal is recorded by the tree, with the path. */
static int tell(struct cluster_request *rq, int status)
{
	struct import *im = rq->import;
	const struct bulk_counts *n = &im->load.counts;
	char more[256];

	snprintf(more, sizeof(more),
		 "\"method\":\"%s\",\"pins\":%" PRIu64 ",\"added\":%" PRIu64 ",\"changed\":%" PRIu64
		 ",\"removed\":%" PRIu64,
		 im->result.method, n->pins, n->added, n->changed, n->removed);
	return made_certain(rq, "import", more, status);
}

/* Where the cluster remembers it while it runs; under its lock. */
static struct import **place_of(const struct import *im)
{
	struct cluster *c = im->cluster;

	return im->check ? &c->check_running : &c->import_running;
}

void import_run_end(struct cluster_request *rq, int status)
{
	struct cluster *c = rq->cluster;
	struct import *im = rq->import;

	if (status < 0 && rq->error.code == 0)
		err_sys(&rq->error, status, im->check ? "the check" : "the import");
	pthread_mutex_lock(&c->lock);
	*place_of(im) = NULL;
	pthread_mutex_unlock(&c->lock);
	fill_result(im);
	import_resolve(im, status, rq->error.msg);
	if (!im->check && (status == 0 || status == -EINPROGRESS))
		status = tell(rq, status);
	request_end(rq, status);
}

static void import_done(struct store_batch *b, int status)
{
	import_run_end(container_of(b, struct cluster_request, batch), status);
}

static int may_start(struct cluster_request *rq)
{
	struct import *im = rq->import;
	struct cluster *c = rq->cluster;
	int r = 0;

	if (!im || !im->finished || im->resolved)
		return err_set(&rq->error, -EINVAL, "the dump is not complete");
	if (c->opt.config->follower_mode && !im->check)
		return err_set(&rq->error, -EROFS, "this peer is a follower");
	pthread_mutex_lock(&c->lock);
	if (c->import_running || c->many_running)
		r = -EBUSY;
	else
		*place_of(im) = im;
	pthread_mutex_unlock(&c->lock);
	return r < 0 ? err_set(&rq->error, r, "an import or a large batch is running") : 0;
}

void import_start(struct cluster_request *rq)
{
	struct import *im = rq->import;
	int r = may_start(rq);

	if (r < 0) {
		if (im)
			import_resolve(im, r, rq->error.msg);
		request_end(rq, r);
		return;
	}
	im->result.uid = rq->who.uid;
	im->result.pid = rq->who.pid;
	snprintf(im->result.state, sizeof(im->result.state), "running");
	import_publish(im);
	if (im->check) {
		import_check_start(rq);
		return;
	}
	rq->batch = (struct store_batch){ .fn = import_job, .done = import_done };
	store_submit_job(rq->cluster->opt.store, &rq->batch);
}
