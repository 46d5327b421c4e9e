#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/cluster/rpc_fixture.h"

/* The friend has f->pin pinned, or unpinned. */
static struct gorpc_call *log_it(struct fix *f, const char *method)
{
	struct buf argument = BUF_INIT(0);
	struct gorpc_call *c;

	assert_int_equal(0, rpc_pin_encode(&f->pin, &argument));
	c = fix_call(f, "Consensus", method, &argument);
	buf_deinit(&argument);
	return c;
}

static void done(struct fix *f, struct gorpc_call *c)
{
	const uint8_t *p;
	size_t n;

	fix_finished(f, c);
	p = gorpc_fake_value(c, 0, &n);
	assert_int_equal(1, n);
	assert_int_equal(0x80, p[0]);
	gorpc_fake_free(c);
}

static void audit_of(struct fix *f, struct buf *out)
{
	char *path = path_join(f->s.folder, "audit");

	assert_int_equal(0, path_read(path, 1 << 20, out, NULL));
	assert_int_equal(0, buf_terminate(out));
	free(path);
}

static void a_pin_is_stored_as_given(void **state)
{
	struct fix *f = *state;
	struct pin stored;

	pin_init(&stored);
	store_fix_pin(&f->pin, 1, "theirs");
	f->pin.timestamp = 1600000000; /* what is asked for here would have the time of now */
	f->pin.replication_min = 2;
	f->pin.replication_max = 3;
	f->pin.allocations = &f->stranger; /* no member, and fewer than needed */
	f->pin.n_allocations = 1;
	done(f, log_it(f, "LogPin"));
	assert_true(fix_is_pinned(f, &f->pin.cid, &stored));
	assert_true(pin_equal_but_time(&stored, &f->pin));
	assert_int_equal(1600000000, stored.timestamp);
	pin_deinit(&stored);
}

static void the_audit_names_the_peer(void **state)
{
	struct fix *f = *state;
	struct buf audit = BUF_INIT(0);
	char id[PEERID_TEXT_MAX], want[PEERID_TEXT_MAX + 16];

	store_fix_pin(&f->pin, 1, "theirs");
	done(f, log_it(f, "LogPin"));
	audit_of(f, &audit);
	peerid_format(&f->friend, id);
	snprintf(want, sizeof(want), "\"peer\":\"%s\"", id);
	assert_non_null(strstr((char *)audit.data, want));
	assert_null(strstr((char *)audit.data, "\"uid\""));
	buf_deinit(&audit);
}

static void a_pin_is_unpinned_and_what_is_gone_may_be_unpinned(void **state)
{
	struct fix *f = *state;

	store_fix_pin(&f->pin, 1, "theirs");
	done(f, log_it(f, "LogPin"));
	assert_true(fix_is_pinned(f, &f->pin.cid, NULL));
	done(f, log_it(f, "LogUnpin"));
	assert_false(fix_is_pinned(f, &f->pin.cid, NULL));
	done(f, log_it(f, "LogUnpin"));
}

static uint64_t revision(struct fix *f)
{
	struct store_txn *t = store_fix_read(&f->s);
	uint64_t n = store_info(t)->revision;

	store_read_end(t);
	return n;
}

static void the_same_pin_again_changes_nothing(void **state)
{
	struct fix *f = *state;
	uint64_t before;

	store_fix_pin(&f->pin, 1, "theirs");
	f->pin.timestamp = 1600000000;
	done(f, log_it(f, "LogPin"));
	before = revision(f);
	done(f, log_it(f, "LogPin"));
	assert_true(revision(f) == before);
	f->pin.timestamp++;
	done(f, log_it(f, "LogPin"));
	assert_true(revision(f) > before);
}

static void the_brake_is_not_for_other_peers(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 0; i < 150; i++)
		fix_pin(f, i, STATUS_REMOTE);
	for (unsigned i = 0; i < 150; i++) {
		store_fix_pin(&f->pin, i, "");
		done(f, log_it(f, "LogUnpin"));
	}
	assert_false(cluster_braked(f->cluster));
}

static void a_follower_takes_what_a_trusted_peer_logs(void **state)
{
	struct fix *f = *state;

	f->config.follower_mode = true;
	store_fix_pin(&f->pin, 1, "theirs");
	done(f, log_it(f, "LogPin"));
	assert_true(fix_is_pinned(f, &f->pin.cid, NULL));
}

