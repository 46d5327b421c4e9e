#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "cluster/cluster.h"
#include "consensus/crdt/crdt.h"
#include "store/blocks.h"
#include "store/export.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/vectors.h"

#define QM "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR"
#define QM2 "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
#define PEER "12D3KooWGr4zVmGwkmBDSKBzKH5SB3NEsDYzAMtg6Lv36YWnkMk4"
#define PIN(cid) "{\"cid\":\"" cid "\",\"name\":\"n\"}\n"
#define OLD_PINS 10

struct fix {
	struct store_fix store;
	struct crdt_config crdt;
	struct cluster_config config;
	struct consensus *consensus;
	struct cluster *cluster;
	bool closed;
};

static void on_drained(void *arg)
{
}

static void on_closed(void *arg)
{
	((struct fix *)arg)->closed = true;
}

static void open_cluster(struct fix *f)
{
	struct cluster_options opt = { .config = &f->config,
				       .backups_rotate = 6,
				       .data_folder = f->store.folder,
				       .store = f->store.store,
				       .mbox = &f->store.mbox,
				       .loop = &f->store.loop,
				       .offline = true };
	struct err e = { 0 };

	if (cluster_new(&opt, &f->cluster, &e) < 0 ||
	    crdt_new(f->store.store, &f->store.loop, &f->crdt, cluster_consensus_events(f->cluster),
		     &f->consensus, &e) < 0 ||
	    cluster_start(f->cluster, f->consensus, &e) < 0)
		fail_msg("%s", e.msg);
}

static void close_cluster(struct fix *f)
{
	f->closed = false;
	cluster_close(f->cluster, on_drained, on_closed, f);
	while (!f->closed)
		uv_run(&f->store.loop, UV_RUN_ONCE);
}

static void put_old(struct fix *f, unsigned n)
{
	struct store_txn *t = store_fix_write(&f->store);
	struct pin p;

	pin_init(&p);
	for (unsigned i = 0; i < n; i++) {
		store_fix_pin(&p, i, "old");
		store_fix_set(t, &p, 0);
	}
	pin_deinit(&p);
	assert_int_equal(0, store_commit(t));
}

static int setup(void **state)
{
	static struct fix f;

	f = (struct fix){ 0 };
	f.config.replication_factor_min = f.config.replication_factor_max = -1;
	store_fix_setup(&f.store);
	put_old(&f, OLD_PINS);
	open_cluster(&f);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	close_cluster(f);
	store_fix_teardown(&f->store);
	return 0;
}

struct answer {
	struct cluster_request *rq;
	bool done;
	int status;
	char reason[512];
};

static struct answer answer;

static void on_done(struct cluster_request *rq, int status)
{
	answer.done = true;
	answer.status = status;
	snprintf(answer.reason, sizeof(answer.reason), "%s", rq->error.msg);
	cluster_request_free(rq);
}

static void post(struct fix *f, struct import *im)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_IMPORT, 0);

	assert_non_null(rq);
	rq->import = im;
	rq->who.uid = 42;
	rq->done = on_done;
	answer = (struct answer){ 0 };
	cluster_post(f->cluster, rq);
}

static int commit(struct fix *f, struct import *im)
{
	post(f, im);
	while (!answer.done)
		uv_run(&f->store.loop, UV_RUN_ONCE);
	return answer.status;
}

/* Feeds in pieces of @piece bytes, and commits. */
static int import_pieces(struct fix *f, const char *text, size_t n, size_t piece, bool check,
			 struct err *e)
{
	struct import *im;
	int r = cluster_import_begin(f->cluster, check, &im);

	assert_int_equal(0, r);
	for (size_t at = 0; r == 0 && at < n; at += piece)
		r = import_feed(im, text + at, n - at < piece ? n - at : piece, e);
	if (r == 0)
		r = import_finish(im, e);
	if (r < 0) {
		assert_true(import_failed(im));
		import_free(im);
		return r;
	}
	r = commit(f, im);
	if (r < 0)
		err_set(e, r, "%s", answer.reason);
	return r;
}

static int import_text(struct fix *f, const char *text, struct err *e)
{
	return import_pieces(f, text, strlen(text), 7, false, e);
}

