#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster/alloc.h"
#include "tests/lib/vectors.h"
#include "types/hash.h"

#define PEERS_MAX 64

/* Peers and their metrics, and what was picked of them. */
struct fix {
	struct alloc_request rq;
	struct alloc_peer peers[PEERS_MAX];
	struct metric metrics[PEERS_MAX][ALLOC_METRICS_MAX];
	struct peerid current[8], priority[8];
	struct peerid *picked;
	size_t n;
	bool kept;
	struct err e;
};

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(0, hash_init());
	f->rq.peers = f->peers;
	f->rq.current = f->current;
	f->rq.priority = f->priority;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	free(f->picked);
	free(f);
	return 0;
}

static int pick(struct fix *f, int32_t min, int32_t max)
{
	f->rq.min = min;
	f->rq.max = max;
	free(f->picked);
	f->picked = NULL;
	return alloc_pick(&f->rq, &f->picked, &f->n, &f->kept, &f->e);
}

/* ---- recorded orders ---- */

static struct peerid parse(const char *text)
{
	struct peerid id;

	assert_non_null(text);
	assert_int_equal(0, peerid_parse(text, strlen(text), &id, NULL));
	return id;
}

static void add_recorded(struct fix *f, json_t *entry, json_t *by)
{
	size_t at = f->rq.n_peers++;
	json_t *name;
	size_t i;

	assert_true(at < PEERS_MAX);
	f->peers[at] = (struct alloc_peer){ .peer = parse(vectors_str(entry, "peer")),
					    .metrics = f->metrics[at] };
	json_array_foreach (by, i, name) {
		json_t *values =
		    json_object_get(json_object_get(entry, "metrics"), json_string_value(name));
		const char *value = json_string_value(json_array_get(values, 0));

		assert_non_null(value);
		f->metrics[at][i] = (struct metric){
			.value = value,
			.value_len = strlen(value),
			.weight = json_integer_value(json_array_get(values, 1)),
			.partitionable = json_is_true(json_array_get(values, 2)),
		};
	}
	f->rq.n_metrics = i;
}

static void load_recorded(struct fix *f, json_t *c)
{
	json_t *by = vectors_array(c, "allocate_by"), *entry;
	size_t i;

	f->rq.n_peers = f->rq.n_priority = 0;
	json_array_foreach (vectors_array(c, "candidates"), i, entry)
		add_recorded(f, entry, by);
	json_array_foreach (json_object_get(c, "priority"), i, entry) {
		f->priority[f->rq.n_priority++] = parse(vectors_str(entry, "peer"));
		add_recorded(f, entry, by);
	}
}

static void assert_order(struct fix *f, json_t *c)
{
	json_t *order = vectors_array(c, "order");

	for (int32_t max = 1; (size_t)max <= json_array_size(order); max++) {
		assert_int_equal(0, pick(f, 1, max));
		assert_int_equal(max, f->n);
		for (size_t i = 0; i < f->n; i++) {
			char text[PEERID_TEXT_MAX];

			peerid_format(&f->picked[i], text);
			if (strcmp(text, json_string_value(json_array_get(order, i))) != 0)
				fail_msg("%s: place %zu of %d: %s", vectors_str(c, "name"), i, max,
					 text);
		}
	}
}

static void reverse(struct fix *f)
{
	for (size_t i = 0, k = f->rq.n_peers - 1; i < k; i++, k--) {
		struct alloc_peer p = f->peers[i];

		f->peers[i] = f->peers[k];
		f->peers[k] = p;
	}
}

static void picks_in_the_order_of_the_reference(void **state)
{
	json_t *root = vectors_load("cluster-allocator.json"), *c;
	struct fix *f = *state;
	size_t i;

	json_array_foreach (vectors_array(root, "allocator"), i, c) {
		load_recorded(f, c);
		assert_order(f, c);
		reverse(f); /* the order in which they are given says nothing */
		assert_order(f, c);
	}
	json_decref(root);
}

/* ---- peers of our own ---- */

static struct peerid peer(unsigned i)
{
	return (struct peerid){ .len = 2, .bytes = { 0, (uint8_t)i } };
}

/* A peer with space @space, in group @group unless that is NULL. */
static void add(struct fix *f, unsigned i, const char *group, int64_t space)
{
	size_t at = f->rq.n_peers++, k = 0;

	assert_true(at < PEERS_MAX);
	f->peers[at] = (struct alloc_peer){ .peer = peer(i), .metrics = f->metrics[at] };
	if (group)
		f->metrics[at][k++] = (struct metric){ .value = group,
						       .value_len = strlen(group),
						       .partitionable = true };
	f->metrics[at][k++] = (struct metric){ .weight = space };
	f->rq.n_metrics = k;
}

static void add_current(struct fix *f, unsigned i)
{
	f->current[f->rq.n_current++] = peer(i);
}

static void add_priority(struct fix *f, unsigned i)
{
	f->priority[f->rq.n_priority++] = peer(i);
}

static void assert_picked(struct fix *f, const char *expected)
{
	char text[256] = "";

	for (size_t i = 0; i < f->n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i ? " " : "",
			 f->picked[i].bytes[1]);
	assert_string_equal(expected, text);
}

