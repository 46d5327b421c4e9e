/* Changes of a peer among others, from the request to the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "cluster/internal.h"
#include "consensus/crdt/crdt.h"
#include "tests/lib/store_fixture.h"
#include "util/clock.h"
#include "util/container.h"

struct fix {
	struct store_fix store;
	struct crdt_config crdt;
	struct cluster_config config;
	struct allocator_config allocator;
	struct monitor *monitor;
	struct consensus *consensus;
	struct cluster *cluster;
	bool closed;
	/* the answer */
	bool done;
	int status;
	char reason[512];
	unsigned from_source; /* pins that a source has yet to give */
};

static struct peerid peer(unsigned i)
{
	return (struct peerid){ .len = 34, .bytes = { 18, 32, (uint8_t)i } };
}

static void on_drained(void *arg)
{
}

static void on_closed(void *arg)
{
	((struct fix *)arg)->closed = true;
}

/* Peer 1. */
static void open_cluster(struct fix *f)
{
	struct cluster_options opt = { .config = &f->config,
				       .allocator = &f->allocator,
				       .backups_rotate = 6,
				       .data_folder = f->store.folder,
				       .self = peer(1),
				       .store = f->store.store,
				       .mbox = &f->store.mbox,
				       .loop = &f->store.loop,
				       .crdt = &f->crdt,
				       .offline = true };
	struct err e = { 0 };

	if (cluster_new(&opt, &f->cluster, &e) < 0 ||
	    crdt_new(f->store.store, &f->store.loop, &f->crdt, cluster_consensus_events(f->cluster),
		     &f->consensus, &e) < 0 ||
	    cluster_start(f->cluster, f->consensus, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(0, cluster_set_candidates(f->cluster, f->monitor));
}

static int setup(void **state)
{
	static char space[] = "freespace";
	static char *names[] = { space };
	static char ping[] = "ping";
	static struct peerid odd[8];
	static struct fix f;

	for (unsigned i = 0; i < ARRAY_LEN(odd); i++)
		odd[i] = peer(2 * i + 1);
	f = (struct fix){ .allocator = { .allocate_by = { names, 1 } },
			  .crdt = { .peerset_metric = ping,
				    .trusted_peers = { odd, ARRAY_LEN(odd) } } };
	f.config.replication_factor_min = f.config.replication_factor_max = 2;
	store_fix_setup(&f.store);
	assert_int_equal(0, monitor_new(NULL, NULL, &f.monitor));
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	cluster_close(f->cluster, on_drained, on_closed, f);
	while (!f->closed)
		uv_run(&f->store.loop, UV_RUN_ONCE);
	monitor_free(f->monitor);
	store_fix_teardown(&f->store);
	return 0;
}

static void put_metric(struct fix *f, const char *name, unsigned from)
{
	int64_t now = clock_now_ns();
	struct metric m = { .name = name,
			    .name_len = strlen(name),
			    .peer = peer(from),
			    .weight = from,
			    .expire_ns = now + 3600 * NS_PER_S,
			    .valid = true };

	assert_int_equal(0, monitor_put(f->monitor, &m, now, NULL));
}

/* Peers 1 to @n, the later the more space. */
static void see_peers(struct fix *f, unsigned n)
{
	for (unsigned i = 1; i <= n; i++) {
		put_metric(f, "ping", i);
		put_metric(f, "freespace", i);
	}
}

static void on_done(struct cluster_request *rq, int status)
{
	struct fix *f = rq->arg;

	f->done = true;
	f->status = status;
	snprintf(f->reason, sizeof(f->reason), "%s", rq->error.msg);
	cluster_request_free(rq);
}

static int run(struct fix *f, struct cluster_request *rq)
{
	assert_non_null(rq);
	rq->done = on_done;
	rq->arg = f;
	f->done = false;
	cluster_post(f->cluster, rq);
	while (!f->done)
		uv_run(&f->store.loop, UV_RUN_ONCE);
	return f->status;
}

/* Factors are those of the configuration. */
static void fill_item(struct cluster_item *item, unsigned i)
{
	store_fix_pin(&item->pin, i, "x");
	item->pin.timestamp = PIN_TIME_UNSET;
	item->pin.replication_min = item->pin.replication_max = 0;
	item->keys.given = PIN_KEY_NAME;
}

static int pin(struct fix *f, unsigned i)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 1);

	assert_non_null(rq);
	fill_item(&rq->items[0], i);
	return run(f, rq);
}

static void assert_on(struct fix *f, unsigned i, const char *on)
{
	struct store_txn *t = store_fix_read(&f->store);
	struct pin_row row;
	char text[16] = "";
	struct pin p;
	struct cid cid;

	pin_init(&p);
	store_fix_cid(i, &cid);
	assert_int_equal(0, pinset_find(t, &cid, &row));
	assert_int_equal(0, pinset_decode(&row, &p, NULL));
	for (size_t k = 0; k < p.n_allocations; k++)
		text[k] = (char)('0' + p.allocations[k].bytes[2]);
	assert_string_equal(on, text);
	pin_deinit(&p);
	store_read_end(t);
}

