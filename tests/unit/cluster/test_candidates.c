#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/candidates.h"
#include "util/clock.h"

#define NOW (1700000000 * NS_PER_S)
#define SECONDS(n) ((n)*NS_PER_S)

struct fix {
	struct monitor *m;
	struct allocator_config config;
	char *names[2];
	struct candidates_options opt;
	struct candidates *c;
	struct candidates_view *v;
	unsigned trusted; /* a bit for each peer */
};

static bool is_trusted(void *arg, const struct peerid *peer)
{
	return ((struct fix *)arg)->trusted & 1u << peer->bytes[1];
}

static int setup(void **state)
{
	static char group[] = "tag:group", space[] = "freespace";
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(0, monitor_new(NULL, NULL, &f->m));
	f->names[0] = group;
	f->names[1] = space;
	f->config.allocate_by = (struct names){ f->names, 2 };
	f->opt = (struct candidates_options){ .self = { .len = 2, .bytes = { 0, 1 } },
					      .monitor = f->m,
					      .alive = "ping",
					      .config = &f->config,
					      .is_trusted = is_trusted,
					      .arg = f };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	candidates_view_put(f->v);
	candidates_free(f->c);
	monitor_free(f->m);
	free(f);
	return 0;
}

static void take_at(struct fix *f, int64_t now_ns)
{
	if (!f->c)
		assert_int_equal(0, candidates_new(&f->opt, &f->c));
	candidates_view_put(f->v);
	assert_int_equal(0, candidates_view(f->c, now_ns, &f->v));
}

static void put_until(struct fix *f, const char *name, unsigned from, const char *value,
		      int64_t expire_ns)
{
	struct metric m = { .name = name,
			    .name_len = strlen(name),
			    .value = value,
			    .value_len = strlen(value),
			    .peer = { .len = 2, .bytes = { 0, (uint8_t)from } },
			    .weight = (int64_t)from * 10,
			    .expire_ns = expire_ns,
			    .valid = true };

	assert_int_equal(0, monitor_put(f->m, &m, NOW, NULL));
}

static void put(struct fix *f, const char *name, unsigned from, const char *value)
{
	put_until(f, name, from, value, NOW + SECONDS(30));
}

/* Everything that makes a candidate. */
static void put_all(struct fix *f, unsigned from)
{
	put(f, "ping", from, "");
	put(f, "tag:group", from, "g");
	put(f, "freespace", from, "1");
}

static void assert_members(struct fix *f, const char *expected)
{
	char text[64] = "";

	for (size_t i = 0; i < f->v->n_members; i++)
		text[i] = (char)('0' + f->v->members[i].bytes[1]);
	assert_string_equal(expected, text);
}

static void assert_peers(struct fix *f, const char *expected)
{
	char text[64] = "";

	for (size_t i = 0; i < f->v->n_peers; i++)
		text[i] = (char)('0' + f->v->peers[i].peer.bytes[1]);
	assert_string_equal(expected, text);
}

static void without_a_network_this_peer_is_all_there_is(void **state)
{
	struct fix *f = *state;

	f->opt.monitor = NULL;
	f->opt.config = NULL;
	take_at(f, NOW);
	assert_peers(f, "1");
	assert_members(f, "1");
	assert_int_equal(0, f->v->n_metrics);
}

static void a_peer_that_knows_no_other_needs_no_metrics(void **state)
{
	struct fix *f = *state;

	f->opt.untrusted_only = true;
	f->trusted = ~0u;
	take_at(f, NOW);
	assert_peers(f, "1");
	put(f, "ping", 1, "");
	take_at(f, NOW);
	assert_peers(f, "1");
	assert_members(f, "1");
}

static void candidates_have_every_metric_they_are_chosen_by(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 1; i <= 6; i++)
		put(f, "ping", i, "");
	put(f, "freespace", 1, "1");
	put(f, "tag:group", 2, "g");
	put_all(f, 3);
	put_all(f, 5);
	put(f, "pinqueue", 6, "1");
	take_at(f, NOW);
	assert_peers(f, "35");
	assert_members(f, "123456");
	assert_int_equal(2, f->v->n_metrics);
}

static void metrics_are_in_the_order_of_the_configuration(void **state)
{
	struct fix *f = *state;
	const struct metric *m;

	put_all(f, 2);
	put(f, "tag:group", 2, "eu");
	put(f, "freespace", 2, "20");
	take_at(f, NOW);
	assert_peers(f, "2");
	m = f->v->peers[0].metrics;
	assert_int_equal(2, m[0].value_len);
	assert_memory_equal("eu", m[0].value, 2);
	assert_memory_equal("20", m[1].value, 2);
	assert_int_equal(20, m[1].weight);
}

static void this_peer_is_a_candidate_like_any_other_among_others(void **state)
{
	struct fix *f = *state;

	put_all(f, 2);
	take_at(f, NOW);
	assert_peers(f, "2");
	assert_members(f, "12");
	put_all(f, 1);
	take_at(f, NOW);
	assert_peers(f, "12");
}

static void a_peer_whose_others_fell_silent_is_not_alone(void **state)
{
	struct fix *f = *state;

	put_until(f, "ping", 2, "", NOW + SECONDS(5));
	take_at(f, NOW + SECONDS(6));
	assert_peers(f, "");
	assert_members(f, "1");
}

