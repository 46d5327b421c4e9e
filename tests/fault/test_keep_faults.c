/*
 * Cleanups and dumps with every allocation and every call for the disk failing in turn, and with
 * the process ending at every such call: a cleanup happens after a whole dump or not at all, and a
 * dump is whole or is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/internal.h"
#include "store/export.h"
#include "tests/fault/faults.h"
#include "tests/fault/peer.h"
#include "util/path.h"

#define PINS 40
#define NAME "mine.json"
#define TEXT_MAX (1u << 20)

static void export_text(struct peer *p, struct buf *out)
{
	struct store_txn *t;
	struct export *x;
	char piece[4096];
	ssize_t n;

	assert_int_equal(0, store_read(p->store, &t));
	assert_int_equal(0, export_new(t, &x));
	while ((n = export_read(x, out->len, piece, sizeof(piece))) > 0)
		assert_int_equal(0, buf_append(out, piece, (size_t)n));
	assert_int_equal(0, n);
	export_free(x);
	store_read_end(t);
}

static bool is_dump(struct peer *p, const struct backup *b, const struct buf *text)
{
	char *data = malloc(TEXT_MAX);
	int fd = backups_open_file(cluster_backups(p->cluster), b->serial);
	ssize_t n;
	bool same;

	assert_non_null(data);
	assert_true(fd >= 0);
	n = read(fd, data, TEXT_MAX);
	close(fd);
	same = n == (ssize_t)text->len && memcmp(data, text->data, text->len) == 0;
	assert_int_equal(b->size, n);
	free(data);
	return same;
}

/* Dumps with the content of @text; every other one must be of @also. */
static unsigned dumps_of(struct peer *p, const struct buf *text, const struct buf *also)
{
	struct backup b = { 0 };
	unsigned n = 0;

	while (backups_next(cluster_backups(p->cluster), b.serial, &b) == 0) {
		if (is_dump(p, &b, text))
			n++;
		else if (!also || !is_dump(p, &b, also))
			fail_msg("%s is not whole", b.name);
	}
	return n;
}

/* Files of backups/, whatever their names. */
static unsigned files(struct peer *p)
{
	char *path = path_join(p->folder, "backups");
	DIR *dir = opendir(path);
	struct dirent *d;
	unsigned n = 0;

	assert_non_null(dir);
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.' || strlen(d->d_name) > 2;
	closedir(dir);
	free(path);
	return n;
}

static void setup(struct peer *p, struct buf *text)
{
	*text = (struct buf)BUF_INIT(TEXT_MAX);
	peer_init(p, false);
	peer_open(p);
	peer_pin(p, 0, PINS, "old");
	export_text(p, text);
}

static void teardown(struct peer *p, struct buf *text)
{
	buf_deinit(text);
	peer_close(p);
	peer_remove(p);
}

static struct cluster_request *request(enum cluster_verb verb, const char *text)
{
	struct cluster_request *rq = cluster_request_new(verb, 0);

	assert_non_null(rq);
	if (text) {
		rq->text = strdup(text);
		assert_non_null(rq->text);
	}
	return rq;
}

/* ---- cleanup ---- */

static int nothing(struct store_txn *t, struct store_batch *b)
{
	return 0;
}

static void set_done(struct store_batch *b, int status)
{
	b->fn = NULL;
}

/* Waits for what the writer does between two batches. */
static void store_sync(struct peer *p)
{
	struct store_batch b = { .fn = nothing, .done = set_done };

	store_submit_job(p->store, &b);
	while (b.fn)
		uv_run(&p->loop, UV_RUN_ONCE);
}

/* The state is the old one or, after a dump of it, empty. True: it is empty. */
static bool check_clean(struct peer *p, const struct buf *text)
{
	bool cleaned;

	peer_recount(p);
	cleaned = !peer_is_model(p);
	if (cleaned) {
		peer_model_none(p);
		assert_true(peer_is_model(p));
		assert_int_equal(1, dumps_of(p, text, NULL));
	} else {
		assert_true(dumps_of(p, text, NULL) <= 1);
	}
	return cleaned;
}

