#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "cluster/candidates.h"
#include "cluster/cluster.h"
#include "cluster/pinning.h"
#include "tests/lib/store_fixture.h"
#include "util/clock.h"
#include "util/rfc3339.h"

struct fix {
	struct store_fix store;
	struct cluster_config config;
	struct candidates_view view;
	struct alloc_peer peers[5]; /* candidates */
	struct metric space[5];     /* theirs */
	struct peerid members[6];
	struct cluster_item item;
	struct pin stored, ret;
	struct store_txn *t;
	struct err e;
};

static struct peerid peer(unsigned i)
{
	return (struct peerid){ .len = 34, .bytes = { 18, 32, (uint8_t)i } };
}

/* Peer 1, which is this one. */
static void be_alone(struct fix *f)
{
	f->view.n_metrics = 0;
	f->view.n_peers = f->view.n_members = 1;
	f->peers[0] = (struct alloc_peer){ .peer = peer(1) };
	f->members[0] = peer(1);
}

/* Peers 1 to 5 can be allocated, the later the better; 6 is a member without metrics. */
static void be_among_others(struct fix *f)
{
	f->view.n_metrics = 1;
	f->view.n_peers = 5;
	f->view.n_members = 6;
	for (unsigned i = 0; i < 6; i++)
		f->members[i] = peer(i + 1);
	for (unsigned i = 0; i < 5; i++) {
		f->space[i] = (struct metric){ .weight = i };
		f->peers[i] = (struct alloc_peer){ .peer = peer(i + 1), .metrics = &f->space[i] };
	}
}

static int setup(void **state)
{
	static struct fix f;

	f = (struct fix){ .config = { .replication_factor_min = -1,
				      .replication_factor_max = -1 } };
	store_fix_setup(&f.store);
	f.view.peers = f.peers;
	f.view.members = f.members;
	be_alone(&f);
	pin_init(&f.item.pin);
	pin_init(&f.stored);
	pin_init(&f.ret);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	if (f->t)
		store_read_end(f->t);
	pin_deinit(&f->item.pin);
	pin_deinit(&f->stored);
	pin_deinit(&f->ret);
	store_fix_teardown(&f->store);
	return 0;
}

static void put(struct fix *f, unsigned i, const char *name, int64_t timestamp, int64_t expire_at)
{
	struct store_txn *t = store_fix_write(&f->store);
	struct pin p;

	pin_init(&p);
	store_fix_pin(&p, i, name);
	p.timestamp = timestamp;
	p.expire_at = expire_at;
	store_fix_set(t, &p, 0);
	pin_deinit(&p);
	assert_int_equal(0, store_commit(t));
}

/* The document @text for CID @i. */
static int decide(struct fix *f, unsigned i, const char *text)
{
	struct cluster_item *item = &f->item;

	assert_int_equal(
	    0, pin_json_decode(text, strlen(text), &item->pin, &item->mode, &item->keys, NULL));
	store_fix_cid(i, &item->pin.cid);
	f->t = store_fix_read(&f->store);
	return pinning_decide(f->t, &f->config, &f->view, item, &f->stored, &f->ret, &f->e);
}

static void assert_name(const struct pin *p, const char *name)
{
	assert_int_equal(strlen(name), p->name.n);
	assert_memory_equal(name, p->name.p, p->name.n);
}

/* {"pin_update": CID 1, @more} for CID 2. */
static int update(struct fix *f, const char *more)
{
	char cid[CID_TEXT_MAX + 1], text[CID_TEXT_MAX + 256];
	struct cid from;

	store_fix_cid(1, &from);
	cid_format(&from, cid);
	snprintf(text, sizeof(text), "{%s\"pin_update\":\"%s\"}", more, cid);
	return decide(f, 2, text);
}

