/*
 * Requests that wait, with every thread that touches them at work: FUSE threads that post and are
 * interrupted, the writer that begins them or finds them given up, the loop that answers. Each gets
 * one answer, and it is true. The kernel's side and the peer's are stood in for here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster/internal.h"
#include "fs/caller.h"
#include "fs/internal.h"
#include "fs/waiting.h"
#include "util/clock.h"
#include "util/container.h"

#define DEADLINE_MS 20
#define PATIENCE_MS 10000 /* of the test, for what must come */
#define SLOW 64           /* every so many-th program's request is */

/* ---- the kernel's side: one request of it ---- */

struct ask {
	pthread_mutex_t lock; /* what follows, as libfuse has one of its own */
	unsigned answers;
	int status; /* of the answer, 0 or below */
	bool interrupted, late;
	void (*func)(struct fuse_req *req, void *data);
	void *data;
	struct fuse_ctx ctx;
	struct handle *handle;
	atomic_bool begun; /* the writer carries it out */
};

static struct fs fs;
static atomic_uint records; /* of refusals */
static atomic_bool posting_is_slow;

static struct ask *ask_of(struct fuse_req *req)
{
	return (struct ask *)req;
}

static bool is_answered(struct ask *a)
{
	bool r;

	pthread_mutex_lock(&a->lock);
	r = a->answers > 0;
	pthread_mutex_unlock(&a->lock);
	return r;
}

static void answer(struct fuse_req *req, int status)
{
	struct ask *a = ask_of(req);

	pthread_mutex_lock(&a->lock);
	a->answers++;
	a->status = status;
	a->func = NULL;
	pthread_mutex_unlock(&a->lock);
}

/* A signal for the program that waits. */
static void interrupt(struct ask *a)
{
	pthread_mutex_lock(&a->lock);
	a->interrupted = true;
	if (a->answers == 0 && a->func)
		a->func((struct fuse_req *)a, a->data);
	pthread_mutex_unlock(&a->lock);
}

int __wrap_fuse_reply_err(struct fuse_req *req, int err);
int __wrap_fuse_reply_write(struct fuse_req *req, size_t count);
void *__wrap_fuse_req_userdata(struct fuse_req *req);
const struct fuse_ctx *__wrap_fuse_req_ctx(struct fuse_req *req);
void __wrap_fuse_req_interrupt_func(struct fuse_req *req,
				    void (*func)(struct fuse_req *req, void *data), void *data);
bool __wrap_caller_is_stopping(pid_t tid);
void __wrap_call_who(struct fuse_req *req, struct cluster_who *who);
void __wrap_fs_record(struct fs *f, const struct cluster_who *who, const char *path, int code,
		      const char *reason);
void __wrap_cluster_post(struct cluster *c, struct cluster_request *rq);
int __real_uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);
int __wrap_uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);

int __wrap_fuse_reply_err(struct fuse_req *req, int err)
{
	answer(req, -err);
	return 0;
}

int __wrap_fuse_reply_write(struct fuse_req *req, size_t count)
{
	answer(req, 0);
	return 0;
}

void *__wrap_fuse_req_userdata(struct fuse_req *req)
{
	return &fs;
}

const struct fuse_ctx *__wrap_fuse_req_ctx(struct fuse_req *req)
{
	return &ask_of(req)->ctx;
}

/* Nobody may have answered yet: libfuse would have freed it. */
void __wrap_fuse_req_interrupt_func(struct fuse_req *req,
				    void (*func)(struct fuse_req *req, void *data), void *data)
{
	struct ask *a = ask_of(req);
	int64_t until = clock_mono_ms() + 10 * DEADLINE_MS;

	while (atomic_load(&posting_is_slow) && !is_answered(a) && clock_mono_ms() < until)
		usleep(1000);
	pthread_mutex_lock(&a->lock);
	a->late = a->answers > 0;
	a->func = func;
	a->data = data;
	if (a->interrupted)
		func(req, data);
	pthread_mutex_unlock(&a->lock);
}

/* Signals for even programs stop them. */
bool __wrap_caller_is_stopping(pid_t tid)
{
	return tid % 2 == 0;
}

void __wrap_call_who(struct fuse_req *req, struct cluster_who *who)
{
	who->pid = ask_of(req)->ctx.pid;
}

void __wrap_fs_record(struct fs *f, const struct cluster_who *who, const char *path, int code,
		      const char *reason)
{
	atomic_fetch_add(&records, 1);
}

/* The set looks at its deadlines at every millisecond. */
int __wrap_uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	return __real_uv_timer_start(t, cb, 1, 1);
}

/* ---- the peer's side: a writer that carries out one after the other ---- */

struct peer {
	uv_loop_t loop;
	struct mbox mbox;
	pthread_t writer;
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t changed;
	struct mbox_msg *queue, **tail;
	bool held, closing;
	/* loop's thread */
	unsigned posted, done;
};

