/* What keeps things from being lost: dumps, the cleanup that makes one, the brake's way on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster/internal.h"
#include "util/container.h"
#include "util/json_write.h"

#define LOG_AREA "cluster"
#include "util/log.h"

static int dump_view(struct cluster *c, struct store_txn *view, const char *name, struct err *e)
{
	struct backup b;

	return backups_make(c->backups, view, name, &b, e);
}

static int dump_now(struct cluster *c, const char *name, struct err *e)
{
	struct store_txn *t;
	int r = store_read(c->opt.store, &t);

	if (r < 0)
		return err_sys(e, r, "reading the state");
	r = dump_view(c, t, name, e);
	store_read_end(t);
	return r;
}

/* ---- cleanup: a job of the writer ---- */

static int clean_job(struct store_txn *none, struct store_batch *b)
{
	struct cluster_request *rq = container_of(b, struct cluster_request, batch);
	struct cluster *c = rq->cluster;
	int r = request_begin(rq, &rq->error);

	if (r < 0)
		return r;
	r = dump_now(c, NULL, &rq->error);
	if (r < 0) {
		err_wrap(&rq->error, r, "the dump before the cleanup (nothing was removed)");
		return r;
	}
	r = store_clean(c->opt.store);
	return r < 0 ? err_sys(&rq->error, r, "the cleanup") : 0;
}

static void clean_done(struct store_batch *b, int status)
{
	struct cluster_request *rq = container_of(b, struct cluster_request, batch);
	struct cluster *c = rq->cluster;

	if (status == 0) {
		audit_line(c, &rq->who, "cleanup", NULL, 0, NULL);
		event_line(c, "cleanup", NULL);
		pinset_replaced(c);
	}
	request_end(rq, status);
}

void clean_start(struct cluster_request *rq)
{
	struct cluster *c = rq->cluster;

	if (brake_engaged(c->brake)) {
		request_end(rq, err_set(&rq->error, -EPERM,
					"the brake: a mass removal is being refused, so the state "
					"stays too; echo N > state/allow lets N removals pass"));
		return;
	}
	if (cluster_receiving(c)) {
		request_end(rq, err_set(&rq->error, -EBUSY, "a dump is being written to import"));
		return;
	}
	rq->batch = (struct store_batch){ .fn = clean_job, .done = clean_done };
	store_submit_job(c->opt.store, &rq->batch);
}

/* ---- dumps: work of the pool ---- */

static void backup_work(uv_work_t *w)
{
	struct cluster_request *rq = container_of(w, struct cluster_request, work);

	rq->status = rq->view ? dump_view(rq->cluster, rq->view, rq->text, &rq->error)
			      : dump_now(rq->cluster, rq->text, &rq->error);
}

/* What could not be dumped stays with the brake. */
static void end_view(struct cluster_request *rq, int status)
{
	if (rq->view && status < 0)
		brake_return_view(rq->cluster->brake, rq->view);
	else if (rq->view)
		store_read_end(rq->view);
}

static void backup_after(uv_work_t *w, int cancelled)
{
	struct cluster_request *rq = container_of(w, struct cluster_request, work);
	char more[48];

	end_view(rq, cancelled ? -ECANCELED : rq->status);
	if (rq->verb == CLUSTER_ALLOW && rq->status == 0) {
		snprintf(more, sizeof(more), "\"removals\":%llu", (unsigned long long)rq->number);
		audit_line(rq->cluster, &rq->who, "allow", more, 0, NULL);
		brake_allow(rq->cluster->brake, rq->number);
	}
	request_end(rq, cancelled ? -ECANCELED : rq->status);
}

static void queue_dump(struct cluster_request *rq)
{
	int r = uv_queue_work(rq->cluster->opt.loop, &rq->work, backup_work, backup_after);

	if (r < 0) {
		end_view(rq, r);
		request_end(rq, err_sys(&rq->error, r, "making a dump"));
	}
}

void backup_start(struct cluster_request *rq)
{
	queue_dump(rq);
}

void allow_start(struct cluster_request *rq)
{
	rq->view = brake_take_view(rq->cluster->brake);
	queue_dump(rq);
}

void backup_remove_start(struct cluster_request *rq)
{
	struct cluster *c = rq->cluster;
	struct backup b;
	int r = backups_find(c->backups, rq->text, &b);

	if (r == 0)
		r = backups_remove(c->backups, b.serial, &rq->error);
	request_end(rq, r);
}

static void kept(struct cluster_request *rq, int status)
{
	rq->cluster->keep_failed = status < 0;
	if (status < 0)
		log_err("the dump of the state before a mass removal: %s, trying again",
			rq->error.msg);
	else
		log_warn("%sthe state before the removals is in backups/",
			 brake_engaged(rq->cluster->brake) ? "the brake engaged: " : "");
	cluster_request_free(rq);
}

void keep_before_burst(struct cluster *c)
{
	struct cluster_request *rq;

	if (c->keep_failed || !brake_wants_dump(c->brake))
		return;
	rq = cluster_request_new(CLUSTER_BACKUP, 0);
	if (!rq)
		return; /* the next tick tries again */
	rq->cluster = c;
	rq->view = brake_take_view(c->brake);
	rq->done = kept;
	c->under_way++;
	queue_dump(rq);
}
