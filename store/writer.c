/*
 * The writer's thread: runs queued batches in order, as many as are waiting in one transaction with
 * one sync (group commit). A batch that fails is undone alone, by a nested transaction; a batch
 * that is alone needs none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/internal.h"
#include "util/clock.h"
#include "util/container.h"

#define LOG_AREA "store"
#include "util/log.h"

#define WRITER_GROUP_MAX 64 /* batches that share a transaction */

int store_write(struct store *s, struct store_txn **ret)
{
	struct store_txn *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->store = s;
	t->write = true;
	r = lmdb_errno(mdb_txn_begin(s->env, NULL, 0, &t->txn));
	if (r < 0)
		goto out_free;
	r = store_info_load(t);
	if (r < 0)
		goto out_abort;
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < STORE_GENERATIONS_MAX; i++)
		if (s->gens[i].number == t->info.generation)
			t->gen = &s->gens[i];
	pthread_mutex_unlock(&s->lock);
	r = t->gen ? 0 : -EBADMSG;
	if (r == 0 && !atomic_load(&s->marked)) /* so that no change is durable without the mark */
		r = meta_put(t, MARK_RUNNING, "\1", 1);
	if (r < 0)
		goto out_abort;
	*ret = t;
	return 0;

out_abort:
	mdb_txn_abort(t->txn);
out_free:
	free(t);
	return r;
}

static int info_save(struct store_txn *t)
{
	return t->info_dirty ? meta_put(t, "info", &t->info, sizeof(t->info)) : 0;
}

int store_commit(struct store_txn *t)
{
	int r = info_save(t);

	if (r < 0) {
		store_abort(t);
		return r;
	}
	r = txn_commit(t->store, t->txn);
	if (r == 0) {
		atomic_store(&t->store->marked, true);
		names_note(t->store, &t->info);
	}
	free(t);
	return r;
}

void store_abort(struct store_txn *t)
{
	mdb_txn_abort(t->txn);
	free(t);
}

struct store_info *store_info_edit(struct store_txn *t)
{
	t->info_dirty = true;
	return &t->info;
}

void store_touch(struct store_txn *t)
{
	struct store_info *info = store_info_edit(t);
	int64_t now = clock_now_ns();

	info->revision++;
	info->changed_ns = now > info->changed_ns ? now : info->changed_ns + 1000;
}

/* ---- the queue ---- */

static void batch_report(struct mbox_msg *m)
{
	struct store_batch *b = container_of(m, struct store_batch, msg);

	b->done(b, b->status);
}

static void batch_end(struct store *s, struct store_batch *b, int status)
{
	b->status = status;
	b->msg.fn = batch_report;
	mbox_post(s->loop, &b->msg);
}

/* Runs one batch in a transaction of its own inside @t, so that a failure undoes only it. */
static int run_nested(struct store_txn *t, struct store_batch *b)
{
	struct store_txn child = *t;
	int r = lmdb_errno(mdb_txn_begin(t->store->env, t->txn, 0, &child.txn)), c;

	if (r < 0)
		return r;
	r = b->fn(&child, b);
	if (r < 0) {
		mdb_txn_abort(child.txn);
		return r;
	}
	c = lmdb_errno(mdb_txn_commit(child.txn));
	if (c < 0)
		return c;
	t->info = child.info;
	t->info_dirty = child.info_dirty;
	return r;
}

static void end_all(struct store *s, struct store_batch *group, int failure)
{
	struct store_batch *next;

	for (; group; group = next) {
		next = group->next;
		batch_end(s, group, failure < 0 && group->status >= 0 ? failure : group->status);
	}
}

static void run_group(struct store *s, struct store_batch *group)
{
	bool alone = group->next == NULL, any = false;
	struct store_txn *t;
	int r = store_write(s, &t);

	if (r < 0) {
		if (!store_broken(s))
			log_err("a change could not begin: %s", strerror(-r));
		for (struct store_batch *b = group; b; b = b->next)
			b->status = r;
		end_all(s, group, 0);
		return;
	}
	for (struct store_batch *b = group; b; b = b->next) {
		b->status = alone ? b->fn(t, b) : run_nested(t, b);
		any |= b->status >= 0;
	}
	if (any) {
		r = store_commit(t);
		if (r < 0 && !store_broken(s))
			log_err("a commit failed: %s", strerror(-r));
	} else {
		store_abort(t);
	}
	end_all(s, group, r);
}

/* Takes what may share a transaction: one job alone, or batches up to the next job. */
static struct store_batch *queue_take(struct store *s)
{
	struct store_batch *first = s->queue, *last = first;

	for (unsigned n = 1; !first->job && last->next && !last->next->job && n < WRITER_GROUP_MAX;
	     n++)
		last = last->next;
	s->queue = last->next;
	if (!s->queue)
		s->queue_tail = &s->queue;
	last->next = NULL;
	return first;
}

/* What is left to be done while nothing else is. True while there is more. */
static bool tidy(struct store *s, bool quiet)
{
	if (store_broken(s))
		return false;
	if (s->unsettled)
		bulk_settle(s);
	if (generation_sweep(s))
		return true;
	return quiet && names_step(s);
}

/* Until there may be work. True: nothing happened for so long that the last names are brought in.
 */
static bool await(struct store *s)
{
	int64_t ms = names_wait(s);
	struct timespec until;

	if (ms < 0) {
		pthread_cond_wait(&s->queue_ready, &s->queue_lock);
		return false;
	}
	ms += clock_mono_ms();
	until = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS };
	return pthread_cond_timedwait(&s->queue_ready, &s->queue_lock, &until) == ETIMEDOUT;
}

static void run(struct store *s, struct store_batch *group)
{
	if (group->job)
		batch_end(s, group, group->fn(NULL, group));
	else
		run_group(s, group);
	if (names_are_due(s) && !store_broken(s))
		names_step(s);
}

static void *writer_main(void *arg)
{
	struct store *s = arg;
	bool tidying = true, quiet = false;

	for (;;) {
		struct store_batch *group = NULL;
		bool stop;

		pthread_mutex_lock(&s->queue_lock);
		while (!s->queue && !s->stopping && !tidying)
			tidying = quiet = await(s);
		if (s->queue)
			group = queue_take(s);
		stop = !group && s->stopping;
		pthread_mutex_unlock(&s->queue_lock);
		if (stop)
			return NULL;
		if (!group) {
			tidying = tidy(s, quiet);
			continue;
		}
		quiet = false;
		run(s, group);
		tidying = true;
	}
}

static void submit(struct store *s, struct store_batch *b, bool job)
{
	b->next = NULL;
	b->job = job;
	pthread_mutex_lock(&s->queue_lock);
	*s->queue_tail = b;
	s->queue_tail = &b->next;
	pthread_cond_signal(&s->queue_ready);
	pthread_mutex_unlock(&s->queue_lock);
}

void store_submit(struct store *s, struct store_batch *b)
{
	submit(s, b, false);
}

void store_submit_job(struct store *s, struct store_batch *b)
{
	submit(s, b, true);
}

int writer_start(struct store *s)
{
	int r = pthread_create(&s->thread, NULL, writer_main, s);

	if (r != 0)
		return -r;
	pthread_setname_np(s->thread, "writer");
	s->started = true;
	return 0;
}

void writer_stop(struct store *s)
{
	pthread_mutex_lock(&s->queue_lock);
	s->stopping = true;
	pthread_cond_signal(&s->queue_ready);
	pthread_mutex_unlock(&s->queue_lock);
	pthread_join(s->thread, NULL);
}