static void sweep_clean(atomic_long *what)
{
	unsigned failed = 0;
	bool faulty = true;

	for (long n = 0; faulty; n++) {
		struct cluster_request *rq = request(CLUSTER_CLEAN, NULL);
		struct buf text;
		struct peer p;
		int r;

		setup(&p, &text);
		fault_at(what, n);
		r = peer_run(&p, rq);
		faulty = fault_end(what);
		failed += r < 0;
		peer_revive(&p);
		assert_int_equal(r == 0, check_clean(&p, &text));
		assert_int_equal(dumps_of(&p, &text, NULL), files(&p));
		peer_pin(&p, 0, 3, "next");
		peer_must(&p, request(CLUSTER_CLEAN, NULL));
		peer_model_none(&p);
		assert_true(peer_is_model(&p));
		peer_recount(&p);
		teardown(&p, &text);
	}
	assert_true(failed > 2);
}

static void failing_allocations_clean_all_or_nothing(void **state)
{
	sweep_clean(&fault_alloc);
}

static void failing_writes_clean_all_or_nothing(void **state)
{
	sweep_clean(&fault_disk);
}

static bool crash_at(struct peer *p, enum cluster_verb verb, const char *name, long n)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		peer_open(p);
		fault_crash_at(n);
		_exit(peer_run(p, request(verb, name)) < 0);
	}
	return fault_crashed(pid);
}

static void crashes_clean_all_or_nothing(void **state)
{
	unsigned old = 0, cleaned = 0;
	bool crashed = true;

	for (long n = 0; crashed; n++) {
		struct buf text;
		struct peer p;

		setup(&p, &text);
		peer_close(&p);
		crashed = crash_at(&p, CLUSTER_CLEAN, NULL, n);
		peer_open(&p);
		if (check_clean(&p, &text))
			cleaned++;
		else
			old++;
		peer_pin(&p, 0, 3, "next");
		teardown(&p, &text);
	}
	assert_true(old > 3);
	assert_true(cleaned > 0);
}

/* They are kept by a reader until dropping them fails. */
static void old_tables_that_could_not_be_dropped_go_later(void **state)
{
	struct buf text;
	struct peer p;

	setup(&p, &text);
	for (unsigned k = 0; k < 20; k++) {
		struct store_txn *reader;

		assert_int_equal(0, store_read(p.store, &reader));
		peer_must(&p, request(CLUSTER_CLEAN, NULL));
		peer_model_none(&p);
		store_read_end(reader);
		fault_at(&fault_disk, 0);
		store_sync(&p);
		store_sync(&p);
		assert_true(fault_end(&fault_disk));
		peer_pin(&p, 0, 3, "next");
		peer_recount(&p);
	}
	teardown(&p, &text);
}

/* ---- dumps ---- */

static void sweep_backup(const char *name, atomic_long *what)
{
	unsigned failed = 0;
	bool faulty = true;

	for (long n = 0; faulty; n++) {
		struct cluster_request *rq = request(CLUSTER_BACKUP, name);
		struct buf text;
		struct backup b;
		struct peer p;
		int r;

		setup(&p, &text);
		fault_at(what, n);
		r = peer_run(&p, rq);
		faulty = fault_end(what);
		failed += r < 0;
		assert_int_equal(r == 0, dumps_of(&p, &text, NULL));
		assert_int_equal(r == 0, files(&p));
		if (name && r == 0)
			assert_int_equal(0, backups_find(cluster_backups(p.cluster), name, &b));
		if (r < 0 && peer_run(&p, request(CLUSTER_BACKUP, name)) < 0)
			fail_msg("%s", p.reason);
		assert_int_equal(1, dumps_of(&p, &text, NULL));
		assert_true(peer_is_model(&p));
		teardown(&p, &text);
	}
	assert_true(failed > 2);
}

static void failing_allocations_leave_whole_dumps_or_none(void **state)
{
	sweep_backup(NULL, &fault_alloc);
	sweep_backup(NAME, &fault_alloc);
}

static void failing_writes_leave_whole_dumps_or_none(void **state)
{
	sweep_backup(NULL, &fault_disk);
	sweep_backup(NAME, &fault_disk);
}

