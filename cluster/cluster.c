/* The peer put together: requests in, events out. */
#include "cluster/cluster.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "cluster/internal.h"
#include "cluster/members.h"
#include "cluster/status_ask.h"
#include "cluster/swarms.h"
#include "consensus/crdt/crdt_net.h"
#include "store/pinset.h"
#include "util/clock.h"
#include "util/container.h"
#include "util/json_write.h"
#include "util/path.h"

#define LOG_AREA "cluster"
#include "util/log.h"

#define EVENTS_BYTES (8u << 20)
#define AUDIT_BYTES (16u << 20)
#define TICK_MS 1000

/* ---- what consensus and tracker report ---- */

static void cid_member(const struct cid *cid, char *out, size_t cap)
{
	char text[CID_TEXT_MAX + 1];

	cid_format(cid, text);
	snprintf(out, cap, "\"cid\":\"%s\"", text);
}

static void on_pin(struct cluster *c, const struct cid *cid, uint64_t serial, bool removed)
{
	char more[CID_TEXT_MAX + 16];

	cid_member(cid, more, sizeof(more));
	event_line(c, removed ? "unpin" : "pin", more);
	if (c->tracker && removed)
		tracker_pin_del(c->tracker, cid, serial);
	else if (c->tracker)
		tracker_pin_put(c->tracker, cid, serial);
	if (c->events.pin_changed)
		c->events.pin_changed(c->events.arg, cid, serial, removed);
}

static void on_pin_put(void *arg, const struct cid *cid, uint64_t serial)
{
	on_pin(arg, cid, serial, false);
}

static void on_pin_del(void *arg, const struct cid *cid, uint64_t serial)
{
	on_pin(arg, cid, serial, true);
}

static void on_replaced(void *arg)
{
	struct cluster *c = arg;

	if (c->tracker)
		tracker_replaced(c->tracker);
	if (c->events.all_changed)
		c->events.all_changed(c->events.arg);
}

void pinset_replaced(struct cluster *c)
{
	on_replaced(c);
	c->consensus->ops->replaced(c->consensus);
}

static int error_member(struct buf *out, const char *error)
{
	return json_write_member(out, "error", error ? error : "", error ? strlen(error) : 0);
}

static void on_status(void *arg, const struct cid *cid, uint64_t serial, enum status status,
		      const char *error)
{
	struct cluster *c = arg;
	struct buf more = BUF_INIT(0);
	char cid_text[CID_TEXT_MAX + 16];
	int r;

	cid_member(cid, cid_text, sizeof(cid_text));
	r = buf_printf(&more, "%s,\"status\":\"%s\",", cid_text, status_name(status));
	if (r == 0)
		r = error_member(&more, error);
	if (r == 0)
		r = buf_terminate(&more);
	if (r == 0)
		event_line(c, "status", (const char *)more.data);
	buf_deinit(&more);
}

static void on_kubo(void *arg, bool up, const char *error)
{
	struct cluster *c = arg;
	struct buf more = BUF_INIT(0);

	if (error_member(&more, error) == 0 && buf_terminate(&more) == 0)
		event_line(c, up ? "kubo_up" : "kubo_down", (const char *)more.data);
	buf_deinit(&more);
	if (c->swarms)
		swarms_kubo(c->swarms, up);
}

void kubo_worked(struct cluster *c)
{
	if (c->members)
		members_kubo_worked(c->members, c->opt.kubo_config->informer_trigger_interval);
}

static void on_worked(void *arg)
{
	kubo_worked(arg);
}

static void on_repo(void *arg)
{
	const struct cluster *c = arg;

	if (c->members)
		members_publish_disk(c->members);
}

/* ---- requests ---- */

struct cluster_request *cluster_request_new(enum cluster_verb verb, size_t n_items)
{
	struct cluster_request *rq = calloc(1, sizeof(*rq));

	if (!rq)
		return NULL;
	rq->verb = verb;
	rq->items = calloc(n_items + 1, sizeof(*rq->items));
	if (!rq->items) {
		free(rq);
		return NULL;
	}
	for (size_t i = 0; i < n_items; i++)
		pin_init(&rq->items[i].pin);
	rq->n_items = n_items;
	return rq;
}

