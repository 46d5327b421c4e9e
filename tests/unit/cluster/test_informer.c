#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/informer.h"
#include "util/clock.h"

#define STEP_MS 250

/* All time is the test's: that of the loop's timers, too. */
static int64_t now_ms = 1700000000000;

int clock_gettime(clockid_t id, struct timespec *ret)
{
	ret->tv_sec = now_ms / 1000;
	ret->tv_nsec = now_ms % 1000 * 1000000;
	return 0;
}

struct fix {
	uv_loop_t loop;
	struct cluster_config cfg;
	struct informer_config icfg;
	struct conf_pair tags[2];
	char disk_metric[16];
	struct peerid self;
	struct informer *i;
	int64_t started_ms;
	bool closed;
	/* what the source says */
	bool repo_known;
	uint64_t size, max, queued, pins;
	const char *ping; /* NULL: it fails */
	int publish;      /* what it returns */
	unsigned asked_repo;
	/* what was published: "SECONDS NAME=VALUE " each, names as asked for */
	const char *only;
	char log[1024];
	struct metric last;
	char last_name[METRIC_NAME_MAX + 1];
};

static bool repo(void *arg, uint64_t *ret_size, uint64_t *ret_max)
{
	struct fix *f = arg;

	*ret_size = f->size;
	*ret_max = f->max;
	return f->repo_known;
}

static void ask_repo(void *arg)
{
	((struct fix *)arg)->asked_repo++;
}

static uint64_t queued(void *arg)
{
	return ((struct fix *)arg)->queued;
}

static uint64_t pins(void *arg)
{
	return ((struct fix *)arg)->pins;
}

static int ping(void *arg, struct buf *out)
{
	struct fix *f = arg;

	return f->ping ? buf_str(out, f->ping) : -ENOMEM;
}

static int publish(void *arg, const struct metric *m)
{
	struct fix *f = arg;
	size_t len = strlen(f->log);
	int64_t ms = now_ms - f->started_ms;

	assert_true(peerid_equal(&f->self, &m->peer));
	assert_true(m->valid);
	f->last = *m;
	snprintf(f->last_name, sizeof(f->last_name), "%.*s", (int)m->name_len, m->name);
	if (f->only && strcmp(f->only, f->last_name) != 0)
		return f->publish;
	len += (size_t)snprintf(f->log + len, sizeof(f->log) - len, "%" PRId64, ms / 1000);
	if (ms % 1000)
		len += (size_t)snprintf(f->log + len, sizeof(f->log) - len, ".%" PRId64,
					ms % 1000 / 10);
	snprintf(f->log + len, sizeof(f->log) - len, " %s=%.*s ", f->last_name, (int)m->value_len,
		 m->value);
	return f->publish;
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->cfg.monitor_ping_interval_ms = 15000;
	f->icfg.disk_metric = strcpy(f->disk_metric, "freespace");
	f->self = (struct peerid){ .len = 2, .bytes = { 0, 0 } };
	f->ping = "{}";
	assert_int_equal(0, uv_loop_init(&f->loop));
	*state = f;
	return 0;
}

static void start(struct fix *f)
{
	struct informer_source source = { .repo = repo,
					  .ask_repo = ask_repo,
					  .queued = queued,
					  .pins = pins,
					  .ping = ping,
					  .publish = publish,
					  .arg = f };

	f->started_ms = now_ms;
	uv_update_time(&f->loop);
	assert_int_equal(0,
			 informer_new(&f->loop, &f->cfg, &f->icfg, &f->self, &source, &f->i, NULL));
	informer_start(f->i);
}

static void pass(struct fix *f, int64_t seconds)
{
	for (int64_t ms = 0; ms < seconds * 1000; ms += STEP_MS) {
		now_ms += STEP_MS;
		uv_run(&f->loop, UV_RUN_NOWAIT);
	}
}

static void on_closed(void *arg)
{
	((struct fix *)arg)->closed = true;
}

static void close_it(struct fix *f)
{
	informer_close(f->i, on_closed, f);
	f->i = NULL;
	assert_int_equal(0, uv_run(&f->loop, UV_RUN_DEFAULT));
	assert_true(f->closed);
}

static int teardown(void **state)
{
	struct fix *f = *state;

	if (f->i)
		close_it(f);
	assert_int_equal(0, uv_loop_close(&f->loop));
	free(f);
	return 0;
}

static void use_tags(struct fix *f)
{
	static char group[] = "group", by_default[] = "default", region[] = "region", eu[] = "eu";

	f->tags[0] = (struct conf_pair){ group, by_default };
	f->tags[1] = (struct conf_pair){ region, eu };
	f->icfg.tags = (struct conf_map){ f->tags, 2 };
	f->icfg.tags_ttl_ms = 20000;
}

