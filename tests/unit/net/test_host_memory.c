/* Memory is short: each allocation of our own code fails in turn, and nothing else goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "tests/unit/net/host_fixture.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static unsigned allocations, fail_at; /* fail_at: which one fails, 0: none */

static bool refused(void)
{
	return ++allocations == fail_at;
}

void *__wrap_malloc(size_t n)
{
	return refused() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return refused() ? NULL : __real_realloc(p, n);
}

static void fail_from_here(unsigned which)
{
	allocations = 0;
	fail_at = which;
}

static bool has_failed(void)
{
	return fail_at > 0 && allocations >= fail_at;
}

/* Two hosts connect, one pushes, both are closed. Whatever was refused, who asked for a connection
 * is answered once, and a host that keeps a peer has it in the end. */
static void hosts_live_with_little_memory(void **state)
{
	unsigned failed = 0, n = 1;

	for (bool more = true; more; n++) {
		struct call call = { 0 };
		struct multiaddr at;
		struct hosts *f;
		int learned, asked;

		assert_int_equal(0, hosts_setup((void **)&f));
		at = node_address(f->a);
		fail_from_here(n);
		learned = host_learn(f->b->h, node_id(f->a), &at, HOST_TTL_PERMANENT);
		asked = host_connect(f->b->h, node_id(f->a), call_done, &call);
		for (unsigned i = 0; i < 100; i++)
			hosts_turns(f, 1);
		more = has_failed();
		fail_from_here(0);
		assert_true(learned == 0 || learned == -ENOMEM || learned == -ENOSPC);
		assert_true(asked == 0 || asked == -ENOMEM);
		hosts_time(f, DIAL_MS);
		hosts_time(f, IDENTIFY_TIMEOUT_MS);
		if (asked == 0)
			until(f, call.n == 1);
		failed += asked < 0 || call.status < 0;

		/* Now there is memory again. */
		node_learn(f->b, f->a);
		host_keep(f->b->h, node_id(f->a));
		for (unsigned i = 0; f->b->ups == f->b->downs || f->a->ups == f->a->downs; i++) {
			assert_true(i < 100);
			hosts_time(f, 5000);
			hosts_turns(f, 20);
		}
		assert_true(call.n <= 1);
		assert_int_equal(0, hosts_teardown((void **)&f));
	}
	assert_true(failed > 5 && n > 30);
}

static void a_host_that_cannot_begin_leaves_nothing(void **state)
{
	unsigned failed = 0, n = 1;

	for (bool more = true; more; n++) {
		struct host *h = NULL;
		struct err e = { 0 };
		struct hosts *f;
		int r;

		assert_int_equal(0, hosts_setup((void **)&f));
		fail_from_here(n);
		r = host_new(&f->c->opt, &h, &e);
		more = has_failed();
		fail_from_here(0);
		assert_true(r == 0 || (r == -ENOMEM && e.code == r && !h));
		failed += r < 0;
		f->c->h = h;
		assert_int_equal(0, hosts_teardown((void **)&f));
	}
	assert_true(failed >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_live_with_little_memory),
		cmocka_unit_test(a_host_that_cannot_begin_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