static void a_pin_is_allocated_by_what_the_monitor_knows(void **state)
{
	struct fix *f = *state;

	open_cluster(f);
	see_peers(f, 4);
	assert_int_equal(0, pin(f, 1));
	assert_on(f, 1, "43");
	/* Also what it has learned since. */
	see_peers(f, 5);
	assert_int_equal(0, pin(f, 2));
	assert_on(f, 2, "54");
	assert_on(f, 1, "43");
}

static void trust_is_asked_for_where_it_counts(void **state)
{
	struct fix *f = *state;

	f->config.pin_only_on_trusted_peers = true;
	open_cluster(f);
	see_peers(f, 4);
	assert_int_equal(0, pin(f, 1));
	assert_on(f, 1, "31");
}

static void too_few_peers_are_told_in_the_answer(void **state)
{
	struct fix *f = *state;

	open_cluster(f);
	see_peers(f, 1);
	assert_int_equal(-ENOSPC, pin(f, 1));
	assert_string_equal("not enough peers to allocate CID. Needed at least: 2. Wanted at most: "
			    "2. Available candidates: 1. See logs for more info.",
			    f->reason);
}

static void a_follower_is_told_that_it_is_one(void **state)
{
	struct fix *f = *state;

	f->config.follower_mode = true;
	open_cluster(f);
	assert_int_equal(-EROFS, pin(f, 1));
	assert_non_null(strstr(f->reason, "follower"));
}

static int next_item(void *arg, struct cluster_item *ret, struct err *e)
{
	struct fix *f = arg;

	if (f->from_source == 0)
		return 0;
	fill_item(ret, f->from_source--);
	return 1;
}

static void a_large_batch_is_allocated_the_same_way(void **state)
{
	struct fix *f = *state;
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 0);

	open_cluster(f);
	see_peers(f, 4);
	f->from_source = 3;
	rq->source = (struct cluster_source){ .next = next_item, .arg = f };
	assert_int_equal(0, run(f, rq));
	for (unsigned i = 1; i <= 3; i++)
		assert_on(f, i, "43");
}

/* ---- what only one of the members does ---- */

#define MANY 40
#define LARGE 3000 /* more than one transaction looks at, and than it changes */

static bool pinned(struct fix *f, unsigned i)
{
	struct store_txn *t = store_fix_read(&f->store);
	struct pin_row row;
	struct cid cid;
	int r;

	store_fix_cid(i, &cid);
	r = pinset_find(t, &cid, &row);
	store_read_end(t);
	return r == 0;
}

/* Whether @who is the closest to pin @i among it and @other (0: nobody). */
static bool closest(unsigned i, unsigned who, unsigned other)
{
	struct peerid self = peer(who), one = peer(other);
	struct cid cid;

	store_fix_cid(i, &cid);
	return alloc_is_closest(&cid, &self, &one, other != 0);
}

/* Restored, since nobody may pin for a time that is over. */
static void pin_that_expired(struct fix *f, unsigned i)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 1);

	assert_non_null(rq);
	fill_item(&rq->items[0], i);
	rq->items[0].pin.timestamp = 1000000 + i;
	rq->items[0].pin.expire_at = 2000000 + i;
	rq->items[0].keys.given |= PIN_KEY_TIMESTAMP | PIN_KEY_EXPIRE_AT;
	assert_int_equal(0, run(f, rq));
}

static void expire(struct fix *f)
{
	expiry_tick(f->cluster);
	while (f->cluster->expiry.removing)
		uv_run(&f->store.loop, UV_RUN_ONCE);
}

static void an_expired_pin_is_removed_by_the_closest_of_the_trusted_members(void **state)
{
	struct fix *f = *state;
	struct peerid other = peer(3);
	unsigned left = 0;

	f->config.state_sync_interval_ms = 3600 * 1000;
	open_cluster(f);
	see_peers(f, 4);
	for (unsigned i = 1; i <= MANY; i++)
		pin_that_expired(f, i);
	expire(f);
	for (unsigned i = 1; i <= MANY; i++) {
		assert_int_equal(!closest(i, 1, 3), pinned(f, i));
		left += pinned(f, i);
	}
	assert_in_range(left, 1, MANY - 1);

	/* The other one is gone: what it has left is looked at when everything is. */
	monitor_forget(f->monitor, &other);
	expire(f);
	assert_true(closest(1, 1, 3) || pinned(f, 1));
	f->cluster->expiry.again_ms = 0;
	expire(f);
	for (unsigned i = 1; i <= MANY; i++)
		assert_false(pinned(f, i));
}