void cluster_request_free(struct cluster_request *rq)
{
	if (!rq)
		return;
	for (size_t i = 0; i < rq->n_items; i++)
		pin_deinit(&rq->items[i].pin);
	free(rq->items);
	free(rq->text);
	if (rq->source.free)
		rq->source.free(rq->source.arg);
	import_free(rq->import);
	candidates_view_put(rq->candidates);
	buf_deinit(&rq->audit);
	buf_deinit(&rq->answer);
	free(rq);
}

enum claim {
	CLAIM_NONE,
	CLAIM_BEGUN,
	CLAIM_CANCELLED
};

bool cluster_request_cancel(struct cluster_request *rq)
{
	int none = CLAIM_NONE;

	if (rq->import)
		import_cancel(rq->import);
	return atomic_compare_exchange_strong(&rq->claim, &none, CLAIM_CANCELLED) ||
	       none == CLAIM_CANCELLED;
}

int request_begin(struct cluster_request *rq, struct err *e)
{
	int none = CLAIM_NONE;

	if (atomic_compare_exchange_strong(&rq->claim, &none, CLAIM_BEGUN) || none == CLAIM_BEGUN)
		return 0;
	return err_set(e, -EINTR, "given up before it began (nothing was changed)");
}

static void close_when_idle(struct cluster *c);

void request_end(struct cluster_request *rq, int status)
{
	struct cluster *c = rq->cluster;

	if (status == -EIO && store_broken(c->opt.store))
		err_set(&rq->error, status, "%s", store_broken(c->opt.store));
	if (status < 0 && rq->error.code == 0)
		err_sys(&rq->error, status, "the request failed");
	c->under_way--;
	rq->done(rq, status);
	close_when_idle(c);
}

int made_certain(struct cluster_request *rq, const char *what, const char *more, int status)
{
	struct cluster *c = rq->cluster;

	if (status < 0) {
		c->consensus->ops->go_on(c->consensus);
		status = rq->error.code = -ETIMEDOUT;
	}
	audit_line(c, &rq->who, what, more, status, status < 0 ? rq->error.msg : NULL);
	event_line(c, what, more);
	pinset_replaced(c);
	return status;
}

static void recover_start(struct cluster_request *rq)
{
	struct cluster *c = rq->cluster;
	struct pin_row row;
	struct store_txn *t;
	int r = store_read(c->opt.store, &t);

	if (r < 0) {
		request_end(rq, r);
		return;
	}
	r = pinset_find(t, &rq->items[0].pin.cid, &row);
	if (r == 0 && c->tracker)
		tracker_recover(c->tracker, row.serial);
	else if (r == 0)
		r = err_set(&rq->error, -EROFS, "offline: nothing is pinned in Kubo");
	else
		err_set(&rq->error, r, "pin is not part of the pinset");
	store_read_end(t);
	request_end(rq, r);
}

static void gc_start(struct cluster_request *rq)
{
	struct cluster *c = rq->cluster;
	int r;

	if (!c->tracker)
		r = err_set(&rq->error, -EROFS, "offline: there is no Kubo");
	else
		r = tracker_gc(c->tracker, NULL);
	if (r == -EBUSY)
		err_set(&rq->error, r, "a garbage collection is running");
	request_end(rq, r);
}