static struct peer peer;

static struct cluster_request *request_of(struct mbox_msg *m)
{
	return container_of(m, struct cluster_request, msg);
}

static void on_written(struct mbox_msg *m) /* loop's thread */
{
	struct cluster_request *rq = request_of(m);

	peer.done++;
	rq->done(rq, rq->status);
}

static void on_posted(struct mbox_msg *m) /* loop's thread */
{
	peer.posted++;
	pthread_mutex_lock(&peer.lock);
	m->next = NULL;
	*peer.tail = m;
	peer.tail = &m->next;
	pthread_cond_signal(&peer.changed);
	pthread_mutex_unlock(&peer.lock);
}

void __wrap_cluster_post(struct cluster *c, struct cluster_request *rq)
{
	rq->msg.fn = on_posted;
	mbox_post(&peer.mbox, &rq->msg);
}

/* NULL: the end. */
static struct mbox_msg *next_to_write(void)
{
	struct mbox_msg *m;

	pthread_mutex_lock(&peer.lock);
	while (!peer.closing && (peer.held || !peer.queue))
		pthread_cond_wait(&peer.changed, &peer.lock);
	m = peer.closing ? NULL : peer.queue;
	if (m) {
		peer.queue = m->next;
		if (!peer.queue)
			peer.tail = &peer.queue;
	}
	pthread_mutex_unlock(&peer.lock);
	return m;
}

static void *write_all(void *arg)
{
	struct mbox_msg *m;

	while ((m = next_to_write())) {
		struct cluster_request *rq = request_of(m);
		struct ask *a = (struct ask *)(uintptr_t)rq->number;

		rq->status = request_begin(rq, &rq->error);
		if (rq->status == 0)
			atomic_store(&a->begun, true);
		if (a->ctx.pid % SLOW == 0)
			usleep(2000 * DEADLINE_MS); /* it takes longer than anybody waits */
		m->fn = on_written;
		mbox_post(&peer.mbox, m);
	}
	return NULL;
}

static void hold_writer(bool held)
{
	pthread_mutex_lock(&peer.lock);
	peer.held = held;
	pthread_cond_signal(&peer.changed);
	pthread_mutex_unlock(&peer.lock);
}

/* ---- the fixture ---- */

static int setup(void **state)
{
	peer = (struct peer){ 0 };
	fs = (struct fs){ 0 };
	list_init(&fs.handles);
	atomic_store(&records, 0);
	atomic_store(&posting_is_slow, false);
	assert_int_equal(0, uv_loop_init(&peer.loop));
	assert_int_equal(0, mbox_init(&peer.mbox, &peer.loop));
	pthread_mutex_init(&peer.lock, NULL);
	pthread_cond_init(&peer.changed, NULL);
	peer.tail = &peer.queue;
	fs.waiting = waiting_set_new(DEADLINE_MS);
	assert_non_null(fs.waiting);
	waiting_set_start(fs.waiting, &peer.loop);
	assert_int_equal(0, pthread_create(&peer.writer, NULL, write_all, NULL));
	return 0;
}

static int teardown(void **state)
{
	pthread_mutex_lock(&peer.lock);
	peer.closing = true;
	pthread_cond_signal(&peer.changed);
	pthread_mutex_unlock(&peer.lock);
	pthread_join(peer.writer, NULL);
	waiting_set_stop(fs.waiting);
	mbox_close(&peer.mbox);
	uv_run(&peer.loop, UV_RUN_DEFAULT);
	waiting_set_free(fs.waiting);
	pthread_cond_destroy(&peer.changed);
	pthread_mutex_destroy(&peer.lock);
	return uv_loop_close(&peer.loop);
}

static void asks_init(struct ask *asks, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pthread_mutex_init(&asks[i].lock, NULL);
		asks[i].ctx.pid = (pid_t)i + 1;
		asks[i].handle = handle_new(&fs, FUSE_ROOT_ID, 0);
		assert_non_null(asks[i].handle);
	}
}

static void then(struct handle *h, struct cluster_request *rq, int status) /* loop's thread */
{
	atomic_store(&h->busy, false);
}

/* FUSE thread. */
static void post(struct ask *a)
{
	struct call c = { .fs = &fs, .req = (struct fuse_req *)a };
	struct call_after after = { .reply = a->ctx.pid % 3 ? REPLY_NOTHING : REPLY_WRITTEN,
				    .handle = a->handle,
				    .then = then };
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 0);

	if (!rq)
		abort();
	rq->number = (uintptr_t)a;
	atomic_store(&a->handle->busy, true);
	if (call_post(&c, rq, &after) != CALL_LATER)
		abort();
}

static void run_until_done(unsigned n)
{
	int64_t until = clock_mono_ms() + PATIENCE_MS;

	while (peer.done < n && clock_mono_ms() < until)
		uv_run(&peer.loop, UV_RUN_ONCE);
	assert_int_equal(n, peer.done);
}