static void update_takes_the_options_of_the_pin_it_names(void **state)
{
	struct fix *f = *state;

	put(f, 1, "old name", 1700000000, 4000000000);
	assert_int_equal(1, update(f, ""));
	assert_name(&f->ret, "old name");
	assert_int_equal(4000000000, f->ret.expire_at);
	assert_true(cid_equal(&f->ret.cid, &f->item.pin.cid));
	assert_true(cid_equal(&f->ret.pin_update, &f->item.pin.pin_update));
	assert_true(f->ret.timestamp >= clock_now_s() - 60);
}

static void update_keeps_the_name_and_expiry_that_the_document_gives(void **state)
{
	struct fix *f = *state;

	put(f, 1, "old name", 1700000000, 4000000000);
	assert_int_equal(1, update(f, "\"name\":\"new\",\"expire_at\":\"2100-01-01T00:00:00Z\","));
	assert_name(&f->ret, "new");
	assert_int_equal(4102444800, f->ret.expire_at);
}

static void update_of_what_is_not_pinned_is_refused(void **state)
{
	assert_int_equal(-ENOENT, update(*state, ""));
}

static void changed_pin_gets_a_later_time(void **state)
{
	struct fix *f = *state;
	int64_t later = clock_now_s() + 1000;

	put(f, 1, "a", later, PIN_TIME_UNSET);
	assert_int_equal(1, decide(f, 1, "{\"name\":\"b\"}"));
	assert_int_equal(later + 1, f->ret.timestamp);
}

static void time_of_a_changed_pin_does_not_pass_the_last_that_can_be_shown(void **state)
{
	struct fix *f = *state;

	put(f, 1, "a", RFC3339_MAX, PIN_TIME_UNSET);
	assert_int_equal(1, decide(f, 1, "{\"name\":\"b\"}"));
	assert_int_equal(RFC3339_MAX, f->ret.timestamp);
}

/* ---- allocations ---- */

/* Pin @i as stored, allocated to the peers of @on ("134" for example). */
static void put_on(struct fix *f, unsigned i, int32_t min, int32_t max, const char *on)
{
	struct store_txn *t = store_fix_write(&f->store);
	struct peerid list[8];
	struct pin p;

	pin_init(&p);
	store_fix_pin(&p, i, "x");
	p.timestamp = 1700000000;
	p.replication_min = min;
	p.replication_max = max;
	p.allocations = list;
	for (; on[p.n_allocations]; p.n_allocations++)
		list[p.n_allocations] = peer((unsigned)(on[p.n_allocations] - '0'));
	store_fix_set(t, &p, 0);
	pin_deinit(&p);
	assert_int_equal(0, store_commit(t));
}

static void assert_on(const struct pin *p, const char *on)
{
	char text[32] = "";

	for (size_t i = 0; i < p->n_allocations; i++)
		text[i] = (char)('0' + p->allocations[i].bytes[2]);
	assert_string_equal(on, text);
}

/* A document with these factors for CID 1, and what else it says. */
static int pin_on(struct fix *f, int min, int max, const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"replication_factor_min\":%d,\"replication_factor_max\":%d%s}", min, max, more);
	return decide(f, 1, text);
}

/* , "key": ["PEER", ...] */
static const char *peers_json(const char *key, const char *on)
{
	static char out[512];
	char id[PEERID_TEXT_MAX];
	size_t n = (size_t)snprintf(out, sizeof(out), ",\"%s\":[", key);

	for (size_t i = 0; on[i]; i++) {
		struct peerid p = peer((unsigned)(on[i] - '0'));

		peerid_format(&p, id);
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s\"%s\"", i ? "," : "", id);
	}
	snprintf(out + n, sizeof(out) - n, "]");
	return out;
}

static void a_pin_of_everybody_has_no_allocations(void **state)
{
	struct fix *f = *state;

	be_among_others(f);
	assert_int_equal(1, pin_on(f, -1, -1, peers_json("user_allocations", "2")));
	assert_on(&f->ret, "");
}

static void a_peer_alone_is_allocated_itself(void **state)
{
	struct fix *f = *state;

	assert_int_equal(1, pin_on(f, 1, 3, peers_json("user_allocations", "2")));
	assert_on(&f->ret, "1");
	assert_int_equal(0, f->ret.n_user_allocations);
}

