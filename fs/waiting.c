#include "fs/waiting.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/caller.h"
#include "fs/internal.h"
#include "util/clock.h"

#define LOG_AREA "fs"
#include "util/log.h"

#define LOOK_MS 250                 /* between two looks at the deadlines */
#define FOLDER_MS 1700              /* under a folder's lock: within 2 s, together with LOOK_MS */
#define BULK_BYTES_PER_S (4u << 20) /* of a dump, on a very slow disk */

struct waiting_set {
	uv_timer_t timer;
	bool timer_open;
	int64_t deadline_ms;
	pthread_mutex_t lock; /* what follows */
	struct list list;
	uint64_t last_number;
};

/* How the kernel's request is answered when the peer's is done. */
struct waiting {
	struct list link; /* in the set, under its lock */
	struct fs *fs;
	struct fuse_req *req;
	struct cluster_request *rq;
	struct call_after after;
	uint64_t number;
	int64_t began_ms, until_ms;
	atomic_bool posted;      /* req is the loop's from here on */
	bool answered;           /* loop: before the peer was done */
	atomic_bool interrupted; /* it has not begun and never will */
	char path[300];
};

/* ---- the set ---- */

struct waiting_set *waiting_set_new(int64_t deadline_ms)
{
	struct waiting_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->deadline_ms = deadline_ms;
	list_init(&set->list);
	pthread_mutex_init(&set->lock, NULL);
	return set;
}

void waiting_set_free(struct waiting_set *set)
{
	if (!set)
		return;
	pthread_mutex_destroy(&set->lock);
	free(set);
}

static void set_add(struct waiting_set *set, struct waiting *w)
{
	pthread_mutex_lock(&set->lock);
	w->number = ++set->last_number;
	list_add_tail(&set->list, &w->link);
	pthread_mutex_unlock(&set->lock);
}

static void set_remove(struct waiting_set *set, struct waiting *w)
{
	pthread_mutex_lock(&set->lock);
	list_del(&w->link);
	pthread_mutex_unlock(&set->lock);
}

/* ---- the answer ---- */

static void answer_attr(struct waiting *w)
{
	struct call c = { .fs = w->fs, .req = w->req, .handle = w->after.handle };
	struct stat st;
	int r = node_ops(w->after.ino)->attr(&c, w->after.ino, &st);

	if (c.txn)
		store_read_end(c.txn);
	if (r < 0)
		fuse_reply_err(w->req, -r);
	else
		fuse_reply_attr(w->req, &st, 0);
}

/* The kernel never closes a file that it was not told is open. */
static void answer_error(struct waiting *w, int code)
{
	if (w->after.reply == REPLY_OPEN)
		atomic_store(&w->after.handle->abandoned, true);
	fuse_reply_err(w->req, -code);
}

static void answer(struct waiting *w, int status)
{
	if (status < 0) {
		answer_error(w, status);
		return;
	}
	switch (w->after.reply) {
	case REPLY_NOTHING:
		fuse_reply_err(w->req, 0);
		break;
	case REPLY_WRITTEN:
		fuse_reply_write(w->req, w->after.written);
		break;
	case REPLY_ATTR:
		answer_attr(w);
		break;
	case REPLY_OPEN:
		if (fs_reply_open(w->req, w->after.handle) < 0)
			atomic_store(&w->after.handle->abandoned, true);
		break;
	}
}

static void request_done(struct cluster_request *rq, int status) /* loop's thread */
{
	struct waiting *w = rq->arg;

	set_remove(w->fs->waiting, w);
	if (status < 0 && !w->answered)
		fs_record(w->fs, &rq->who, w->path, status, rq->error.msg);
	if (w->after.then)
		w->after.then(w->after.handle, rq, status);
	if (!w->answered)
		answer(w, status);
	handle_unref(w->after.handle);
	cluster_request_free(rq);
	free(w);
}

/* ---- deadlines ---- */

int64_t waiting_deadline(int64_t configured_ms, bool folder, uint64_t bytes)
{
	int64_t bulk = (int64_t)(bytes / BULK_BYTES_PER_S) * 1000;

	if (bytes > 0)
		return configured_ms + bulk;
	return folder && configured_ms > FOLDER_MS ? FOLDER_MS : configured_ms;
}

static bool is_bulk(enum cluster_verb verb)
{
	return verb == CLUSTER_IMPORT || verb == CLUSTER_CLEAN || verb == CLUSTER_BACKUP ||
	       verb == CLUSTER_ALLOW;
}

static int64_t deadline_of(struct call *c, const struct cluster_request *rq)
{
	const struct store_info *info = is_bulk(rq->verb) ? call_info(c) : NULL;
	uint64_t bytes = info ? info->export_bytes + 1 : 0;

	bytes += rq->source.bytes;
	if (rq->import)
		bytes += import_received(rq->import);
	return waiting_deadline(c->fs->waiting->deadline_ms, c->holds_folder, bytes);
}

static void answer_early(struct waiting *w, int code, const char *reason)
{
	w->answered = true;
	fs_record(w->fs, &w->rq->who, w->path, code, reason);
	answer_error(w, code);
}