static void run_until_answered(struct ask *asks, unsigned n)
{
	int64_t until = clock_mono_ms() + PATIENCE_MS;

	for (unsigned i = 0; i < n; i++)
		while (!is_answered(&asks[i]) && clock_mono_ms() < until)
			uv_run(&peer.loop, UV_RUN_ONCE);
}

/* What must hold in the end, whatever came first. */
static void check(struct ask *asks, unsigned n)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < n; i++) {
		struct ask *a = &asks[i];

		assert_int_equal(1, a->answers);
		assert_false(a->late);
		if (a->status == 0)
			assert_true(atomic_load(&a->begun));
		if (a->status == -EINTR)
			assert_true(a->interrupted && !atomic_load(&a->begun) &&
				    a->ctx.pid % 2 == 0);
		else if (a->status != 0)
			assert_int_equal(-ETIMEDOUT, a->status);
		refused += a->status < 0;
		assert_false(atomic_load(&a->handle->busy));
		assert_int_equal(1, atomic_load(&a->handle->refs));
		handle_unref(a->handle);
		pthread_mutex_destroy(&a->lock);
	}
	assert_int_equal(refused, atomic_load(&records));
}

/* ---- one at a time ---- */

#define FEW 12

static void what_the_writer_does_not_reach_is_given_up_and_never_begins(void **state)
{
	struct ask asks[FEW] = { 0 };

	asks_init(asks, FEW);
	hold_writer(true);
	for (unsigned i = 0; i < FEW; i++)
		post(&asks[i]);
	run_until_answered(asks, FEW);
	hold_writer(false);
	run_until_done(FEW);
	for (unsigned i = 0; i < FEW; i++) {
		assert_int_equal(-ETIMEDOUT, asks[i].status);
		assert_false(atomic_load(&asks[i].begun));
	}
	check(asks, FEW);
}

static void a_stopped_program_takes_back_what_has_not_begun(void **state)
{
	struct ask asks[FEW] = { 0 };

	asks_init(asks, FEW);
	hold_writer(true);
	for (unsigned i = 0; i < FEW; i++) {
		if (i < FEW / 2)
			interrupt(&asks[i]); /* the signal was faster than the request */
		post(&asks[i]);
		if (i >= FEW / 2)
			interrupt(&asks[i]);
	}
	run_until_answered(asks, FEW);
	hold_writer(false);
	run_until_done(FEW);
	for (unsigned i = 0; i < FEW; i++)
		assert_int_equal(asks[i].ctx.pid % 2 ? -ETIMEDOUT : -EINTR, asks[i].status);
	check(asks, FEW);
}

static void what_has_begun_is_not_taken_back(void **state)
{
	struct ask ask = { 0 };

	asks_init(&ask, 1);
	ask.ctx.pid = SLOW;
	post(&ask);
	while (!atomic_load(&ask.begun))
		uv_run(&peer.loop, UV_RUN_ONCE);
	interrupt(&ask);
	run_until_done(1);
	assert_int_not_equal(-EINTR, ask.status);
	check(&ask, 1);
}

/* ---- the deadline comes before the request is handed over ---- */

static void *post_one(void *arg)
{
	post(arg);
	return NULL;
}

static void what_is_not_handed_over_yet_is_not_answered(void **state)
{
	struct ask ask = { 0 };
	pthread_t thread;

	asks_init(&ask, 1);
	atomic_store(&posting_is_slow, true);
	assert_int_equal(0, pthread_create(&thread, NULL, post_one, &ask));
	run_until_done(1);
	pthread_join(thread, NULL);
	check(&ask, 1);
}

/* ---- all at once ---- */

#define MANY 2000
#define HALF (MANY / 2)

static struct ask many[MANY];

/* Posts its half, and interrupts some of it and of the other's. */
static void *post_half(void *arg)
{
	struct ask *mine = arg;
	uint32_t seed = mine == many ? 1 : 2;

	for (unsigned i = 0; i < HALF; i++) {
		post(&mine[i]);
		seed = seed * 1664525 + 1013904223;
		if (seed >> 30 == 0)
			interrupt(&mine[i]);
		if (seed >> 30 == 1)
			interrupt(&many[(seed >> 8) % MANY]);
		if (i % 50 == 0)
			usleep(1000);
	}
	return NULL;
}

static void each_of_many_gets_one_true_answer(void **state)
{
	pthread_t threads[2];

	memset(many, 0, sizeof(many));
	asks_init(many, MANY);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, post_half, many + i * HALF));
	run_until_done(MANY);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(MANY, peer.posted);
	check(many, MANY);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_the_writer_does_not_reach_is_given_up_and_never_begins),
		T(a_stopped_program_takes_back_what_has_not_begun),
		T(what_has_begun_is_not_taken_back),
		T(what_is_not_handed_over_yet_is_not_answered),
		T(each_of_many_gets_one_true_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