static void nothing_is_picked_where_everybody_pins(void **state)
{
	struct fix *f = *state;

	add(f, 1, NULL, 1);
	add_current(f, 1);
	assert_int_equal(0, pick(f, -1, -1));
	assert_null(f->picked);
	assert_int_equal(0, f->n);
	assert_false(f->kept);
}

static void as_many_as_wanted_are_picked_where_there_are(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 1; i <= 4; i++)
		add(f, i, NULL, i);
	assert_int_equal(0, pick(f, 2, 3));
	assert_picked(f, "4 3 2");
	assert_int_equal(0, pick(f, 2, 9));
	assert_picked(f, "4 3 2 1");
	assert_int_equal(0, pick(f, 4, 4));
	assert_picked(f, "4 3 2 1");
}

static void too_few_are_refused_in_the_words_of_the_reference(void **state)
{
	struct fix *f = *state;

	add(f, 1, NULL, 1);
	assert_int_equal(-ENOSPC, pick(f, 3, 3));
	assert_string_equal("not enough peers to allocate CID. Needed at least: 3. Wanted at most: "
			    "3. Available candidates: 1. See logs for more info.",
			    f->e.msg);
	assert_null(f->picked);
	/* What is needed besides those that are left. */
	add(f, 2, NULL, 1);
	add_current(f, 2);
	assert_int_equal(-ENOSPC, pick(f, 3, 5));
	assert_string_equal("not enough peers to allocate CID. Needed at least: 2. Wanted at most: "
			    "4. Available candidates: 1. See logs for more info.",
			    f->e.msg);
	f->rq.n_peers = 0;
	assert_int_equal(-ENOSPC, pick(f, 1, 1));
}

static void enough_existing_ones_are_left_as_they_are(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 1; i <= 5; i++)
		add(f, i, NULL, 10 * i);
	add_current(f, 9); /* gone */
	add_current(f, 3);
	add_current(f, 1);
	assert_int_equal(0, pick(f, 2, 4));
	assert_true(f->kept);
	assert_picked(f, "9 3 1");
	assert_int_equal(0, pick(f, 1, 2));
	assert_picked(f, "9 3 1");
}

static void what_is_gone_is_replaced_where_too_few_are_left(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 1; i <= 5; i++)
		add(f, i, NULL, 10 * i);
	add_current(f, 9);
	add_current(f, 1);
	assert_int_equal(0, pick(f, 2, 3));
	assert_false(f->kept);
	assert_picked(f, "1 5 4");
}

static void more_existing_ones_than_allowed_are_cut(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 1; i <= 5; i++)
		add(f, i, NULL, 10 * i);
	for (unsigned i = 1; i <= 4; i++)
		add_current(f, 5 - i);
	assert_int_equal(0, pick(f, 1, 2));
	assert_false(f->kept);
	assert_picked(f, "4 3");
}

static void one_that_is_named_twice_counts_once(void **state)
{
	struct fix *f = *state;

	add(f, 1, NULL, 1);
	add(f, 2, NULL, 2);
	add_current(f, 1);
	add_current(f, 1);
	assert_int_equal(0, pick(f, 2, 2));
	assert_picked(f, "1 2");
}

static void those_asked_for_go_first_whatever_their_order(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 1; i <= 5; i++)
		add(f, i, NULL, 10 * i);
	add_priority(f, 1);
	add_priority(f, 2);
	add_priority(f, 7); /* unknown */
	add_priority(f, 5); /* has it already */
	add_current(f, 5);
	assert_int_equal(0, pick(f, 4, 4));
	assert_picked(f, "5 2 1 4");
}

static void copies_are_spread_over_groups(void **state)
{
	struct fix *f = *state;

	add(f, 1, "a", 100);
	add(f, 2, "a", 90);
	add(f, 3, "b", 5);
	add(f, 4, "b", 6);
	add(f, 5, "c", 1);
	assert_int_equal(0, pick(f, 5, 5));
	assert_picked(f, "1 4 5 2 3");
}

static void equal_places_go_by_the_id(void **state)
{
	struct fix *f = *state;

	add(f, 3, NULL, 5);
	add(f, 1, NULL, 5);
	add(f, 2, NULL, 5);
	assert_int_equal(0, pick(f, 3, 3));
	assert_picked(f, "1 2 3");
	/* Also within a group that is the last level. */
	for (size_t i = 0; i < 3; i++)
		f->metrics[i][0].partitionable = true;
	assert_int_equal(0, pick(f, 3, 3));
	assert_picked(f, "1 2 3");
}

static void peers_that_disagree_on_partitions_are_all_picked(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 1; i <= 6; i++)
		add(f, i, "same", 1);
	f->metrics[1][0].partitionable = false;
	f->metrics[4][0].partitionable = false;
	assert_int_equal(0, pick(f, 6, 6));
	/* {1 3 4 6}, {2}, {5}: the group weighs more, then the IDs. */
	assert_picked(f, "1 2 5 3 4 6");
}

