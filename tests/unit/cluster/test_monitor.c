#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster/monitor.h"
#include "tests/lib/vectors.h"
#include "util/clock.h"

#define NOW (1700000000 * NS_PER_S)
#define SECONDS(n) ((n)*NS_PER_S)

struct fix {
	struct monitor *m;
	struct monitor_alert alerts[8]; /* that the callback got */
	size_t n_alerts;
};

static void on_alert(void *arg, const struct monitor_alert *a)
{
	struct fix *f = arg;

	/* Nothing is held: the monitor can be asked. */
	monitor_is_alive(f->m, &a->peer, a->triggered_ns);
	f->alerts[f->n_alerts++ % 8] = *a;
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(0, monitor_new(on_alert, f, &f->m));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	monitor_free(f->m);
	free(f);
	return 0;
}

static struct peerid peer(unsigned i)
{
	struct peerid id = { .len = 38, .bytes = { 0, 36, 8, 1, 18, 32 } };

	id.bytes[6] = (uint8_t)(i >> 8);
	id.bytes[7] = (uint8_t)i;
	return id;
}

static struct metric metric(const char *name, unsigned from, const char *value, int64_t expire_ns)
{
	return (struct metric){ .name = name,
				.name_len = strlen(name),
				.value = value,
				.value_len = strlen(value),
				.peer = peer(from),
				.expire_ns = expire_ns,
				.valid = true };
}

/* @seconds: how long it is valid. */
static void put(struct fix *f, const char *name, unsigned from, const char *value, int64_t seconds)
{
	struct metric m = metric(name, from, value, NOW + SECONDS(seconds));

	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
}

/* What monitor_each shows, as "peer=value peer=value". */
struct shown {
	char text[512];
	size_t n, stop_after;
};

static bool show(void *arg, const struct metric *m)
{
	struct shown *s = arg;
	size_t len = strlen(s->text);

	snprintf(s->text + len, sizeof(s->text) - len, "%s%u=%.*s", len ? " " : "",
		 (unsigned)(m->peer.bytes[6] << 8 | m->peer.bytes[7]), (int)m->value_len, m->value);
	return ++s->n != s->stop_after;
}

static void assert_valid(struct fix *f, const char *name, int64_t now_ns, const char *expected)
{
	struct shown s = { 0 };

	monitor_each(f->m, name, now_ns, show, &s);
	assert_string_equal(expected, s.text);
}

static bool join_name(void *arg, const char *name)
{
	strcat(strcat(arg, name), " ");
	return true;
}

static void assert_names(struct fix *f, const char *expected)
{
	char text[256] = "";

	monitor_names(f->m, join_name, text);
	assert_string_equal(expected, text);
}

static void shows_the_latest_valid_metric_of_each_peer(void **state)
{
	struct fix *f = *state;

	put(f, "freespace", 2, "20", 30);
	put(f, "freespace", 1, "10", 30);
	put(f, "freespace", 300, "5", 30);
	put(f, "freespace", 1, "11", 30);
	put(f, "ping", 1, "p", 30);
	assert_valid(f, "freespace", NOW, "1=11 2=20 300=5");
	assert_valid(f, "ping", NOW, "1=p");
	assert_valid(f, "reposize", NOW, "");
}

static void a_metric_counts_until_its_time_and_not_after(void **state)
{
	struct fix *f = *state;

	put(f, "ping", 1, "a", 10);
	put(f, "ping", 2, "b", 20);
	assert_valid(f, "ping", NOW + SECONDS(10), "1=a 2=b");
	assert_valid(f, "ping", NOW + SECONDS(10) + 1, "2=b");
	assert_valid(f, "ping", NOW + SECONDS(21), "");
}

static void an_invalid_or_shorter_metric_replaces_a_valid_one(void **state)
{
	struct fix *f = *state;
	struct metric m = metric("freespace", 1, "0", NOW + SECONDS(60));
	struct shown any = { 0 };

	put(f, "freespace", 1, "10", 60);
	m.valid = false;
	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
	assert_valid(f, "freespace", NOW, "");
	monitor_each_any(f->m, "freespace", show, &any);
	assert_string_equal("1=0", any.text);
	put(f, "freespace", 1, "9", 5);
	assert_valid(f, "freespace", NOW, "1=9");
	assert_valid(f, "freespace", NOW + SECONDS(6), "");
}