static void export_all(struct fix *f, struct buf *out)
{
	struct store_txn *t = store_fix_read(&f->store);
	struct export *x;
	char piece[4096];
	ssize_t n;

	assert_int_equal(0, export_new(t, &x));
	while ((n = export_read(x, out->len, piece, sizeof(piece))) > 0)
		assert_int_equal(0, buf_append(out, piece, (size_t)n));
	assert_int_equal(0, n);
	export_free(x);
	assert_int_equal(store_info(t)->export_bytes, out->len);
	store_read_end(t);
	assert_int_equal(0, buf_terminate(out));
}

static uint64_t count_pins(struct fix *f)
{
	struct store_txn *t = store_fix_read(&f->store);
	uint64_t n = store_info(t)->pins;

	store_read_end(t);
	return n;
}

static json_t *result(struct fix *f, bool check)
{
	struct buf text = BUF_INIT(0);
	json_t *root;

	assert_int_equal(0, cluster_import_result(f->cluster, check, &text));
	root = json_loadb((const char *)text.data, text.len, 0, NULL);
	assert_non_null(root);
	buf_deinit(&text);
	return root;
}

static void expect_result(struct fix *f, bool check, const char *key, const char *value)
{
	json_t *root = result(f, check);

	assert_string_equal(value, json_string_value(json_object_get(root, key)));
	json_decref(root);
}

static void expect_number(struct fix *f, bool check, const char *key, json_int_t value)
{
	json_t *root = result(f, check);

	assert_int_equal(value, json_integer_value(json_object_get(root, key)));
	json_decref(root);
}

static const struct {
	const char *text, *reason;
} bad[] = {
	{ "", "empty" },
	{ "\n \n", "empty" },
	{ PIN(QM) "{\"cid\":\"" QM, "line 2" },
	{ PIN(QM) PIN(QM) "garbage\n", "line 3, column 1" },
	{ "[" PIN(QM) "]", "line 1, column 1" },
	{ PIN(QM) "{\"cid\":\"nonsense\"}\n", "line 2" },
	{ "{\"cid\":\"" QM "\",\"allocations\":[\"foo\"]}\n", "line 1" },
	{ "{\"cid\":\"" QM "\",\"replication_factor_min\":\"1\"}\n", "line 1" },
	{ PIN(QM) "{\"name\":\"no cid\"}\n", "line 2" },
	{ "{\"import\":{\"method\":\"nonsense\"}}\n" PIN(QM), "unknown word" },
	{ "{\"import\":{\"peerset\":\"keep\"}}\n" PIN(QM), "peerset" },
	{ "{\"import\":{\"method\":\"replace\"}}\n", "empty" },
};

static void bad_dumps_change_nothing_and_say_why(void **state)
{
	struct buf before = BUF_INIT(0), after = BUF_INIT(0);
	struct fix *f = *state;

	export_all(f, &before);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = { 0 };

		assert_int_equal(-EINVAL, import_text(f, bad[i].text, &e));
		if (!strstr(e.msg, bad[i].reason))
			fail_msg("\"%s\" does not say \"%s\"", e.msg, bad[i].reason);
		if (bad[i].text[0]) {
			expect_result(f, false, "state", "failed");
			expect_result(f, false, "error", e.msg);
		}
		buf_reset(&after);
		export_all(f, &after);
		assert_int_equal(before.len, after.len);
		assert_memory_equal(before.data, after.data, before.len);
	}
	assert_int_equal(-ENOENT, cluster_import_file(f->cluster));
	buf_deinit(&before);
	buf_deinit(&after);
}

static void failed_imports_stay_failed(void **state)
{
	struct fix *f = *state;
	struct import *im;
	struct err e = { 0 };

	assert_int_equal(0, cluster_import_begin(f->cluster, false, &im));
	assert_int_equal(-EINVAL, import_feed(im, "x", 1, &e));
	assert_int_equal(-EINVAL, import_feed(im, PIN(QM), sizeof(PIN(QM)) - 1, &e));
	assert_int_equal(-EINVAL, import_finish(im, &e));
	assert_true(import_failed(im));
	import_free(im);
}