static void a_peer_alone_is_too_few_for_two_copies(void **state)
{
	struct fix *f = *state;

	assert_int_equal(-ENOSPC, pin_on(f, 2, 3, ""));
	assert_string_equal("not enough peers to allocate CID. Needed at least: 2. Wanted at most: "
			    "3. Available candidates: 1. See logs for more info.",
			    f->e.msg);
}

static void a_peer_alone_takes_over_from_one_that_is_gone(void **state)
{
	struct fix *f = *state;

	put_on(f, 1, 1, 2, "9");
	assert_int_equal(1, pin_on(f, 1, 2, ",\"name\":\"y\""));
	assert_on(&f->ret, "1");
}

/* It may have started a moment ago. */
static void a_peer_alone_leaves_the_others_in_the_pin(void **state)
{
	struct fix *f = *state;

	put_on(f, 1, 1, 3, "123");
	assert_int_equal(1, pin_on(f, 1, 3, ",\"name\":\"y\""));
	assert_on(&f->ret, "123");
}

static void the_best_of_the_candidates_are_allocated(void **state)
{
	struct fix *f = *state;

	be_among_others(f);
	assert_int_equal(1, pin_on(f, 2, 3, ""));
	assert_on(&f->ret, "543");
}

static void factors_by_default_are_allocated_the_same_way(void **state)
{
	struct fix *f = *state;

	be_among_others(f);
	f->config.replication_factor_min = 1;
	f->config.replication_factor_max = 2;
	assert_int_equal(1, decide(f, 1, "{}"));
	assert_on(&f->ret, "54");
	assert_int_equal(1, f->ret.replication_min);
	assert_int_equal(2, f->ret.replication_max);
}

static void peers_asked_for_go_first(void **state)
{
	struct fix *f = *state;

	be_among_others(f);
	assert_int_equal(1, pin_on(f, 3, 3, peers_json("user_allocations", "168")));
	assert_on(&f->ret, "154");
	assert_int_equal(0, f->ret.n_user_allocations);
}

static void the_same_document_again_moves_nothing(void **state)
{
	struct fix *f = *state;

	be_among_others(f);
	put_on(f, 1, 1, 3, "13");
	assert_int_equal(0, pin_on(f, 1, 3, ",\"name\":\"x\""));
}

static void a_dead_peer_stays_while_enough_are_left(void **state)
{
	struct fix *f = *state;

	be_among_others(f);
	put_on(f, 1, 1, 3, "913");
	assert_int_equal(1, pin_on(f, 1, 3, ",\"name\":\"y\""));
	assert_on(&f->ret, "913");
}

static void a_dead_peer_is_replaced_where_too_few_are_left(void **state)
{
	struct fix *f = *state;

	be_among_others(f);
	put_on(f, 1, 2, 3, "91");
	assert_int_equal(1, pin_on(f, 2, 3, ",\"name\":\"x\""));
	assert_on(&f->ret, "154");
}

static void too_few_candidates_are_refused_with_what_is_missing(void **state)
{
	struct fix *f = *state;

	be_among_others(f);
	put_on(f, 1, 1, 3, "91");
	assert_int_equal(-ENOSPC, pin_on(f, 6, 7, ""));
	assert_string_equal("not enough peers to allocate CID. Needed at least: 5. Wanted at most: "
			    "6. Available candidates: 4. See logs for more info.",
			    f->e.msg);
}

static void a_restored_pin_keeps_the_members_it_names(void **state)
{
	struct fix *f = *state;
	char more[600];

	be_among_others(f);
	snprintf(more, sizeof(more), ",\"timestamp\":\"2020-01-01T00:00:00Z\"%s",
		 peers_json("allocations", "29612"));
	assert_int_equal(1, pin_on(f, 1, 3, more));
	/* 9 is no member; 6 is one, if without metrics. */
	assert_on(&f->ret, "261");
}