static void weights_at_the_ends_of_their_range_are_no_harm(void **state)
{
	struct fix *f = *state;

	add(f, 1, "a", INT64_MAX);
	add(f, 2, "a", INT64_MAX);
	add(f, 3, "b", INT64_MIN);
	add(f, 4, "b", INT64_MIN);
	add(f, 5, "c", 0);
	/* The sums are -2, 0 and 0. */
	assert_int_equal(0, pick(f, 5, 5));
	assert_picked(f, "3 5 1 4 2");
}

static void without_metrics_to_go_by_all_can_be_picked(void **state)
{
	struct fix *f = *state;

	f->peers[0].peer = peer(7);
	f->rq.n_peers = 1;
	assert_int_equal(0, pick(f, 1, 1));
	assert_picked(f, "7");
}

/* Whatever the tree is like: every peer once, each prefix of the order is what fewer get, and the
 * order does not depend on how they are given. */
static void every_tree_gives_each_peer_once(void **state)
{
	struct fix *f = *state;
	struct peerid first[PEERS_MAX];

	for (unsigned seed = 1; seed <= 300; seed++) {
		unsigned n = 1 + seed % 40, levels = 1 + seed % 3;
		bool seen[PEERS_MAX] = { 0 };

		srand(seed);
		f->rq.n_peers = n;
		f->rq.n_metrics = levels;
		for (unsigned i = 0; i < n; i++) {
			f->peers[i] = (struct alloc_peer){ peer(i), f->metrics[i] };
			for (unsigned k = 0; k < levels; k++)
				f->metrics[i][k] = (struct metric){ .value = &"abc"[rand() % 3],
								    .value_len = 1,
								    .weight = rand() % 3,
								    .partitionable = rand() % 2 };
		}
		assert_int_equal(0, pick(f, (int32_t)n, (int32_t)n));
		assert_int_equal(n, f->n);
		for (unsigned i = 0; i < n; i++) {
			assert_false(seen[f->picked[i].bytes[1]]);
			seen[f->picked[i].bytes[1]] = true;
			first[i] = f->picked[i];
		}
		reverse(f);
		assert_int_equal(0, pick(f, 1, (int32_t)(n + 1) / 2));
		assert_memory_equal(first, f->picked, f->n * sizeof(first[0]));
	}
}

/* ---- closest ---- */

/* Distances are hex texts of one length. */
static void assert_closer(const struct cid *cid, json_t *distances)
{
	const char *name, *other;
	json_t *d, *e;

	json_object_foreach (distances, name, d) {
		json_object_foreach (distances, other, e) {
			struct peerid self = parse(name), id = parse(other);
			int r = strcmp(json_string_value(d), json_string_value(e));

			assert_int_equal(r <= 0, alloc_is_closest(cid, &self, &id, 1));
		}
	}
}

static void the_closest_peer_is_that_of_the_reference(void **state)
{
	json_t *root = vectors_load("cluster-allocator.json"), *c, *d;
	size_t i;

	json_array_foreach (vectors_array(root, "closest"), i, c) {
		const char *text = vectors_str(c, "cid"), *closest = vectors_str(c, "closest");
		json_t *distances = json_object_get(c, "distances");
		struct peerid all[PEERS_MAX];
		const char *name;
		struct cid cid;
		size_t n = 0;

		assert_int_equal(0, cid_parse(text, strlen(text), &cid, NULL));
		json_object_foreach (distances, name, d)
			all[n++] = parse(name);
		assert_true(n > 1);
		for (size_t k = 0; k < n; k++) {
			struct peerid id = parse(closest);

			assert_int_equal(peerid_equal(&id, &all[k]),
					 alloc_is_closest(&cid, &all[k], all, n));
		}
		assert_closer(&cid, distances);
	}
	json_decref(root);
}

static void a_peer_alone_is_the_closest(void **state)
{
	struct peerid self = peer(1);
	struct cid cid;

	assert_int_equal(0, cid_parse("bafkqaaa", 8, &cid, NULL));
	assert_true(alloc_is_closest(&cid, &self, NULL, 0));
	assert_true(alloc_is_closest(&cid, &self, &self, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(picks_in_the_order_of_the_reference),
		TEST(nothing_is_picked_where_everybody_pins),
		TEST(as_many_as_wanted_are_picked_where_there_are),
		TEST(too_few_are_refused_in_the_words_of_the_reference),
		TEST(enough_existing_ones_are_left_as_they_are),
		TEST(what_is_gone_is_replaced_where_too_few_are_left),
		TEST(more_existing_ones_than_allowed_are_cut),
		TEST(one_that_is_named_twice_counts_once),
		TEST(those_asked_for_go_first_whatever_their_order),
		TEST(copies_are_spread_over_groups),
		TEST(equal_places_go_by_the_id),
		TEST(peers_that_disagree_on_partitions_are_all_picked),
		TEST(weights_at_the_ends_of_their_range_are_no_harm),
		TEST(without_metrics_to_go_by_all_can_be_picked),
		TEST(every_tree_gives_each_peer_once),
		TEST(the_closest_peer_is_that_of_the_reference),
		TEST(a_peer_alone_is_the_closest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