static void a_follower_removes_no_expired_pin(void **state)
{
	struct fix *f = *state;

	open_cluster(f);
	see_peers(f, 2);
	pin_that_expired(f, 1);
	f->config.follower_mode = true;
	expire(f);
	assert_true(pinned(f, 1));
}

/* Peer 4 falls silent, and the cluster comes to rest. Its last metric of space did not run out. */
static void lose_peer_4(struct fix *f)
{
	struct peerid gone = peer(4);

	monitor_forget(f->monitor, &gone);
	put_metric(f, "freespace", 4);
	repin_from(f->cluster, &gone);
	while (!list_empty(&f->cluster->repins))
		uv_run(&f->store.loop, UV_RUN_ONCE);
}

static void what_a_silent_peer_had_goes_to_others_by_the_closest_of_them(void **state)
{
	struct fix *f = *state;
	unsigned moved = 0;

	open_cluster(f);
	see_peers(f, 4);
	for (unsigned i = 1; i <= MANY; i++)
		assert_int_equal(0, pin(f, i));
	lose_peer_4(f);
	for (unsigned i = 1; i <= MANY; i++) {
		assert_on(f, i, closest(i, 1, 3) ? "32" : "43");
		moved += closest(i, 1, 3);
	}
	assert_in_range(moved, 1, MANY - 1);
}

static void a_pin_that_has_peers_enough_is_left_as_it_is(void **state)
{
	struct fix *f = *state;

	f->config.replication_factor_min = 1;
	open_cluster(f);
	see_peers(f, 4);
	for (unsigned i = 1; i <= MANY; i++)
		assert_int_equal(0, pin(f, i));
	lose_peer_4(f);
	for (unsigned i = 1; i <= MANY; i++)
		assert_on(f, i, "43");
}

static void nobody_to_pin_instead_leaves_a_pin_as_it_is(void **state)
{
	struct fix *f = *state;
	const struct peerid two = peer(2), one = peer(1);

	open_cluster(f);
	see_peers(f, 4);
	for (unsigned i = 1; i <= MANY; i++)
		assert_int_equal(0, pin(f, i));
	monitor_forget(f->monitor, &two);
	monitor_forget(f->monitor, &one);
	lose_peer_4(f);
	for (unsigned i = 1; i <= MANY; i++)
		assert_on(f, i, "43");
}

static void a_peer_that_is_back_keeps_what_it_has(void **state)
{
	struct fix *f = *state;
	const struct peerid four = peer(4);

	open_cluster(f);
	see_peers(f, 4);
	for (unsigned i = 1; i <= MANY; i++)
		assert_int_equal(0, pin(f, i));
	repin_from(f->cluster, &four);
	while (!list_empty(&f->cluster->repins))
		uv_run(&f->store.loop, UV_RUN_ONCE);
	for (unsigned i = 1; i <= MANY; i++)
		assert_on(f, i, "43");
}

static void nothing_moves_where_repinning_is_disabled(void **state)
{
	struct fix *f = *state;

	f->config.disable_repinning = true;
	open_cluster(f);
	see_peers(f, 4);
	for (unsigned i = 1; i <= MANY; i++)
		assert_int_equal(0, pin(f, i));
	lose_peer_4(f);
	for (unsigned i = 1; i <= MANY; i++)
		assert_on(f, i, "43");
}

static void a_large_pinset_moves_part_by_part(void **state)
{
	struct fix *f = *state;
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 0);
	static char ping[] = "ping";
	static struct peerid self = { .len = 34, .bytes = { 18, 32, 1 } };

	f->crdt = (struct crdt_config){ .peerset_metric = ping, .trusted_peers = { &self, 1 } };
	open_cluster(f);
	see_peers(f, 4);
	f->from_source = LARGE;
	rq->source = (struct cluster_source){ .next = next_item, .arg = f };
	assert_int_equal(0, run(f, rq));
	lose_peer_4(f);
	for (unsigned i = 1; i <= LARGE; i++)
		assert_on(f, i, "32");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_pin_is_allocated_by_what_the_monitor_knows),
		TEST(trust_is_asked_for_where_it_counts),
		TEST(too_few_peers_are_told_in_the_answer),
		TEST(a_follower_is_told_that_it_is_one),
		TEST(a_large_batch_is_allocated_the_same_way),
		TEST(an_expired_pin_is_removed_by_the_closest_of_the_trusted_members),
		TEST(a_follower_removes_no_expired_pin),
		TEST(what_a_silent_peer_had_goes_to_others_by_the_closest_of_them),
		TEST(a_pin_that_has_peers_enough_is_left_as_it_is),
		TEST(nobody_to_pin_instead_leaves_a_pin_as_it_is),
		TEST(a_peer_that_is_back_keeps_what_it_has),
		TEST(nothing_moves_where_repinning_is_disabled),
		TEST(a_large_pinset_moves_part_by_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