static void the_ping_comes_every_interval_and_lives_for_two(void **state)
{
	struct fix *f = *state;

	f->ping = "{\"peer_name\":\"a\"}";
	start(f);
	assert_string_equal("0 ping={\"peer_name\":\"a\"} ", f->log);
	assert_int_equal((now_ms + 30000) * NS_PER_MS, f->last.expire_ns);
	assert_int_equal(0, f->last.weight);
	assert_false(f->last.partitionable);
	f->ping = "b";
	pass(f, 46);
	assert_string_equal("0 ping={\"peer_name\":\"a\"} 15 ping=b 30 ping=b 45 ping=b ", f->log);
}

static void the_last_ping_is_told_where_no_other_can_be(void **state)
{
	struct fix *f = *state;

	f->ping = "a";
	start(f);
	f->ping = NULL;
	pass(f, 15);
	assert_string_equal("0 ping=a 15 ping=a ", f->log);
}

static void a_ping_without_any_value_is_told_all_the_same(void **state)
{
	struct fix *f = *state;

	f->ping = NULL;
	start(f);
	assert_string_equal("0 ping= ", f->log);
}

static void each_metric_comes_twice_in_its_life(void **state)
{
	struct fix *f = *state;

	use_tags(f);
	f->only = "tag:region";
	f->icfg.pinqueue_ttl_ms = 40000;
	start(f);
	pass(f, 21);
	assert_string_equal("0 tag:region=eu 10 tag:region=eu 20 tag:region=eu ", f->log);
	f->log[0] = '\0';
	f->only = "pinqueue";
	pass(f, 40);
	assert_string_equal("40 pinqueue=0 60 pinqueue=0 ", f->log);
}

static void tags_form_partitions(void **state)
{
	struct fix *f = *state;

	use_tags(f);
	start(f);
	assert_string_equal("0 ping={} 0 tag:group=default 0 tag:region=eu ", f->log);
	assert_true(f->last.partitionable);
	assert_int_equal(0, f->last.weight);
	assert_int_equal((now_ms + 20000) * NS_PER_MS, f->last.expire_ns);
}

static void free_space_is_value_and_weight(void **state)
{
	struct fix *f = *state;

	f->only = "freespace";
	f->icfg.disk_ttl_ms = 30000;
	f->repo_known = true;
	f->max = 10000000000;
	f->size = 1;
	start(f);
	assert_string_equal("0 freespace=9999999999 ", f->log);
	assert_int_equal(9999999999, f->last.weight);
	assert_false(f->last.partitionable);
	assert_int_equal((now_ms + 30000) * NS_PER_MS, f->last.expire_ns);
}

static void what_is_not_known_or_full_is_not_told(void **state)
{
	struct fix *f = *state;

	f->only = "freespace";
	f->icfg.disk_ttl_ms = 30000;
	f->max = 100;
	start(f);
	f->repo_known = true;
	f->size = 100;
	pass(f, 16);
	assert_string_equal("", f->log);
	f->size = 101;
	pass(f, 15);
	assert_string_equal("", f->log);
	f->size = 99;
	pass(f, 15);
	assert_string_equal("45 freespace=1 ", f->log);
}

static void the_smaller_repository_weighs_more(void **state)
{
	struct fix *f = *state;

	strcpy(f->disk_metric, "reposize");
	f->only = "reposize";
	f->icfg.disk_ttl_ms = 30000;
	f->repo_known = true;
	f->size = 100;
	start(f);
	assert_string_equal("0 reposize=100 ", f->log);
	assert_int_equal(-100, f->last.weight);
}

static void the_shorter_queue_weighs_more(void **state)
{
	const struct {
		uint64_t queued;
		int32_t bucket;
		int64_t weight;
	} cases[] = { { 0, 0, 0 },
		      { 7, 0, -7 },
		      { 7, 3, -2 },
		      { 99999, 100000, 0 },
		      { 250000, 100000, -2 } };
	struct fix *f = *state;
	char expected[64];

	f->only = "pinqueue";
	f->icfg.pinqueue_ttl_ms = 2000;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f->log[0] = '\0';
		f->queued = cases[i].queued;
		f->icfg.pinqueue_bucket_size = cases[i].bucket;
		if (i == 0)
			start(f);
		else
			pass(f, 1);
		snprintf(expected, sizeof(expected), "%zu pinqueue=%" PRIu64 " ", i,
			 cases[i].queued);
		assert_string_equal(expected, f->log);
		assert_string_equal("pinqueue", f->last_name);
		assert_int_equal(cases[i].weight, f->last.weight);
	}
}

static void the_number_of_pins_is_told_where_configured(void **state)
{
	struct fix *f = *state;

	f->only = "numpin";
	f->icfg.numpin_ttl_ms = 10000;
	f->pins = 3;
	start(f);
	f->pins = 4;
	pass(f, 5);
	assert_string_equal("0 numpin=3 5 numpin=4 ", f->log);
	assert_int_equal(0, f->last.weight);
}