#define LINE(min, max, name, mode, depth)                                                          \
	"{\"replication_factor_min\":" min ",\"replication_factor_max\":" max ",\"name\":\"" name  \
	"\",\"mode\":\"" mode "\",\"shard_size\":0,\"user_allocations\":null,\"expire_at\":"       \
	"\"0001-01-01T00:00:00Z\",\"metadata\":null,\"pin_update\":null,\"origins\":[],\"cid\":"   \
	"\"" QM "\",\"type\":\"pin\",\"allocations\":[],\"max_depth\":" depth                      \
	",\"reference\":null,"                                                                     \
	"\"timestamp\":\"0001-01-01T00:00:00Z\"}\n"

static const struct {
	const char *text, *expected;
} good[] = {
	{ "{\"cid\":\"" QM "\"}", LINE("-1", "-1", "", "recursive", "-1") },
	{ "{\n  \"cid\" :\n \"" QM "\"\n}\n", LINE("-1", "-1", "", "recursive", "-1") },
	{ "{\"CID\":\"" QM "\",\"NAME\":\"x\",\"later\":1}",
	  LINE("-1", "-1", "x", "recursive", "-1") },
	{ PIN(QM) "{\"cid\":\"" QM "\",\"name\":\"b\"} {\"cid\":\"" QM "\",\"name\":\"a\"}",
	  LINE("-1", "-1", "a", "recursive", "-1") },
	{ "{\"cid\":{\"/\":\"" QM "\"},\"name\":\"old\"}",
	  LINE("-1", "-1", "old", "recursive", "-1") },
	{ LINE("2", "3", "kept", "direct", "0"), LINE("2", "3", "kept", "direct", "0") },
	{ LINE("0", "3", "filled", "recursive", "-1"),
	  LINE("3", "3", "filled", "recursive", "-1") },
	{ "{\"import\":{\"replication_factor_min\":4,\"replication_factor_max\":5}}\n" LINE(
	      "2", "3", "given", "recursive", "-1"),
	  LINE("4", "5", "given", "recursive", "-1") },
};

static void dumps_in_every_accepted_form_become_the_pinset(void **state)
{
	struct fix *f = *state;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct buf after = BUF_INIT(0);
		struct err e = { 0 };

		if (import_text(f, good[i].text, &e) < 0)
			fail_msg("%s: %s", good[i].text, e.msg);
		export_all(f, &after);
		assert_string_equal(good[i].expected, (const char *)after.data);
		buf_deinit(&after);
	}
}

/* The recorded dump has every kind of pin. */
static void lengths_are_those_of_line_and_document(void **state)
{
	struct buf dump = vectors_file("dumps/small/export.json"), text = BUF_INIT(0);
	struct fix *f = *state;
	struct pinset_iter it;
	struct store_txn *t;
	struct err e = { 0 };
	struct pin_row row;
	unsigned n = 0;
	struct pin p;

	if (import_pieces(f, (const char *)dump.data, dump.len, 1000, false, &e) < 0)
		fail_msg("%s", e.msg);
	t = store_fix_read(&f->store);
	pin_init(&p);
	assert_int_equal(0, pinset_iter_keys(t, NULL, &it));
	for (; pinset_next(&it, &row) == 0; n++) {
		assert_int_equal(0, pinset_decode(&row, &p, &e));
		buf_reset(&text);
		assert_int_equal(0, pin_json_line(&p, &text));
		assert_int_equal(text.len + 1, row.line_len);
		buf_reset(&text);
		assert_int_equal(0, pin_json_document(&p, &text));
		assert_int_equal(text.len, row.document_len);
	}
	assert_true(n > 20);
	pinset_iter_end(&it);
	pin_deinit(&p);
	store_read_end(t);
	buf_deinit(&dump);
	buf_deinit(&text);
}

static void allocations_that_are_no_members_are_kept(void **state)
{
	struct buf after = BUF_INIT(0);
	struct fix *f = *state;
	struct err e = { 0 };

	assert_int_equal(0,
			 import_text(f,
				     "{\"cid\":\"" QM "\",\"replication_factor_min\":1,"
				     "\"replication_factor_max\":1,\"allocations\":[\"" PEER "\"]}",
				     &e));
	export_all(f, &after);
	assert_non_null(strstr((const char *)after.data, "\"allocations\":[\"" PEER "\"]"));
	buf_deinit(&after);
}

