/*
 * Starts with every allocation and every call for the disk failing in turn, on a store with what a
 * killed import leaves behind: each fails with a reason and changes nothing, or works. The next one
 * works in any case. The same for loading the configuration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"
#include "store/bulk.h"
#include "store/status.h"
#include "tests/fault/faults.h"
#include "tests/fault/load.h"
#include "tests/fault/peer.h"
#include "tests/lib/folder.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/vectors.h"

#define PINS 40

/* ---- the import that is killed ---- */

/* Replaces the pins of PINS/2 and up. */
static int import(struct store *s, enum consensus_method method)
{
	return load_pins(s, method, PINS / 2, PINS + PINS / 2, "new");
}

static bool crash_at(struct peer *p, enum consensus_method method, long n)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		peer_open(p);
		fault_crash_at(n);
		_exit(import(p->store, method) < 0);
	}
	return fault_crashed(pid);
}

static void data_path(const struct peer *p, const char *name, char out[64])
{
	snprintf(out, 64, "%s/%s", p->folder, name);
}

/* Nothing where there is no such file. */
static void copy(const struct peer *p, const char *from, const char *to)
{
	struct buf data = BUF_INIT(1u << 28);
	char path[64];

	data_path(p, from, path);
	if (access(path, F_OK) < 0)
		return;
	assert_int_equal(0, path_read(path, 1u << 28, &data, NULL));
	data_path(p, to, path);
	assert_int_equal(0, path_write_atomic(path, data.data, data.len, 0600, NULL));
	buf_deinit(&data);
}

/* A store as the kill at the @n-th call left it, its pins in the model; false: nothing was left. */
static bool leftovers(struct peer *p, enum consensus_method method, long n)
{
	bool crashed;

	peer_init(p, false);
	peer_open(p);
	peer_pin(p, 0, PINS, "old");
	peer_close(p);
	crashed = crash_at(p, method, n);
	copy(p, "data.mdb", "kept");
	copy(p, "import.ops", "kept.ops");
	return crashed;
}

static void model_new(struct peer *p)
{
	for (unsigned i = 0; i < PINS + PINS / 2; i++)
		p->names[i] = i < PINS / 2 ? NULL : "new";
}

/* The engine goes on with an import by a job of its own. */
static void settle(struct peer *p)
{
	static const struct peer_step unpin = { PEER_CIDS - 1, NULL };

	assert_int_equal(-ENOENT, peer_run(p, peer_change(&unpin, 1)));
}

/* What a start without faults makes of the leftovers. */
static void learn(struct peer *p)
{
	peer_open(p);
	settle(p);
	if (!peer_is_model(p))
		model_new(p);
	assert_true(peer_is_model(p));
	peer_close(p);
}

static unsigned sweep(struct peer *p, atomic_long *what)
{
	unsigned failed = 0;
	bool faulty = true;

	for (long n = 0; faulty; n++) {
		struct err e = { 0 };
		int r;

		copy(p, "kept", "data.mdb");
		copy(p, "kept.ops", "import.ops");
		r = peer_try_open(p, what, n, &e);
		faulty = fault_end(what);
		if (r == 0) {
			peer_close(p);
		} else {
			failed++;
			assert_true(e.msg[0] != '\0');
			assert_true(faulty);
		}
		peer_open(p);
		settle(p);
		if (!peer_is_model(p))
			fail_msg("the pins are not those of before after a start with %d at %ld", r,
				 n);
		peer_recount(p);
		peer_close(p);
	}
	return failed;
}

static void sweep_method(enum consensus_method method, long step)
{
	bool crashed = true;

	for (long n = 2; crashed; n += step) {
		struct peer p;

		crashed = leftovers(&p, method, n);
		learn(&p);
		assert_true(sweep(&p, &fault_alloc) > 5);
		sweep(&p, &fault_disk); /* most start all the same: the disk is said to be full */
		peer_remove(&p);
	}
}

static void failing_starts_leave_everything_to_the_next_one(void **state)
{
	sweep_method(CONSENSUS_REPLACE, 3);
	sweep_method(CONSENSUS_UPDATE, 2);
}

static void first_starts_can_fail_anywhere(void **state)
{
	atomic_long *const whats[] = { &fault_alloc, &fault_disk };

	for (size_t i = 0; i < 2; i++) {
		bool faulty = true;

		for (long n = 0; faulty; n++) {
			struct err e = { 0 };
			struct peer p;
			int r;

			peer_init(&p, false);
			r = peer_try_open(&p, whats[i], n, &e);
			faulty = fault_end(whats[i]);
			if (r == 0)
				peer_close(&p);
			else if (!faulty || !e.msg[0])
				fail_msg("%d at %ld: %s", r, n, e.msg);
			peer_open(&p);
			peer_pin(&p, 0, 2, "new");
			peer_recount(&p);
			peer_close(&p);
			peer_remove(&p);
		}
	}
}

/* ---- the configuration ---- */

static char *text_of(const struct config *c)
{
	struct buf out = BUF_INIT(1 << 20);

	assert_int_equal(0, config_json(c, &out));
	assert_int_equal(0, buf_terminate(&out));
	return (char *)out.data;
}

static void failing_loads_of_the_configuration_say_so(void **state)
{
	char *text = vectors_config("crdt.json"), *identity = vectors_config("identity.json");
	struct config *c = NULL;
	struct err e = { 0 };
	bool faulty = true;
	char *whole;

	folder_put(*state, CONFIG_FILE, text);
	folder_put(*state, CONFIG_IDENTITY_FILE, identity);
	assert_int_equal(0, config_load(*state, &c, &e));
	whole = text_of(c);
	config_free(c);
	for (long n = 0; faulty; n++) {
		int r;

		c = NULL;
		e = (struct err){ 0 };
		fault_at(&fault_alloc, n);
		r = config_load(*state, &c, &e);
		faulty = fault_end(&fault_alloc);
		if (r == 0) {
			char *now = text_of(c);

#ifdef FAULT_WRAP /* jansson loses bytes of texts where its own memory is out */
			assert_string_equal(whole, now);
#endif
			free(now);
			config_free(c);
		} else {
			assert_true(faulty);
			assert_null(c);
			if (!e.msg[0])
				fail_msg("no reason for %d at %ld", r, n);
		}
	}
	free(whole);
	free(identity);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_starts_leave_everything_to_the_next_one),
		cmocka_unit_test(first_starts_can_fail_anywhere),
		cmocka_unit_test_setup_teardown(failing_loads_of_the_configuration_say_so,
						folder_make, folder_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
