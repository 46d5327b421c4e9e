#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "cluster/cluster.h"
#include "cluster/pinning.h"
#include "tests/lib/store_fixture.h"
#include "util/clock.h"
#include "util/rfc3339.h"

struct fix {
	struct store_fix store;
	struct cluster_config config;
	struct peerid self;
	struct cluster_item item;
	struct pin stored, ret;
	struct store_txn *t;
	struct err e;
};

static int setup(void **state)
{
	static struct fix f;

	f = (struct fix){ .config = { .replication_factor_min = -1,
				      .replication_factor_max = -1 } };
	store_fix_setup(&f.store);
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
	return pinning_decide(f->t, &f->config, &f->self, item, &f->stored, &f->ret, &f->e);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(update_takes_the_options_of_the_pin_it_names),
		TEST(update_keeps_the_name_and_expiry_that_the_document_gives),
		TEST(update_of_what_is_not_pinned_is_refused),
		TEST(changed_pin_gets_a_later_time),
		TEST(time_of_a_changed_pin_does_not_pass_the_last_that_can_be_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