static void result_counts_and_the_dump_is_kept(void **state)
{
	static const char text[] = PIN(QM) "{\"cid\":\"" QM "\",\"name\":\"again\",\"what\":1}\n";
	struct fix *f = *state;
	struct backup backup;
	struct err e = { 0 };
	char kept[512];
	int fd;

	expect_result(f, false, "state", "none");
	assert_int_equal(0, import_text(f, text, &e));
	expect_result(f, false, "state", "done");
	expect_result(f, false, "method", "replace");
	expect_number(f, false, "lines", 2);
	expect_number(f, false, "pins", 2);
	expect_number(f, false, "added", 1);
	expect_number(f, false, "removed", OLD_PINS);
	expect_number(f, false, "unknown_keys", 1);
	expect_number(f, false, "defaults_filled", 2);
	expect_number(f, false, "height", 1);
	expect_number(f, false, "uid", 42);
	fd = cluster_import_file(f->cluster);
	assert_true(fd >= 0);
	assert_int_equal(sizeof(text) - 1, read(fd, kept, sizeof(kept)));
	assert_memory_equal(text, kept, sizeof(text) - 1);
	close(fd);
	assert_int_equal(0, backups_next(cluster_backups(f->cluster), 0, &backup));
	assert_false(cluster_importing(f->cluster));
}

static void one_import_at_a_time(void **state)
{
	struct import *im, *other, *check;
	struct fix *f = *state;

	assert_int_equal(0, cluster_import_begin(f->cluster, false, &im));
	assert_int_equal(-EBUSY, cluster_import_begin(f->cluster, false, &other));
	assert_int_equal(0, cluster_import_begin(f->cluster, true, &check));
	import_free(check);
	import_free(im);
	assert_int_equal(0, cluster_import_begin(f->cluster, false, &im));
	import_free(im);
	expect_result(f, false, "state", "none");
}

static void check_reports_and_changes_nothing(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };

	assert_int_equal(0, import_pieces(f, PIN(QM), sizeof(PIN(QM)) - 1, 1000, true, &e));
	expect_result(f, true, "state", "done");
	expect_number(f, true, "added", 1);
	expect_number(f, true, "removed", OLD_PINS);
	assert_int_equal(OLD_PINS, count_pins(f));
	expect_result(f, false, "state", "none");
	assert_int_equal(-EINVAL, import_pieces(f, "x", 1, 1, true, &e));
	expect_result(f, true, "state", "failed");
	assert_int_equal(-ENOENT, cluster_import_file(f->cluster));
}

static const char *const rehearsed[] = {
	"{\"import\":{\"method\":\"merge\"}}\n" PIN(QM),
	PIN(QM) "{\"cid\":\"" QM2 "\"}\n",
	"{\"import\":{\"method\":\"merge\"}}\n{\"cid\":\"" QM "\",\"name\":\"other\"}\n",
	"{\"import\":{\"method\":\"update\"}}\n" PIN(QM),
	PIN(QM),
};

static void expect_same(const json_t *a, const json_t *b, const char *key)
{
	const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);

	if ((x || y) && !json_equal(x, y))
		fail_msg("%s is not the same", key);
}

static void check_reports_what_the_import_then_does(void **state)
{
	static const char *const keys[] = { "method",       "lines",   "pins",
					    "added",        "changed", "removed",
					    "unknown_keys", "head",    "revision_before" };
	struct fix *f = *state;

	for (size_t i = 0; i < sizeof(rehearsed) / sizeof(rehearsed[0]); i++) {
		const char *text = rehearsed[i];
		json_t *check, *done;
		struct err e = { 0 };

		assert_int_equal(0, import_pieces(f, text, strlen(text), 1000, true, &e));
		assert_int_equal(0, import_text(f, text, &e));
		check = result(f, true);
		done = result(f, false);
		if (!json_object_get(check, "head")) /* of operations it is not known before */
			json_object_del(done, "head");
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			expect_same(check, done, keys[k]);
		json_decref(check);
		json_decref(done);
	}
}

static void brake_refuses_imports_that_remove_most(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };

	put_old(f, 300);
	assert_int_equal(-EPERM, import_pieces(f, PIN(QM), sizeof(PIN(QM)) - 1, 1000, true, &e));
	assert_int_equal(-EPERM, import_text(f, PIN(QM), &e));
	assert_non_null(strstr(e.msg, "300"));
	assert_int_equal(300, count_pins(f));
	expect_result(f, false, "state", "failed");
	expect_number(f, false, "removed", 300);
}

