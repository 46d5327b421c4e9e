/* Each allocation of a call, at either end, fails once: the call ends, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/lib/refusing_malloc.h"
#include "tests/unit/net/gorpc_fixture.h"

#define ARGUMENTS 3

static struct {
	size_t served, cancelled; /* calls that were begun, and those that were cancelled */
	size_t answered;
	size_t values;
	bool done;
	int status;
} t;

static void one_argument(void *arg, struct gorpc_call *c, const uint8_t *p, size_t n)
{
	t.served++;
	t.answered++;
	gorpc_reply(c, p, n); /* where it could not be sent, gorpc_finish resets */
	gorpc_finish(c);
}

static void many_argument(void *arg, struct gorpc_call *c, const uint8_t *p, size_t n)
{
	if (!gorpc_call_arg(c)) {
		t.served++;
		gorpc_call_set_arg(c, &t);
	}
	if (p && gorpc_reply(c, p, n) == 0)
		return;
	t.answered++;
	if (p)
		gorpc_fail(c, GORPC_METHOD, "no memory");
	else
		gorpc_finish(c);
}

static void on_cancelled(void *arg, struct gorpc_call *c)
{
	t.cancelled++;
}

static bool allowed(void *arg, const struct peerid *peer, const struct gorpc_method *m)
{
	return true;
}

static const struct gorpc_method methods[] = {
	{ "T", "One", false, one_argument, on_cancelled },
	{ "T", "Many", true, many_argument, on_cancelled },
};

static const struct gorpc_config config = { .methods = methods,
					    .n_methods = 2,
					    .allowed = allowed };

static void on_value(void *arg, const uint8_t *p, size_t n)
{
	t.values++;
}

static void on_done(void *arg, const struct gorpc_result *r)
{
	assert_false(t.done);
	t.done = true;
	t.status = r->status;
}

/* Returns whether there was an allocation to refuse. */
static bool call(const char *method, bool streaming, const void *argument, size_t n, unsigned at)
{
	static const struct gorpc_handler handler = { on_value, on_done, NULL };
	struct pair *net = pair_new(&config, &config, false);
	struct gorpc_request *request;
	bool refused_one;
	int r;

	pair_connect(net);
	memset(&t, 0, sizeof(t));
	refuse_at = at;
	r = gorpc_call(net->b.rpc, &net->a.id.id, "T", method, streaming, argument, n, 1000,
		       &handler, &request);
	if (r == 0)
		until(net, t.done);
	pair_turns(net, 20);
	refused_one = refuse_at == 0;
	refuse_at = 0;
	assert_true(r == 0 || !t.done);
	pair_free(net);
	/* A call that began has ended in one of the two ways. */
	assert_int_equal(t.served, t.answered + t.cancelled);
	if (!refused_one) {
		assert_int_equal(0, r);
		assert_int_equal(0, t.status);
	}
	return refused_one;
}

static void a_unary_call_ends_whatever_fails(void **state)
{
	unsigned at = 1;

	while (call("One", false, "\x05", 1, at))
		at++;
	assert_in_range(at, 10, 200);
	assert_int_equal(1, t.values);
}

static void a_streaming_call_ends_whatever_fails(void **state)
{
	static const uint8_t arguments[ARGUMENTS] = { 1, 2, 3 };
	unsigned at = 1;

	while (call("Many", true, arguments, sizeof(arguments), at))
		at++;
	assert_in_range(at, 10, 200);
	assert_int_equal(ARGUMENTS, t.values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_unary_call_ends_whatever_fails),
		cmocka_unit_test(a_streaming_call_ends_whatever_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