static void keeps_copies_with_the_time_they_came(void **state)
{
	struct fix *f = *state;
	char name[] = "tag:group", value[] = "eu";
	struct metric m = metric(name, 1, value, NOW + 1);

	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
	memset(name, 'x', sizeof(name) - 1);
	memset(value, 'x', sizeof(value) - 1);
	assert_valid(f, "tag:group", NOW, "1=eu");
	assert_names(f, "tag:group ");
}

static bool check_received(void *arg, const struct metric *m)
{
	*(bool *)arg = true;
	assert_int_equal(NOW + 7, m->received_ns);
	assert_int_equal(-5, m->weight);
	assert_true(m->partitionable);
	return true;
}

static void stamps_with_the_time_of_receiving(void **state)
{
	struct fix *f = *state;
	struct metric m = metric("pinqueue", 1, "5", NOW + SECONDS(1));
	bool seen = false;

	m.weight = -5;
	m.partitionable = true;
	m.received_ns = 1;
	assert_int_equal(0, monitor_put(f->m, &m, NOW + 7, NULL));
	monitor_each(f->m, "pinqueue", NOW + 7, check_received, &seen);
	assert_true(seen);
}

static void stops_when_the_reader_has_enough(void **state)
{
	struct fix *f = *state;
	struct shown s = { .stop_after = 2 }, any = { .stop_after = 1 };

	for (unsigned i = 1; i <= 4; i++)
		put(f, "ping", i, "x", 30);
	monitor_each(f->m, "ping", NOW, show, &s);
	assert_string_equal("1=x 2=x", s.text);
	monitor_each_any(f->m, "ping", show, &any);
	assert_string_equal("1=x", any.text);
}

static void names_are_in_the_order_of_their_bytes(void **state)
{
	struct fix *f = *state;

	put(f, "tag:b", 1, "", 30);
	put(f, "tag", 1, "", 30);
	put(f, "freespace", 1, "", 30);
	put(f, "tag:a", 1, "", 30);
	assert_names(f, "freespace tag tag:a tag:b ");
}

static void says_whether_the_peer_was_alive(void **state)
{
	struct fix *f = *state;
	struct metric ping = metric("ping", 1, "", NOW + SECONDS(30));
	struct metric tag = metric("tag:x", 1, "", NOW + SECONDS(300));
	bool was;

	assert_int_equal(0, monitor_put(f->m, &tag, NOW, &was));
	assert_false(was);
	assert_int_equal(0, monitor_put(f->m, &ping, NOW, &was));
	assert_false(was);
	assert_true(monitor_is_alive(f->m, &ping.peer, NOW));
	assert_int_equal(0, monitor_put(f->m, &tag, NOW, &was));
	assert_true(was);
	assert_int_equal(0, monitor_put(f->m, &ping, NOW + SECONDS(31), &was));
	assert_false(was);
	assert_false(monitor_is_alive(f->m, &ping.peer, NOW + SECONDS(31)));
}

static void a_peer_that_was_seen_is_alive_for_a_while(void **state)
{
	struct fix *f = *state;
	struct peerid id = peer(1);

	monitor_saw(f->m, &id, NOW, NOW + SECONDS(30));
	assert_valid(f, "ping", NOW, "1=");
	assert_true(monitor_is_alive(f->m, &id, NOW + SECONDS(30)));
	assert_false(monitor_is_alive(f->m, &id, NOW + SECONDS(30) + 1));
}