static void request_start(struct mbox_msg *m)
{
	struct cluster_request *rq = container_of(m, struct cluster_request, msg);
	struct cluster *c = rq->cluster;

	c->under_way++;
	if (c->closing) {
		request_end(rq, err_set(&rq->error, -EROFS, "the peer is shutting down"));
		return;
	}
	if (rq->verb <= CLUSTER_CLEAN && rq->verb != CLUSTER_IMPORT && cluster_importing(c)) {
		request_end(rq, err_set(&rq->error, -EBUSY, "an import is running"));
		return;
	}
	switch (rq->verb) {
	case CLUSTER_CHANGE:
		change_start(rq);
		break;
	case CLUSTER_RECOVER:
		recover_start(rq);
		break;
	case CLUSTER_IMPORT:
		import_start(rq);
		break;
	case CLUSTER_CLEAN:
		clean_start(rq);
		break;
	case CLUSTER_BACKUP:
		backup_start(rq);
		break;
	case CLUSTER_BACKUP_REMOVE:
		backup_remove_start(rq);
		break;
	case CLUSTER_ALLOW:
		allow_start(rq);
		break;
	case CLUSTER_GC:
		gc_start(rq);
		break;
	case CLUSTER_PEER_ADD:
		peer_add_start(rq);
		break;
	case CLUSTER_STATUS:
		status_ask_start(rq);
		break;
	case CLUSTER_ERRORS:
		errors_ask_start(rq);
		break;
	}
}

void cluster_post(struct cluster *c, struct cluster_request *rq)
{
	rq->cluster = c;
	rq->msg.fn = request_start;
	mbox_post(c->opt.mbox, &rq->msg);
}

/* ---- life ---- */

static void tick(uv_timer_t *timer)
{
	struct cluster *c = container_of(timer, struct cluster, tick);

	brake_tick(c->brake);
	c->keep_failed = false;
	if (c->closing)
		return;
	peer_add_tick(c);
	keep_before_burst(c);
	expiry_tick(c);
	repin_tick(c);
}

static int open_logs(struct cluster *c, struct err *e)
{
	char *backups = path_join(c->opt.data_folder, "backups");
	int r = backups ? backups_open(backups, c->opt.backups_rotate, &c->backups, e) : -ENOMEM;

	free(backups);
	if (r == 0)
		r = journal_open(c->opt.data_folder, "audit", AUDIT_BYTES, c->opt.audit_days,
				 &c->audit, e);
	if (r == 0)
		r = journal_open(c->opt.data_folder, "events", EVENTS_BYTES, 0, &c->events_log, e);
	return r;
}