static void what_is_no_pin_is_refused(void **state)
{
	static const char *const bad[] = { "\xc0", "\x05", "\x80", "\x81\xa1n\xa1x" };
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct buf argument = { .data = (uint8_t *)(uintptr_t)bad[i],
					      .len = strlen(bad[i]) };
		struct gorpc_call *c = fix_call(f, "Consensus", "LogPin", &argument);

		assert_int_equal(GORPC_SERVER, gorpc_fake_error(c));
		gorpc_fake_free(c);
	}
}

static void a_pin_that_could_not_be_shown_is_refused(void **state)
{
	struct fix *f = *state;
	char *name = malloc(PIN_BYTES_MAX);
	struct gorpc_call *c;

	assert_non_null(name);
	memset(name, '"', PIN_BYTES_MAX);
	store_fix_pin(&f->pin, 1, "");
	f->pin.name = (struct pin_text){ name, PIN_BYTES_MAX * 3 / 4 };
	c = log_it(f, "LogPin");
	fix_until(f, gorpc_fake_state(c) != GORPC_FAKE_OPEN);
	assert_int_equal(GORPC_FAKE_FAILED, gorpc_fake_state(c));
	assert_false(fix_is_pinned(f, &f->pin.cid, NULL));
	gorpc_fake_free(c);
	pin_reset(&f->pin);
	free(name);
}

static void whoever_logs_may_go_at_any_time(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c[20];

	for (unsigned i = 0; i < 10; i++) {
		store_fix_pin(&f->pin, i, "theirs");
		c[i] = log_it(f, "LogPin");
		for (unsigned k = 0; k < i % 4; k++)
			fix_turn(f);
		gorpc_fake_free(c[i]);
	}
	fix_until(f, f->cluster->under_way == 0);
	for (unsigned i = 10; i < 20; i++) {
		store_fix_pin(&f->pin, i, "theirs");
		c[i] = log_it(f, "LogPin");
	}
	fix_close(f);
	for (unsigned i = 10; i < 20; i++) {
		assert_true(gorpc_fake_state(c[i]) != GORPC_FAKE_OPEN);
		gorpc_fake_free(c[i]);
	}
}

static void a_change_that_nobody_waits_for_does_not_begin(void **state)
{
	struct fix *f = *state;

	store_fix_pin(&f->pin, 1, "theirs");
	gorpc_fake_free(log_it(f, "LogPin")); /* before the loop's next turn */
	fix_turn(f);
	fix_until(f, f->cluster->under_way == 0);
	assert_false(fix_is_pinned(f, &f->pin.cid, NULL));
}

static void a_peer_that_stops_takes_no_pins(void **state)
{
	struct fix *f = *state;

	f->cluster->closing = true;
	store_fix_pin(&f->pin, 1, "theirs");
	fix_failed(f, log_it(f, "LogPin"), "the peer is shutting down");
	f->cluster->closing = false;
}

static void there_is_no_peerset_in_crdt(void **state)
{
	struct fix *f = *state;
	struct buf peer = BUF_INIT(0);

	assert_int_equal(0, rpc_peerid_encode(&f->stranger, &peer));
	done(f, fix_call(f, "Consensus", "AddPeer", &peer));
	fix_failed(f, fix_call(f, "Consensus", "RmPeer", &peer),
		   "crdt consensus component cannot remove peers");
	buf_deinit(&peer);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_pin_is_stored_as_given),
		T(the_audit_names_the_peer),
		T(a_pin_is_unpinned_and_what_is_gone_may_be_unpinned),
		T(the_same_pin_again_changes_nothing),
		T(the_brake_is_not_for_other_peers),
		T(a_follower_takes_what_a_trusted_peer_logs),
		T(what_is_no_pin_is_refused),
		T(a_pin_that_could_not_be_shown_is_refused),
		T(whoever_logs_may_go_at_any_time),
		T(a_change_that_nobody_waits_for_does_not_begin),
		T(a_peer_that_stops_takes_no_pins),
		T(there_is_no_peerset_in_crdt),
	};

	return cmocka_run_group_tests_name("rpc_consensus", tests, NULL, NULL);
}
