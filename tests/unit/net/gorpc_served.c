#include "tests/unit/net/gorpc_served.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "util/base_enc.h"

#define CAP 65536

struct served served;

static void on_argument(void *arg, struct gorpc_call *c, const uint8_t *p, size_t n)
{
	assert_ptr_equal(&served, arg);
	if (!gorpc_call_arg(c)) {
		served.peer = *gorpc_call_peer(c);
		served.calls[served.n_calls] = c;
		gorpc_call_set_arg(c, &served.calls[served.n_calls++]);
	}
	if (p) {
		assert_int_equal(0, buf_append(&served.arguments, p, n));
		served.n_arguments++;
	} else {
		served.ends++;
	}
	if (served.hold_at > 0 && served.n_arguments == served.hold_at)
		gorpc_hold(c);
	if (served.answer)
		served.answer(c, !p);
}

static void on_cancelled(void *arg, struct gorpc_call *c)
{
	struct gorpc_call **slot = gorpc_call_arg(c);

	assert_ptr_equal(c, *slot);
	assert_true(peerid_equal(&served.net->b.id.id, gorpc_call_peer(c)));
	*slot = NULL;
	served.cancelled++;
}

static bool allowed(void *arg, const struct peerid *peer, const struct gorpc_method *m)
{
	return !served.forbid;
}

static bool closed(const char *service, const char *method)
{
	if (strcmp(service, "Shut") == 0)
		return strcmp(method, "Never") == 0 || *method == '\0';
	return strcmp(service, "T") == 0 && strcmp(method, "Never") == 0;
}

static const struct gorpc_method methods[] = {
	{ "T", "One", false, on_argument, on_cancelled },
	{ "T", "Many", true, on_argument, on_cancelled },
};

static const struct gorpc_config config = {
	.methods = methods, .n_methods = 2, .closed = closed, .allowed = allowed, .arg = &served
};

int served_setup(void **state)
{
	memset(&served, 0, sizeof(served));
	served.net = pair_new(&config, NULL, false);
	pair_connect(served.net);
	return 0;
}

int served_teardown(void **state)
{
	pair_free(served.net);
	for (size_t i = 0; i < served.n_calls; i++)
		assert_null(served.calls[i]);
	buf_deinit(&served.arguments);
	return 0;
}

bool got_hex(const struct raw *r, const char *hex)
{
	static uint8_t bytes[CAP];
	int n = base16_decode(hex, strlen(hex), bytes, sizeof(bytes));

	assert_true(n >= 0);
	return raw_is(r, bytes, (size_t)n);
}

void served_over(struct gorpc_call *c)
{
	*(struct gorpc_call **)gorpc_call_arg(c) = NULL;
}

void served_nil(struct gorpc_call *c, bool last)
{
	served_over(c);
	assert_int_equal(0, gorpc_reply(c, "\xc0", 1));
	gorpc_finish(c);
}

void served_two_at_end(struct gorpc_call *c, bool last)
{
	if (!last)
		return;
	assert_int_equal(0, gorpc_reply(c, "\x01", 1));
	assert_int_equal(0, gorpc_reply(c, "\x02", 1));
	served_over(c);
	gorpc_finish(c);
}