static void crashes_leave_whole_dumps_or_none(void **state)
{
	bool crashed = true;

	for (long n = 0; crashed; n++) {
		struct buf text;
		struct peer p;

		setup(&p, &text);
		peer_close(&p);
		crashed = crash_at(&p, CLUSTER_BACKUP, n % 2 ? NAME : NULL, n);
		peer_open(&p);
		assert_int_equal(dumps_of(&p, &text, NULL), files(&p));
		teardown(&p, &text);
	}
}

/* ---- what there was before a burst of removals ---- */

#define BURST 2       /* removals that pass */
#define MANY_PINS 120 /* more than the brake lets go unseen */

static void setup_burst(struct peer *p, struct buf *before, struct buf *after)
{
	static const struct peer_step removals[BURST] = { { 0, NULL }, { 1, NULL } };

	*before = *after = (struct buf)BUF_INIT(TEXT_MAX);
	peer_init(p, false);
	p->max_unpins = BURST;
	peer_open(p);
	peer_pin(p, 0, MANY_PINS, "old");
	export_text(p, before);
	for (unsigned i = 0; i < BURST; i++)
		assert_int_equal(0, peer_run(p, peer_change(&removals[i], 1)));
	export_text(p, after);
}

static void teardown_burst(struct peer *p, struct buf *before, struct buf *after)
{
	buf_deinit(after);
	teardown(p, before);
}

static void wait_until_idle(struct peer *p)
{
	while (p->cluster->under_way > 0)
		uv_run(&p->loop, UV_RUN_ONCE);
}

/* The removal that is one too many, with the @n-th call of @what failing. */
static int refused(struct peer *p, atomic_long *what, long n)
{
	static const struct peer_step removal = { 2, NULL };
	struct cluster_request *rq = peer_change(&removal, 1);
	int r;

	fault_at(what, n);
	r = peer_run(p, rq);
	wait_until_idle(p);
	return r;
}

static void sweep_burst(atomic_long *what)
{
	static struct peer p; /* libuv's threads may outlive a failed test */
	bool faulty = true;
	unsigned failed = 0;

	for (long n = 0; faulty; n++) {
		struct buf before, after;

		setup_burst(&p, &before, &after);
		if (refused(&p, what, n) != -EPERM) {
			fault_end(what);
			assert_int_equal(-EPERM, refused(&p, what, -1));
		}
		faulty = fault_end(what);
		failed += dumps_of(&p, &before, NULL) == 0;
		peer_must(&p, request(CLUSTER_ALLOW, NULL));
		assert_int_equal(1, dumps_of(&p, &before, &after));
		teardown_burst(&p, &before, &after);
	}
	assert_true(failed > 1);
}

static void the_state_before_a_burst_is_not_lost_by_failures(void **state)
{
	sweep_burst(&fault_alloc);
	sweep_burst(&fault_disk);
}

static void the_state_before_a_burst_is_dumped_when_it_can_be(void **state)
{
	static struct peer p;
	struct buf before, after;

	setup_burst(&p, &before, &after);
	assert_int_equal(-EPERM, refused(&p, &fault_disk, 0));
	assert_true(fault_end(&fault_disk));
	assert_int_equal(0, dumps_of(&p, &before, NULL));
	while (dumps_of(&p, &before, NULL) == 0) /* the test's deadline ends it */
		uv_run(&p.loop, UV_RUN_ONCE);
	teardown_burst(&p, &before, &after);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_allocations_clean_all_or_nothing),
		cmocka_unit_test(failing_writes_clean_all_or_nothing),
		cmocka_unit_test(crashes_clean_all_or_nothing),
		cmocka_unit_test(old_tables_that_could_not_be_dropped_go_later),
		cmocka_unit_test(failing_allocations_leave_whole_dumps_or_none),
		cmocka_unit_test(failing_writes_leave_whole_dumps_or_none),
		cmocka_unit_test(crashes_leave_whole_dumps_or_none),
		cmocka_unit_test(the_state_before_a_burst_is_not_lost_by_failures),
		cmocka_unit_test(the_state_before_a_burst_is_dumped_when_it_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