static void seeing_a_peer_keeps_what_its_ping_said(void **state)
{
	struct fix *f = *state;
	struct peerid id = peer(1);

	put(f, "ping", 1, "name", 10);
	monitor_saw(f->m, &id, NOW, NOW + SECONDS(30));
	assert_valid(f, "ping", NOW + SECONDS(30), "1=name");
	put(f, "ping", 1, "name", 100);
	monitor_saw(f->m, &id, NOW, NOW + SECONDS(30));
	assert_valid(f, "ping", NOW + SECONDS(100), "1=name");
	monitor_saw(f->m, &id, NOW + SECONDS(101), NOW + SECONDS(131));
	assert_valid(f, "ping", NOW + SECONDS(101), "1=");
}

static void a_forgotten_peer_leaves_nothing(void **state)
{
	struct fix *f = *state;
	struct peerid id = peer(1);

	put(f, "ping", 1, "a", 30);
	put(f, "ping", 2, "b", 30);
	put(f, "tag:only-1", 1, "x", 30);
	monitor_forget(f->m, &id);
	assert_valid(f, "ping", NOW, "2=b");
	assert_names(f, "ping ");
}

static void the_version_changes_with_the_metrics(void **state)
{
	struct fix *f = *state;
	struct peerid id = peer(1);
	uint64_t a = monitor_version(f->m), b, c;

	put(f, "ping", 1, "a", 30);
	b = monitor_version(f->m);
	monitor_each_any(f->m, "ping", show, &(struct shown){ 0 });
	assert_int_equal(b, monitor_version(f->m));
	monitor_forget(f->m, &id);
	c = monitor_version(f->m);
	assert_true(a != b && b != c && a != c);
}

static void refuses_what_has_no_peer_or_no_sensible_name(void **state)
{
	struct fix *f = *state;
	struct metric m = metric("ping", 1, "", NOW + 1);
	char long_name[METRIC_NAME_MAX + 2];
	char *long_value = calloc(1, METRIC_VALUE_MAX + 1);

	m.name_len = 0;
	assert_int_equal(-EINVAL, monitor_put(f->m, &m, NOW, NULL));
	m.name = "a\0b";
	m.name_len = 3;
	assert_int_equal(-EINVAL, monitor_put(f->m, &m, NOW, NULL));
	memset(long_name, 'n', sizeof(long_name));
	m.name = long_name;
	m.name_len = METRIC_NAME_MAX + 1;
	assert_int_equal(-EFBIG, monitor_put(f->m, &m, NOW, NULL));
	m.name_len = METRIC_NAME_MAX;
	m.value = long_value;
	m.value_len = METRIC_VALUE_MAX + 1;
	assert_int_equal(-EFBIG, monitor_put(f->m, &m, NOW, NULL));
	m.value_len = METRIC_VALUE_MAX;
	m.peer.len = 0;
	assert_int_equal(-EINVAL, monitor_put(f->m, &m, NOW, NULL));
	assert_names(f, "");
	m.peer = peer(1);
	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
	free(long_value);
}

static void takes_no_more_names_than_it_keeps(void **state)
{
	struct fix *f = *state;
	struct metric m;
	char name[16];

	for (unsigned i = 0; i < MONITOR_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "tag:%u", i);
		put(f, name, 1, "", i == 0 ? 1 : 60);
	}
	m = metric("ping", 1, "", NOW + SECONDS(60));
	assert_int_equal(-ENOSPC, monitor_put(f->m, &m, NOW, NULL));
	put(f, "tag:7", 2, "", 60);
	/* Names of what ran out make room. */
	monitor_check(f->m, NOW + SECONDS(2));
	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
}

static void takes_no_more_metrics_than_it_keeps(void **state)
{
	struct fix *f = *state;
	struct metric m;

	for (unsigned i = 0; i < MONITOR_METRICS_MAX; i++)
		put(f, "ping", i, "", i == 5 ? 1 : 60);
	m = metric("tag:x", 1, "", NOW + SECONDS(60));
	assert_int_equal(-ENOSPC, monitor_put(f->m, &m, NOW, NULL));
	assert_names(f, "ping ");
	put(f, "ping", 9, "", 60);
	monitor_check(f->m, NOW + SECONDS(2));
	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
	assert_int_equal(
	    -ENOSPC,
	    monitor_put(f->m, &(struct metric){ .name = "y", .name_len = 1, .peer = peer(1) }, NOW,
			NULL));
}