/* What has not begun by now is given up: better no change than one after its refusal. */
static void give_up(struct waiting *w)
{
	bool never = cluster_request_cancel(w->rq);
	char reason[200];

	snprintf(reason, sizeof(reason),
		 "no answer within %" PRId64 ".%" PRId64
		 " s: the disk is slow, or a long work is before it; %s",
		 (w->until_ms - w->began_ms) / 1000, (w->until_ms - w->began_ms) % 1000 / 100,
		 never ? "it had not begun, and was given up"
		       : "it may still commit, so look before trying again");
	answer_early(w, -ETIMEDOUT, reason);
}

static bool is_due(const struct waiting *w, int64_t now)
{
	return atomic_load(&w->posted) && !w->answered &&
	       (w->until_ms <= now || atomic_load(&w->interrupted));
}

static struct waiting *next_due(struct waiting_set *set, int64_t now)
{
	struct waiting *due = NULL;
	struct list *it;

	pthread_mutex_lock(&set->lock);
	list_each (it, &set->list) {
		struct waiting *w = container_of(it, struct waiting, link);

		if (is_due(w, now)) {
			due = w;
			break;
		}
	}
	pthread_mutex_unlock(&set->lock);
	return due;
}

static void look(uv_timer_t *timer)
{
	struct waiting_set *set = container_of(timer, struct waiting_set, timer);
	int64_t now = clock_mono_ms();
	struct waiting *w;

	/* Only the loop ends one, so it stays while it is dealt with. */
	while ((w = next_due(set, now))) {
		if (atomic_load(&w->interrupted))
			answer_early(w, -EINTR, "its program was stopped before it began");
		else
			give_up(w);
	}
}

void waiting_set_start(struct waiting_set *set, uv_loop_t *loop)
{
	uv_timer_init(loop, &set->timer);
	set->timer_open = true;
	uv_timer_start(&set->timer, look, LOOK_MS, LOOK_MS);
}

void waiting_set_stop(struct waiting_set *set)
{
	if (set->timer_open)
		uv_close((uv_handle_t *)&set->timer, NULL);
	set->timer_open = false;
}

/* ---- callers that are stopped ---- */

/* FUSE thread, from inside libfuse, where it cannot be answered. By number: the request may be
 * answered at this moment. */
static void interrupted(struct fuse_req *req, void *data)
{
	struct fs *fs = fuse_req_userdata(req);
	struct waiting_set *set = fs->waiting;
	uint64_t number = (uintptr_t)data;
	struct list *it;

	/* The kernel tells of every signal; a child's end or a resized window stops nobody. */
	if (!caller_is_stopping(fuse_req_ctx(req)->pid))
		return;
	pthread_mutex_lock(&set->lock);
	list_each (it, &set->list) {
		struct waiting *w = container_of(it, struct waiting, link);

		if (w->number == number && cluster_request_cancel(w->rq))
			atomic_store(&w->interrupted, true); /* the loop answers soon */
	}
	pthread_mutex_unlock(&set->lock);
}

/* ---- posting ---- */

static bool is_question(enum cluster_verb verb)
{
	return verb == CLUSTER_STATUS || verb == CLUSTER_ERRORS;
}

int call_post(struct call *c, struct cluster_request *rq, const struct call_after *after)
{
	struct waiting *w = rq ? calloc(1, sizeof(*w)) : NULL;
	bool asks = rq && is_question(rq->verb);

	if (!w || atomic_load(&c->fs->frozen) || (c->fs->opt.read_only && !asks)) {
		int code = w ? -EROFS : -ENOMEM;

		cluster_request_free(rq);
		free(w);
		if (asks)
			return code;
		return call_refuse(c, code, "%s",
				   code == -ENOMEM        ? "out of memory"
				   : c->fs->opt.read_only ? "mounted read-only"
							  : "the peer is shutting down");
	}
	w->fs = c->fs;
	w->req = c->req;
	w->rq = rq;
	w->after = *after;
	w->began_ms = clock_mono_ms();
	w->until_ms = w->began_ms + deadline_of(c, rq);
	memcpy(w->path, c->path, sizeof(w->path));
	if (after->handle)
		handle_ref(after->handle);
	call_who(c->req, &rq->who);
	rq->arg = w;
	rq->done = request_done;
	set_add(c->fs->waiting, w);
	fuse_req_interrupt_func(c->req, interrupted, (void *)(uintptr_t)w->number);
	atomic_store(&w->posted, true);
	cluster_post(c->fs->cluster, rq);
	return CALL_LATER;
}

/* ---- what nobody waits for ---- */

struct late {
	struct fs *fs;
	char path[300];
};

static void late_done(struct cluster_request *rq, int status) /* loop's thread */
{
	struct late *l = rq->arg;

	if (status < 0)
		fs_record(l->fs, &rq->who, l->path, status, rq->error.msg);
	cluster_request_free(rq);
	free(l);
}

void waiting_post_late(struct handle *h, struct cluster_request *rq, const char *path)
{
	struct late *l = calloc(1, sizeof(*l));

	if (!l) {
		cluster_request_free(rq);
		return;
	}
	l->fs = h->fs;
	snprintf(l->path, sizeof(l->path), "%s", path);
	rq->who = h->who;
	rq->done = late_done;
	rq->arg = l;
	cluster_post(h->fs->cluster, rq);
}