static void a_metric_without_life_is_not_told(void **state)
{
	struct fix *f = *state;

	f->icfg.numpin_ttl_ms = 0;
	start(f);
	pass(f, 14);
	assert_string_equal("0 ping={} ", f->log);
}

static void what_failed_comes_again_sooner(void **state)
{
	struct fix *f = *state;

	f->only = "pinqueue";
	f->icfg.pinqueue_ttl_ms = 40000;
	f->publish = -ENOMEM;
	start(f);
	pass(f, 20);
	assert_string_equal("0 pinqueue=0 10 pinqueue=0 20 pinqueue=0 ", f->log);
	f->publish = 0;
	f->log[0] = '\0';
	pass(f, 60);
	assert_string_equal("30 pinqueue=0 50 pinqueue=0 70 pinqueue=0 ", f->log);
}

static void one_failing_tag_does_not_keep_the_others(void **state)
{
	struct fix *f = *state;

	use_tags(f);
	f->publish = -ENOMEM;
	start(f);
	assert_string_equal("0 ping={} 0 tag:group=default 0 tag:region=eu ", f->log);
}

static void publishing_all_begins_the_periods_anew(void **state)
{
	struct fix *f = *state;

	f->only = "ping";
	start(f);
	pass(f, 10);
	informer_publish_all(f->i);
	pass(f, 14);
	assert_string_equal("0 ping={} 10 ping={} ", f->log);
	pass(f, 1);
	assert_string_equal("0 ping={} 10 ping={} 25 ping={} ", f->log);
}

static void free_space_that_became_known_is_told_at_once(void **state)
{
	struct fix *f = *state;

	f->only = "freespace";
	f->icfg.disk_ttl_ms = 30000;
	f->max = 100;
	start(f);
	pass(f, 5);
	f->repo_known = true;
	informer_publish_disk(f->i);
	assert_string_equal("5 freespace=100 ", f->log);
	assert_string_equal("freespace", f->last_name);
	pass(f, 15);
	assert_string_equal("5 freespace=100 20 freespace=100 ", f->log);
}

static void every_so_many_pins_all_but_the_ping_is_told(void **state)
{
	struct fix *f = *state;

	f->icfg.pinqueue_ttl_ms = 40000;
	f->icfg.disk_ttl_ms = 30000;
	f->repo_known = true;
	f->max = 100;
	start(f);
	f->log[0] = '\0';
	informer_trigger(f->i, 3);
	informer_trigger(f->i, 3);
	assert_string_equal("", f->log);
	informer_trigger(f->i, 3);
	assert_string_equal("0 pinqueue=0 ", f->log);
	assert_int_equal(1, f->asked_repo); /* free space is told when Kubo has answered */
	informer_trigger(f->i, 3);
	informer_trigger(f->i, 3);
	assert_string_equal("0 pinqueue=0 ", f->log);
	informer_trigger(f->i, 3);
	assert_string_equal("0 pinqueue=0 0 pinqueue=0 ", f->log);
	for (int i = 0; i < 10; i++)
		informer_trigger(f->i, 0);
	assert_string_equal("0 pinqueue=0 0 pinqueue=0 ", f->log);
}

static void times_beyond_what_a_clock_can_tell_are_cut(void **state)
{
	struct fix *f = *state;

	f->cfg.monitor_ping_interval_ms = INT64_MAX;
	start(f);
	assert_int_equal(INT64_MAX, f->last.expire_ns);
}

static void after_closing_nothing_is_told(void **state)
{
	struct fix *f = *state;

	start(f);
	f->log[0] = '\0';
	informer_close(f->i, on_closed, f);
	informer_publish_all(f->i);
	informer_trigger(f->i, 1);
	informer_publish_disk(f->i);
	f->i = NULL;
	pass(f, 60);
	assert_true(f->closed);
	assert_string_equal("", f->log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(the_ping_comes_every_interval_and_lives_for_two),
		TEST(the_last_ping_is_told_where_no_other_can_be),
		TEST(a_ping_without_any_value_is_told_all_the_same),
		TEST(each_metric_comes_twice_in_its_life),
		TEST(tags_form_partitions),
		TEST(free_space_is_value_and_weight),
		TEST(what_is_not_known_or_full_is_not_told),
		TEST(the_smaller_repository_weighs_more),
		TEST(the_shorter_queue_weighs_more),
		TEST(the_number_of_pins_is_told_where_configured),
		TEST(a_metric_without_life_is_not_told),
		TEST(what_failed_comes_again_sooner),
		TEST(one_failing_tag_does_not_keep_the_others),
		TEST(publishing_all_begins_the_periods_anew),
		TEST(free_space_that_became_known_is_told_at_once),
		TEST(every_so_many_pins_all_but_the_ping_is_told),
		TEST(times_beyond_what_a_clock_can_tell_are_cut),
		TEST(after_closing_nothing_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