static void allow(struct fix *f, uint64_t n)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_ALLOW, 0);

	assert_non_null(rq);
	rq->number = n;
	rq->done = on_done;
	answer = (struct answer){ 0 };
	cluster_post(f->cluster, rq);
	while (!answer.done)
		uv_run(&f->store.loop, UV_RUN_ONCE);
	assert_int_equal(0, answer.status);
}

static void imports_use_up_what_the_brake_allows(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };

	put_old(f, 300);
	allow(f, 310);
	assert_int_equal(0, import_pieces(f, PIN(QM), sizeof(PIN(QM)) - 1, 1000, true, &e));
	assert_int_equal(-EINVAL, import_text(f, "{\"import\":{\"method\":\"replace\"}}\n", &e));
	assert_int_equal(310, cluster_allowance(f->cluster)); /* nothing was removed */
	assert_int_equal(0, import_text(f, PIN(QM), &e));
	assert_int_equal(1, count_pins(f));
	assert_int_equal(10, cluster_allowance(f->cluster));
}

static void merge_adds_and_removes_nothing(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };

	assert_int_equal(0, import_text(f, "{\"import\":{\"method\":\"merge\"}}\n" PIN(QM), &e));
	assert_int_equal(OLD_PINS + 1, count_pins(f));
	expect_result(f, false, "method", "merge");
	expect_number(f, false, "added", 1);
	expect_number(f, false, "removed", 0);
}

/* The old pins need elements to be removed: they come by an import too. */
static void update_makes_operations_of_the_differences(void **state)
{
	struct fix *f = *state;
	struct buf dump = BUF_INIT(0), after = BUF_INIT(0);
	struct err e = { 0 };

	export_all(f, &dump);
	assert_int_equal(0, import_text(f, (const char *)dump.data, &e));
	expect_number(f, false, "changed", 0);
	expect_number(f, false, "height", 1);
	assert_int_equal(0, import_text(f,
					"{\"import\":{\"method\":\"update\"}}\n" LINE(
					    "2", "3", "u", "recursive", "-1"),
					&e));
	expect_result(f, false, "method", "update");
	expect_number(f, false, "added", 1);
	expect_number(f, false, "removed", OLD_PINS);
	expect_number(f, false, "height", 2);
	export_all(f, &after);
	assert_string_equal(LINE("2", "3", "u", "recursive", "-1"), (const char *)after.data);
	buf_deinit(&dump);
	buf_deinit(&after);
}

static void stopping_gives_a_running_import_up(void **state)
{
	struct fix *f = *state;
	struct import *im;

	assert_int_equal(0, cluster_import_begin(f->cluster, false, &im));
	assert_int_equal(0, import_feed(im, PIN(QM), sizeof(PIN(QM)) - 1, NULL));
	assert_int_equal(0, import_finish(im, NULL));
	post(f, im);
	close_cluster(f);
	assert_true(answer.done);
	/* Refused, given up, or done before: never half of it. */
	if (answer.status == 0)
		assert_int_equal(1, count_pins(f));
	else
		assert_int_equal(OLD_PINS, count_pins(f));
	open_cluster(f);
}

static void followers_refuse_imports(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };

	f->config.follower_mode = true;
	assert_int_equal(-EROFS, import_text(f, PIN(QM), &e));
	assert_int_equal(OLD_PINS, count_pins(f));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(bad_dumps_change_nothing_and_say_why),
		TEST(failed_imports_stay_failed),
		TEST(dumps_in_every_accepted_form_become_the_pinset),
		TEST(lengths_are_those_of_line_and_document),
		TEST(allocations_that_are_no_members_are_kept),
		TEST(result_counts_and_the_dump_is_kept),
		TEST(one_import_at_a_time),
		TEST(check_reports_and_changes_nothing),
		TEST(check_reports_what_the_import_then_does),
		TEST(brake_refuses_imports_that_remove_most),
		TEST(imports_use_up_what_the_brake_allows),
		TEST(merge_adds_and_removes_nothing),
		TEST(update_makes_operations_of_the_differences),
		TEST(stopping_gives_a_running_import_up),
		TEST(followers_refuse_imports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