static void metrics_without_ping_make_a_candidate_but_no_member(void **state)
{
	struct fix *f = *state;

	put_all(f, 2);
	put(f, "tag:group", 3, "g");
	put(f, "freespace", 3, "1");
	take_at(f, NOW);
	assert_peers(f, "23");
	assert_members(f, "12");
}

static void what_has_run_out_does_not_count(void **state)
{
	struct fix *f = *state;

	put_all(f, 2);
	put_all(f, 3);
	put_until(f, "freespace", 2, "1", NOW + SECONDS(5));
	take_at(f, NOW + SECONDS(5));
	assert_peers(f, "23");
	take_at(f, NOW + SECONDS(7));
	assert_peers(f, "3");
}

static void trust_decides_where_it_is_configured_to(void **state)
{
	static const struct {
		bool trusted_only, untrusted_only;
		const char *peers;
	} cases[] = { { false, false, "1234" }, { true, false, "13" }, { false, true, "24" } };

	for (size_t i = 0; i < 3; i++) {
		struct fix *f;

		assert_int_equal(0, setup((void **)&f));
		for (unsigned k = 1; k <= 4; k++)
			put_all(f, k);
		f->trusted = 1u << 1 | 1u << 3;
		f->opt.trusted_only = cases[i].trusted_only;
		f->opt.untrusted_only = cases[i].untrusted_only;
		take_at(f, NOW);
		assert_peers(f, cases[i].peers);
		assert_members(f, "1234");
		teardown((void **)&f);
	}
}

static void where_nobody_judges_all_are_trusted(void **state)
{
	struct fix *f = *state;

	f->opt.is_trusted = NULL;
	f->opt.trusted_only = true;
	put_all(f, 2);
	take_at(f, NOW);
	assert_peers(f, "2");
}

static void the_name_of_the_peerset_metric_counts(void **state)
{
	struct fix *f = *state;

	f->opt.alive = "freespace";
	put(f, "ping", 2, "");
	put(f, "freespace", 3, "1");
	take_at(f, NOW);
	assert_members(f, "13");
}

static void the_picture_is_the_same_until_something_changes(void **state)
{
	struct fix *f = *state;
	struct candidates_view *first, *again;

	put_all(f, 2);
	assert_int_equal(0, candidates_new(&f->opt, &f->c));
	assert_int_equal(0, candidates_view(f->c, NOW, &first));
	assert_int_equal(0, candidates_view(f->c, NOW + CANDIDATES_AGE_NS - 1, &again));
	assert_ptr_equal(first, again);
	candidates_view_put(again);
	put_all(f, 3);
	take_at(f, NOW);
	assert_ptr_not_equal(first, f->v);
	assert_peers(f, "23");
	/* Who holds the old one still sees it. */
	assert_int_equal(1, first->n_peers);
	assert_memory_equal("g", first->peers[0].metrics[0].value, 1);
	candidates_view_put(first);
}

static void the_picture_is_taken_anew_when_it_is_old_or_the_clock_was_set(void **state)
{
	struct fix *f = *state;
	struct candidates_view *first, *again;

	put_all(f, 2);
	take_at(f, NOW);
	assert_int_equal(0, candidates_view(f->c, NOW, &first));
	assert_int_equal(0, candidates_view(f->c, NOW + CANDIDATES_AGE_NS, &again));
	assert_ptr_not_equal(first, again);
	candidates_view_put(first);
	assert_int_equal(0, candidates_view(f->c, NOW, &first));
	assert_ptr_not_equal(first, again);
	candidates_view_put(first);
	candidates_view_put(again);
}

static void *read_it(void *arg)
{
	struct candidates_view *v = arg;
	size_t sum = 0;

	for (size_t i = 0; i < v->n_peers; i++)
		sum += (size_t)v->peers[i].metrics[0].value[0];
	candidates_view_put(v);
	return sum > 0 ? arg : NULL;
}

static void a_picture_outlives_its_maker_in_another_thread(void **state)
{
	struct fix *f = *state;
	struct candidates_view *v;
	pthread_t thread;
	void *seen;

	put_all(f, 2);
	assert_int_equal(0, candidates_new(&f->opt, &f->c));
	assert_int_equal(0, candidates_view(f->c, NOW, &v));
	assert_int_equal(0, pthread_create(&thread, NULL, read_it, v));
	candidates_free(f->c);
	f->c = NULL;
	pthread_join(thread, &seen);
	assert_non_null(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(without_a_network_this_peer_is_all_there_is),
		TEST(a_peer_that_knows_no_other_needs_no_metrics),
		TEST(candidates_have_every_metric_they_are_chosen_by),
		TEST(metrics_are_in_the_order_of_the_configuration),
		TEST(this_peer_is_a_candidate_like_any_other_among_others),
		TEST(a_peer_whose_others_fell_silent_is_not_alone),
		TEST(metrics_without_ping_make_a_candidate_but_no_member),
		TEST(what_has_run_out_does_not_count),
		TEST(trust_decides_where_it_is_configured_to),
		TEST(where_nobody_judges_all_are_trusted),
		TEST(the_name_of_the_peerset_metric_counts),
		TEST(the_picture_is_the_same_until_something_changes),
		TEST(the_picture_is_taken_anew_when_it_is_old_or_the_clock_was_set),
		TEST(a_picture_outlives_its_maker_in_another_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