static void a_restored_pin_names_no_more_than_it_may(void **state)
{
	struct fix *f = *state;
	char more[600];

	be_among_others(f);
	snprintf(more, sizeof(more), ",\"timestamp\":\"2020-01-01T00:00:00Z\"%s",
		 peers_json("allocations", "2341"));
	assert_int_equal(1, pin_on(f, 1, 2, more));
	assert_on(&f->ret, "23");
}

static void a_restored_pin_of_strangers_is_allocated_anew(void **state)
{
	struct fix *f = *state;
	char more[600];

	be_among_others(f);
	snprintf(more, sizeof(more), ",\"timestamp\":\"2020-01-01T00:00:00Z\"%s",
		 peers_json("allocations", "789"));
	assert_int_equal(1, pin_on(f, 2, 2, more));
	assert_on(&f->ret, "54");
}

static void a_restored_pin_of_too_few_is_filled_up(void **state)
{
	struct fix *f = *state;
	char more[600];

	be_among_others(f);
	snprintf(more, sizeof(more), ",\"timestamp\":\"2020-01-01T00:00:00Z\"%s",
		 peers_json("allocations", "82"));
	assert_int_equal(1, pin_on(f, 2, 3, more));
	assert_on(&f->ret, "254");
}

static void a_restored_pin_of_a_peer_alone_is_its_own(void **state)
{
	struct fix *f = *state;
	char more[600];

	snprintf(more, sizeof(more), ",\"timestamp\":\"2020-01-01T00:00:00Z\"%s",
		 peers_json("allocations", "312"));
	assert_int_equal(1, pin_on(f, 1, 3, more));
	assert_on(&f->ret, "1");
}

static void allocations_of_a_document_that_is_not_restored_count_for_nothing(void **state)
{
	struct fix *f = *state;

	be_among_others(f);
	assert_int_equal(1, pin_on(f, 1, 1, peers_json("allocations", "2")));
	assert_on(&f->ret, "5");
}

static void update_takes_the_allocations_of_the_pin_it_names(void **state)
{
	struct fix *f = *state;

	be_among_others(f);
	put_on(f, 1, 2, 3, "231");
	assert_int_equal(1, update(f, ""));
	assert_on(&f->ret, "231");
}

static void update_does_not_keep_the_dead_where_too_few_are_left(void **state)
{
	struct fix *f = *state;

	be_among_others(f);
	put_on(f, 1, 2, 3, "97");
	assert_int_equal(1, update(f, ""));
	assert_on(&f->ret, "543");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(update_takes_the_options_of_the_pin_it_names),
		TEST(update_keeps_the_name_and_expiry_that_the_document_gives),
		TEST(update_of_what_is_not_pinned_is_refused),
		TEST(changed_pin_gets_a_later_time),
		TEST(time_of_a_changed_pin_does_not_pass_the_last_that_can_be_shown),
		TEST(a_pin_of_everybody_has_no_allocations),
		TEST(a_peer_alone_is_allocated_itself),
		TEST(a_peer_alone_is_too_few_for_two_copies),
		TEST(a_peer_alone_takes_over_from_one_that_is_gone),
		TEST(a_peer_alone_leaves_the_others_in_the_pin),
		TEST(the_best_of_the_candidates_are_allocated),
		TEST(factors_by_default_are_allocated_the_same_way),
		TEST(peers_asked_for_go_first),
		TEST(the_same_document_again_moves_nothing),
		TEST(a_dead_peer_stays_while_enough_are_left),
		TEST(a_dead_peer_is_replaced_where_too_few_are_left),
		TEST(too_few_candidates_are_refused_with_what_is_missing),
		TEST(a_restored_pin_keeps_the_members_it_names),
		TEST(a_restored_pin_names_no_more_than_it_may),
		TEST(a_restored_pin_of_strangers_is_allocated_anew),
		TEST(a_restored_pin_of_too_few_is_filled_up),
		TEST(a_restored_pin_of_a_peer_alone_is_its_own),
		TEST(allocations_of_a_document_that_is_not_restored_count_for_nothing),
		TEST(update_takes_the_allocations_of_the_pin_it_names),
		TEST(update_does_not_keep_the_dead_where_too_few_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