static void cluster_free(struct cluster *c)
{
	candidates_free(c->candidates);
	status_cache_free(c->status_cache);
	brake_free(c->brake);
	journal_close(c->events_log);
	journal_close(c->audit);
	backups_close(c->backups);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static bool is_trusted(void *arg, const struct peerid *peer)
{
	const struct cluster *c = arg;

	return crdt_trusts(c->opt.crdt, &c->opt.self, peer);
}

int cluster_set_candidates(struct cluster *c, struct monitor *monitor)
{
	const struct cluster_options *opt = &c->opt;
	const struct candidates_options co = {
		.self = opt->self,
		.monitor = monitor,
		.alive = monitor ? opt->crdt->peerset_metric : NULL,
		.config = opt->allocator,
		.trusted_only = opt->config->pin_only_on_trusted_peers,
		.untrusted_only = opt->config->pin_only_on_untrusted_peers,
		.is_trusted = is_trusted,
		.arg = c,
	};
	struct candidates *old = c->candidates;
	int r = candidates_new(&co, &c->candidates);

	if (r == 0)
		candidates_free(old);
	return r;
}

int cluster_new(const struct cluster_options *opt, struct cluster **ret, struct err *e)
{
	struct cluster *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_sys(e, -ENOMEM, "starting the peer");
	c->opt = *opt;
	list_init(&c->peer_adds);
	list_init(&c->repins);
	surveys_init(&c->surveys);
	pthread_mutex_init(&c->lock, NULL);
	c->consensus_events = (struct consensus_events){
		.pin_put = on_pin_put, .pin_del = on_pin_del, .replaced = on_replaced, .arg = c
	};
	r = open_logs(c, e);
	if (r == 0)
		r = brake_new(opt->store, opt->max_unpins, &c->brake);
	if (r == 0)
		r = cluster_set_candidates(c, NULL);
	if (r == 0)
		r = status_cache_new(&c->status_cache);
	if (r < 0) {
		if (e && e->code == 0)
			err_sys(e, r, "starting the peer");
		cluster_free(c);
		return r;
	}
	uv_timer_init(opt->loop, &c->tick);
	c->tick_open = true;
	*ret = c;
	return 0;
}

const struct consensus_events *cluster_consensus_events(struct cluster *c)
{
	return &c->consensus_events;
}

void cluster_set_events(struct cluster *c, const struct cluster_events *ev)
{
	c->events = *ev;
}

int cluster_start(struct cluster *c, struct consensus *consensus, struct err *e)
{
	struct tracker_options to = {
		.store = c->opt.store,
		.loop = c->opt.loop,
		.kubo = c->opt.kubo,
		.kubo_config = c->opt.kubo_config,
		.config = c->opt.tracker,
		.pin_recover_interval_ms = c->opt.config->pin_recover_interval_ms,
		.self = c->opt.self,
		.events = { .changed = on_status,
			    .kubo = on_kubo,
			    .repo = on_repo,
			    .worked = on_worked,
			    .arg = c },
	};
	int r = 0;

	c->consensus = consensus;
	if (c->opt.kubo)
		r = tracker_new(&to, &c->tracker, e);
	if (r < 0)
		return r;
	uv_timer_start(&c->tick, tick, TICK_MS, TICK_MS);
	return 0;
}

static void tracker_closed(void *arg)
{
	struct cluster *c = arg;
	void (*closed)(void *) = c->closed;
	void *closed_arg = c->closed_arg;

	c->tracker = NULL;
	cluster_free(c);
	closed(closed_arg);
}

static void consensus_closed(void *arg)
{
	struct cluster *c = arg;

	if (c->tracker)
		tracker_close(c->tracker, tracker_closed, c);
	else
		tracker_closed(c);
}

static void left(void *arg)
{
	struct cluster *c = arg;

	if (c->consensus)
		c->consensus->ops->close(c->consensus, consensus_closed, c);
	else
		consensus_closed(c); /* it was never started */
}

static void tick_closed(uv_handle_t *h)
{
	struct cluster *c = container_of(h, struct cluster, tick);

	cluster_leave(c, left, c);
}

static void close_when_idle(struct cluster *c)
{
	if (!c->closing || c->under_way > 0 || !c->tick_open)
		return;
	c->tick_open = false;
	c->drained(c->closed_arg);
	mbox_drain(c->opt.mbox); /* what was posted until now is refused */
	uv_close((uv_handle_t *)&c->tick, tick_closed);
}

void cluster_close(struct cluster *c, void (*drained)(void *arg), void (*closed)(void *arg),
		   void *arg)
{
	c->closing = true;
	import_abort(c);
	c->drained = drained;
	c->closed = closed;
	c->closed_arg = arg;
	peer_add_abort(c);
	repin_abort(c);
	surveys_abort(&c->surveys);
	close_when_idle(c);
}

/* ---- for the tree ---- */

struct store *cluster_store(const struct cluster *c)
{
	return c->opt.store;
}

struct backups *cluster_backups(const struct cluster *c)
{
	return c->backups;
}

struct journal *cluster_audit(const struct cluster *c)
{
	return c->audit;
}

struct journal *cluster_events_log(const struct cluster *c)
{
	return c->events_log;
}

struct tracker *cluster_tracker(const struct cluster *c)
{
	return c->tracker;
}

const struct cluster_options *cluster_options(const struct cluster *c)
{
	return &c->opt;
}

uint64_t cluster_allowance(const struct cluster *c)
{
	return brake_allowance(c->brake);
}

bool cluster_braked(const struct cluster *c)
{
	return brake_engaged(c->brake);
}

const char *cluster_consensus_name(const struct cluster *c)
{
	return c->consensus ? c->consensus->ops->name : "";
}

void cluster_audit_refusal(struct cluster *c, const struct cluster_who *who, const char *path,
			   int code, const char *reason)
{
	struct buf more = BUF_INIT(0);

	if (json_write_member(&more, "path", path, strlen(path)) == 0 && buf_terminate(&more) == 0)
		audit_line(c, who, "refused", (const char *)more.data, code, reason);
	buf_deinit(&more);
}