static void takes_no_more_bytes_of_values_than_it_keeps(void **state)
{
	const unsigned n = MONITOR_VALUES_MAX / METRIC_VALUE_MAX;
	static char value[METRIC_VALUE_MAX + 1];
	struct fix *f = *state;
	struct metric m;

	memset(value, 'v', METRIC_VALUE_MAX);
	for (unsigned i = 0; i < n; i++)
		put(f, "ping", i, value, i == 5 ? 1 : 60);
	m = metric("ping", n, "v", NOW + SECONDS(60));
	assert_int_equal(-ENOSPC, monitor_put(f->m, &m, NOW, NULL));
	put(f, "ping", 9, value, 60); /* in place of one as large */
	put(f, "ping", 9, "", 60);    /* and of a smaller one */
	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
	put(f, "ping", n, "", 60);
	put(f, "ping", 9, value, 60);
	/* What has run out makes room, and so does who is forgotten. */
	monitor_check(f->m, NOW + SECONDS(2));
	put(f, "ping", 5, value, 60);
	monitor_forget(f->m, &m.peer);
	assert_int_equal(-ENOSPC, monitor_put(f->m, &m, NOW, NULL));
	m = metric("ping", 7, "", NOW);
	monitor_forget(f->m, &m.peer);
	put(f, "ping", 7, value, 60);
}

static void nothing_is_valid_for_ever(void **state)
{
	struct fix *f = *state;
	struct metric m = metric("ping", 1, "", INT64_MAX);
	struct peerid id = peer(1);

	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
	assert_true(monitor_is_alive(f->m, &id, NOW + MONITOR_TTL_MAX_NS));
	assert_false(monitor_is_alive(f->m, &id, NOW + MONITOR_TTL_MAX_NS + 1));
}

static void copy_weight(void *arg, const struct metric *m)
{
	*(int64_t *)arg = m->weight;
}

static void one_is_found_by_name_and_peer(void **state)
{
	struct fix *f = *state;
	struct metric m = metric("a", 2, "", NOW - 1); /* valid or not */
	struct peerid there = peer(2), missing = peer(3);
	int64_t weight = 0;

	m.weight = 7;
	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
	assert_true(monitor_find(f->m, "a", &there, copy_weight, &weight));
	assert_int_equal(7, weight);
	assert_false(monitor_find(f->m, "a", &missing, copy_weight, &weight));
	assert_false(monitor_find(f->m, "b", &there, copy_weight, &weight));
}

/* ---- alerts ---- */

static void what_ran_out_is_alerted_once(void **state)
{
	struct fix *f = *state;
	struct peerid id = peer(1);

	put(f, "ping", 1, "a", 10);
	put(f, "ping", 2, "b", 60);
	monitor_check(f->m, NOW + SECONDS(10));
	assert_int_equal(0, f->n_alerts);
	for (int i = 11; i < 1000; i++)
		monitor_check(f->m, NOW + SECONDS(11));
	assert_int_equal(1, f->n_alerts);
	assert_true(peerid_equal(&id, &f->alerts[0].peer));
	assert_string_equal("ping", f->alerts[0].name);
	assert_int_equal(NOW + SECONDS(10), f->alerts[0].expire_ns);
	assert_int_equal(NOW + SECONDS(11), f->alerts[0].triggered_ns);
}

static void a_valid_metric_arms_the_alert_again(void **state)
{
	struct fix *f = *state;
	struct metric late = metric("ping", 1, "", NOW + SECONDS(11));

	put(f, "ping", 1, "a", 10);
	monitor_check(f->m, NOW + SECONDS(12));
	/* One that has run out already does not. */
	assert_int_equal(0, monitor_put(f->m, &late, NOW + SECONDS(12), NULL));
	monitor_check(f->m, NOW + SECONDS(13));
	assert_int_equal(1, f->n_alerts);
	late.expire_ns = NOW + SECONDS(20);
	assert_int_equal(0, monitor_put(f->m, &late, NOW + SECONDS(14), NULL));
	monitor_check(f->m, NOW + SECONDS(15));
	assert_int_equal(1, f->n_alerts);
	monitor_check(f->m, NOW + SECONDS(21));
	assert_int_equal(2, f->n_alerts);
}

static void an_invalid_metric_is_no_alert(void **state)
{
	struct fix *f = *state;
	struct metric m = metric("freespace", 1, "", NOW + SECONDS(1));

	m.valid = false;
	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
	monitor_check(f->m, NOW + SECONDS(60));
	assert_int_equal(0, f->n_alerts);
}

static void what_came_too_late_is_alerted_whatever_its_time(void **state)
{
	struct fix *f = *state;
	struct metric m = metric("ping", 1, "", INT64_MIN);

	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
	monitor_check(f->m, NOW);
	assert_int_equal(1, f->n_alerts);
}

struct alerts_seen {
	unsigned n, max;
	uint8_t first[3];
};

static bool see_alert(void *arg, const struct monitor_alert *a)
{
	struct alerts_seen *s = arg;

	if (s->n < 3)
		s->first[s->n] = a->peer.bytes[7];
	return ++s->n != s->max;
}

static void alerts_are_shown_newest_first(void **state)
{
	struct fix *f = *state;
	struct alerts_seen s = { 0 }, two = { .max = 2 };

	put(f, "ping", 2, "", 10);
	put(f, "ping", 1, "", 20);
	put(f, "ping", 3, "", 30);
	for (int i = 11; i < 40; i += 10)
		monitor_check(f->m, NOW + SECONDS(i));
	monitor_alerts(f->m, see_alert, &s);
	assert_int_equal(3, s.n);
	assert_memory_equal(((uint8_t[]){ 3, 1, 2 }), s.first, 3);
	monitor_alerts(f->m, see_alert, &two);
	assert_int_equal(2, two.n);
}

static void the_oldest_alerts_go_and_none_is_skipped(void **state)
{
	struct fix *f = *state;
	struct alerts_seen s = { 0 };

	for (unsigned i = 0; i < MONITOR_ALERTS_MAX + 20; i++)
		put(f, "ping", i, "", 1);
	monitor_check(f->m, NOW + SECONDS(2));
	assert_int_equal(MONITOR_ALERTS_MAX, f->n_alerts);
	monitor_check(f->m, NOW + SECONDS(3));
	assert_int_equal(MONITOR_ALERTS_MAX + 20, f->n_alerts);
	monitor_alerts(f->m, see_alert, &s);
	assert_int_equal(MONITOR_ALERTS_MAX, s.n);
	/* The last of all peers is the newest. */
	assert_int_equal((MONITOR_ALERTS_MAX + 19) & 0xff, s.first[0]);
}

/* ---- members ---- */

static void assert_members(struct fix *f, unsigned self, int64_t now_ns, const char *expected)
{
	struct peerid id = peer(self), *v;
	char text[64] = "";
	size_t n;

	assert_int_equal(0, monitor_members(f->m, "ping", &id, now_ns, &v, &n));
	for (size_t i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u ", v[i].bytes[7]);
	assert_string_equal(expected, text);
	free(v);
}

static void members_are_the_living_and_this_peer(void **state)
{
	struct fix *f = *state;

	assert_members(f, 5, NOW, "5 ");
	put(f, "ping", 7, "", 10);
	put(f, "ping", 3, "", 20);
	assert_members(f, 5, NOW, "3 5 7 ");
	assert_members(f, 9, NOW, "3 7 9 ");
	assert_members(f, 1, NOW, "1 3 7 ");
	assert_members(f, 3, NOW, "3 7 ");
	assert_members(f, 5, NOW + SECONDS(11), "3 5 ");
	/* This peer also when its own ping has run out. */
	assert_members(f, 7, NOW + SECONDS(11), "3 7 ");
}

static void members_are_in_the_order_of_the_reference(void **state)
{
	json_t *root = vectors_load("cluster-allocator.json");
	json_t *sorted = vectors_array(root, "sorted_peers");
	struct peerid first, id, *v;
	struct fix *f = *state;
	size_t n;

	for (size_t i = json_array_size(sorted); i-- > 0;) {
		const char *text = json_string_value(json_array_get(sorted, i));

		assert_int_equal(0, peerid_parse(text, strlen(text), &id, NULL));
		monitor_saw(f->m, &id, NOW, NOW + SECONDS(30));
	}
	first = id;
	assert_int_equal(0, monitor_members(f->m, "ping", &first, NOW, &v, &n));
	assert_int_equal(json_array_size(sorted), n);
	for (size_t i = 0; i < n; i++) {
		char text[PEERID_TEXT_MAX];

		peerid_format(&v[i], text);
		assert_string_equal(json_string_value(json_array_get(sorted, i)), text);
	}
	free(v);
	json_decref(root);
}

/* ---- threads ---- */

struct reader {
	struct monitor *m;
	atomic_bool stop, bad;
};

static bool read_metric(void *arg, const struct metric *m)
{
	struct reader *r = arg;

	/* A value is one letter, repeated. */
	for (size_t i = 1; i < m->value_len; i++)
		if (m->value[i] != m->value[0])
			r->bad = true;
	return true;
}

static void *read_all(void *arg)
{
	struct reader *r = arg;
	struct peerid id = peer(1), *v;
	size_t n;

	while (!r->stop) {
		monitor_each(r->m, "ping", NOW, read_metric, r);
		if (monitor_members(r->m, "ping", &id, NOW, &v, &n) == 0)
			free(v);
	}
	return NULL;
}

static void others_can_read_while_metrics_come(void **state)
{
	struct fix *f = *state;
	struct reader r = { .m = f->m };
	pthread_t thread;
	char value[65] = "";

	assert_int_equal(0, pthread_create(&thread, NULL, read_all, &r));
	for (unsigned i = 0; i < 20000; i++) {
		struct peerid gone = peer(i % 7);

		memset(value, 'a' + (int)(i % 26), 1 + i % 64);
		value[1 + i % 64] = '\0';
		put(f, "ping", i % 7, value, 30);
		if (i % 50 == 0)
			monitor_forget(f->m, &gone);
	}
	r.stop = true;
	pthread_join(thread, NULL);
	assert_false(r.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(shows_the_latest_valid_metric_of_each_peer),
		TEST(a_metric_counts_until_its_time_and_not_after),
		TEST(an_invalid_or_shorter_metric_replaces_a_valid_one),
		TEST(keeps_copies_with_the_time_they_came),
		TEST(stamps_with_the_time_of_receiving),
		TEST(stops_when_the_reader_has_enough),
		TEST(names_are_in_the_order_of_their_bytes),
		TEST(says_whether_the_peer_was_alive),
		TEST(a_peer_that_was_seen_is_alive_for_a_while),
		TEST(seeing_a_peer_keeps_what_its_ping_said),
		TEST(a_forgotten_peer_leaves_nothing),
		TEST(the_version_changes_with_the_metrics),
		TEST(refuses_what_has_no_peer_or_no_sensible_name),
		TEST(takes_no_more_names_than_it_keeps),
		TEST(takes_no_more_metrics_than_it_keeps),
		TEST(takes_no_more_bytes_of_values_than_it_keeps),
		TEST(nothing_is_valid_for_ever),
		TEST(one_is_found_by_name_and_peer),
		TEST(what_ran_out_is_alerted_once),
		TEST(a_valid_metric_arms_the_alert_again),
		TEST(an_invalid_metric_is_no_alert),
		TEST(what_came_too_late_is_alerted_whatever_its_time),
		TEST(alerts_are_shown_newest_first),
		TEST(the_oldest_alerts_go_and_none_is_skipped),
		TEST(members_are_the_living_and_this_peer),
		TEST(members_are_in_the_order_of_the_reference),
		TEST(others_can_read_while_metrics_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
