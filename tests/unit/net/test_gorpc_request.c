/* Calls that we make: of a server whose bytes are written by hand, and of methods of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/net/gorpc_fixture.h"

static bool allowed(void *arg, const struct peerid *peer, const struct gorpc_method *m)
{
	return true;
}

static const struct gorpc_config nothing = { .allowed = allowed };

static struct pair *net;
static struct outcome o;
static struct gorpc_request *request;

static int setup(void **state)
{
	net = pair_new(NULL, &nothing, true);
	pair_connect(net);
	return 0;
}

static int teardown(void **state)
{
	pair_free(net);
	outcome_clear(&o);
	return 0;
}

/* b calls a, where the test answers by hand; what was asked is there. */
static struct raw *call(bool streaming, const void *argument, size_t n, uint64_t timeout_ms)
{
	const struct gorpc_handler handler = outcome_of(&o);
	const size_t before = net->a.n_in;

	assert_int_equal(0, gorpc_call(net->b.rpc, &net->a.id.id, "T", "M", streaming, argument, n,
				       timeout_ms, &handler, &request));
	until(net, net->a.n_in > before && net->a.in[before].got.len > 0);
	return &net->a.in[before];
}

static void check_end(int status, const char *text)
{
	until(net, o.done);
	assert_int_equal(status, o.status);
	assert_string_equal(text, o.text);
}

/* ---- answers ---- */

static void a_value_ends_a_unary_call(void **state)
{
	struct raw *r = call(false, "\x05", 1, 1000);

	assert_false(r->eof);
	raw_write_hex(r, "8081a16105");
	until(net, o.done);
	assert_int_equal(0, o.status);
	assert_int_equal(1, o.n_values);
	assert_memory_equal("\x81\xa1\x61\x05", o.values.data, 4);
	until(net, r->eof);
}

static void what_follows_the_value_of_a_unary_call_means_nothing(void **state)
{
	struct raw *r = call(false, "\x05", 1, 1000);

	raw_write_hex(r, "80058006c1");
	check_end(0, "");
	assert_int_equal(1, o.n_values);
}

static void an_error_ends_a_call(void **state)
{
	struct raw *r = call(true, NULL, 0, 0);

	raw_write_hex(r, "800582a54572726f72a36e6f21a74572725479706503c0");
	check_end(-EREMOTEIO, "no!");
	assert_int_equal(GORPC_FORBIDDEN, o.type);
	assert_int_equal(1, o.n_values);
	/* The reference's caller resets then, too. */
	until(net, r->ended);
}

static void answers_that_are_cut_are_no_success(void **state)
{
	static const struct {
		const char *hex;
		bool streaming;
		int status;
		const char *text;
	} cases[] = {
		{ "", false, -ECONNRESET, "the peer ended the call without an answer" },
		{ "", true, 0, "" },
		{ "80", false, -EBADMSG, "the answer is cut" },
		{ "80", true, -EBADMSG, "the answer is cut" },
		{ "8005", true, 0, "" },
		{ "80a361", true, -EBADMSG, "the answer is cut" },
		{ "81a5", false, -EBADMSG, "the answer is cut" },
		{ "800580", true, -EBADMSG, "the answer is cut" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct raw *r = call(cases[i].streaming, "\x05", 1, 1000);

		raw_write_hex(r, cases[i].hex);
		raw_shut(r);
		check_end(cases[i].status, cases[i].text);
		outcome_clear(&o);
	}
}

static void malformed_answers_end_a_call(void **state)
{
	static const struct {
		const char *hex, *text;
	} cases[] = {
		{ "c1", "no msgpack" },
		{ "05", "malformed header of an answer" },
		{ "80c1", "no msgpack" },
		{ "da1000", "an answer that is too large" },
		{ "80db00400000", "an answer that is too large" },
		{ "80ddffffffff", "an answer that is too large" },
		{ "809191919191919191919191919191919191", "no msgpack" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct raw *r = call(i % 2 == 0, "\x05", 1, 1000);

		raw_write_hex(r, cases[i].hex);
		check_end(-EBADMSG, cases[i].text);
		until(net, r->ended);
		assert_int_equal(0, o.n_values);
		outcome_clear(&o);
	}
}

static void a_reset_ends_a_call(void **state)
{
	struct raw *r = call(true, NULL, 0, 0);

	raw_write_hex(r, "8005");
	until(net, o.n_values == 1);
	raw_reset(r);
	check_end(-ECONNRESET, "the call was reset, or its connection ended");
}

static void the_end_of_a_connection_ends_a_call(void **state)
{
	call(false, "\x05", 1, 0);
	host_disconnect(net->b.host, &net->a.id.id);
	check_end(-ECONNRESET, "the call was reset, or its connection ended");
}

/* ---- time ---- */

static void a_call_may_take_its_time_and_no_longer(void **state)
{
	struct raw *r = call(false, "\x05", 1, 15000);

	pair_time(net, 13000);
	assert_false(o.done);
	pair_time(net, 3000);
	check_end(-ETIMEDOUT, "no answer within 15000 ms");
	until(net, r->ended);
}

static void bytes_put_off_no_limit_of_the_whole_call(void **state)
{
	struct raw *r = call(true, NULL, 0, 15000);

	pair_time(net, 13000);
	raw_write_hex(r, "8005");
	until(net, o.n_values == 1);
	pair_time(net, 3000);
	check_end(-ETIMEDOUT, "no answer within 15000 ms");
}

static void a_unary_call_without_limit_waits(void **state)
{
	struct raw *r = call(false, "\x05", 1, 0);

	for (size_t i = 0; i < 20; i++) {
		pair_time(net, GORPC_IDLE_MS);
		pair_turns(net, 20);
	}
	assert_false(o.done);
	raw_write_hex(r, "8005");
	check_end(0, "");
}

static void a_streaming_call_without_limit_may_not_idle(void **state)
{
	struct raw *r = call(true, NULL, 0, 0);

	for (size_t i = 1; i <= 3; i++) {
		pair_time(net, GORPC_IDLE_MS - 5000);
		pair_turns(net, 20);
		assert_false(o.done);
		raw_write_hex(r, "8005");
		until(net, o.n_values == i);
	}
	pair_time(net, GORPC_IDLE_MS + 1000);
	check_end(-ETIMEDOUT, "no answer within 30000 ms");
}

/* The later one has the nearer end. */
static void each_call_has_its_own_time(void **state)
{
	struct outcome slow;
	const struct gorpc_handler handler = outcome_of(&slow);

	assert_int_equal(0, gorpc_call(net->b.rpc, &net->a.id.id, "T", "M", false, "\x05", 1, 20000,
				       &handler, &request));
	call(false, "\x05", 1, 5000);
	pair_time(net, 6000);
	check_end(-ETIMEDOUT, "no answer within 5000 ms");
	assert_false(slow.done);
	pair_time(net, 15000);
	until(net, slow.done);
	assert_int_equal(-ETIMEDOUT, slow.status);
	outcome_clear(&slow);
}

/* ---- giving up ---- */

static void a_cancelled_call_says_nothing_more(void **state)
{
	struct raw *r = call(true, NULL, 0, 0);

	raw_write_hex(r, "8005");
	until(net, o.n_values == 1);
	gorpc_cancel(request);
	until(net, r->ended);
	pair_turns(net, 20);
	assert_false(o.done);
}

static void a_call_may_be_cancelled_by_its_value(void **state)
{
	struct raw *r = call(true, NULL, 0, 0);

	o.cancel_in_value = request;
	raw_write_hex(r, "800580068007");
	until(net, r->ended);
	assert_int_equal(1, o.n_values);
	assert_false(o.done);
	outcome_clear(&o);

	r = call(false, "\x05", 1, 1000);
	o.cancel_in_value = request;
	raw_write_hex(r, "8005");
	until(net, r->ended);
	assert_int_equal(1, o.n_values);
	assert_false(o.done);
}

static void closing_ends_all_calls(void **state)
{
	struct gorpc *rpc = net->b.rpc;
	const struct gorpc_handler handler = outcome_of(&o);
	struct raw *r = call(false, "\x05", 1, 0);

	gorpc_close(rpc, NULL, NULL);
	assert_true(o.done);
	assert_int_equal(-ECANCELED, o.status);
	assert_string_equal("shutting down", o.text);
	assert_int_equal(-ECANCELED, gorpc_call(rpc, &net->a.id.id, "T", "M", false, "\x05", 1, 0,
						&handler, &request));
	net->b.rpc = NULL;
	host_close(net->b.host, NULL, NULL);
	net->b.host = NULL;
	until(net, r->ended);
}

static void calls_that_cannot_begin_are_refused_at_once(void **state)
{
	const struct gorpc_handler handler = outcome_of(&o);
	struct identity stranger;

	assert_int_equal(0, identity_generate(&stranger, NULL));
	assert_int_equal(-ENOTCONN, gorpc_call(net->b.rpc, &stranger.id, "T", "M", false, "\x05", 1,
					       0, &handler, &request));
	assert_int_equal(-ENOTCONN, gorpc_call(net->b.rpc, &net->b.id.id, "T", "M", false, "\x05",
					       1, 0, &handler, &request));
	assert_int_equal(-EFBIG, gorpc_call(net->b.rpc, &net->a.id.id, "T", "M", false, "\x05",
					    GORPC_VALUE_MAX + 1, 0, &handler, &request));
	pair_turns(net, 20);
	assert_false(o.done);
	assert_int_equal(0, net->a.n_in);
	identity_clear(&stranger);
}

static void a_peer_without_the_protocol_is_told_of(void **state)
{
	const struct gorpc_handler handler = outcome_of(&o);

	net = pair_new(NULL, &nothing, false);
	pair_connect(net);
	assert_int_equal(0, gorpc_call(net->b.rpc, &net->a.id.id, "T", "M", false, "\x05", 1, 0,
				       &handler, &request));
	check_end(-EPROTONOSUPPORT, "the peer does not speak the cluster's protocol");
}

/* ---- both ends are ours ---- */

static struct outcome inner;

/* As in the reference's PeerAdd: the method calls its caller back before it answers. */
static void inner_done(void *arg, const struct gorpc_result *r)
{
	struct gorpc_call *c = arg;

	assert_int_equal(0, r->status);
	assert_int_equal(0, gorpc_reply(c, inner.values.data, inner.values.len));
	gorpc_finish(c);
}

static void inner_value(void *arg, const uint8_t *p, size_t n)
{
	assert_int_equal(0, buf_append(&inner.values, p, n));
}

static void add_argument(void *arg, struct gorpc_call *c, const uint8_t *p, size_t n)
{
	const struct gorpc_handler handler = { inner_value, inner_done, c };

	assert_int_equal(0, gorpc_call(net->a.rpc, gorpc_call_peer(c), "Cluster", "ID", false, p, n,
				       1000, &handler, &request));
}

static void id_argument(void *arg, struct gorpc_call *c, const uint8_t *p, size_t n)
{
	assert_int_equal(0, gorpc_reply(c, p, n));
	gorpc_finish(c);
}

static void never_cancelled(void *arg, struct gorpc_call *c)
{
	fail();
}

static void a_method_may_call_its_caller(void **state)
{
	static const struct gorpc_method add[] = { { "Cluster", "PeerAdd", false, add_argument,
						     never_cancelled } };
	static const struct gorpc_method id[] = { { "Cluster", "ID", false, id_argument, NULL } };
	const struct gorpc_config a = { .methods = add, .n_methods = 1, .allowed = allowed };
	const struct gorpc_config b = { .methods = id, .n_methods = 1, .allowed = allowed };
	const struct gorpc_handler handler = outcome_of(&o);
	struct gorpc_request *outer;

	net = pair_new(&a, &b, false);
	pair_connect(net);
	assert_int_equal(0, gorpc_call(net->b.rpc, &net->a.id.id, "Cluster", "PeerAdd", false,
				       "\x2a", 1, 1000, &handler, &outer));
	check_end(0, "");
	assert_int_equal(1, o.n_values);
	assert_memory_equal("\x2a", o.values.data, 1);
	buf_deinit(&inner.values);
}

#define ON_HOSTS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOSTS(a_value_ends_a_unary_call),
		ON_HOSTS(what_follows_the_value_of_a_unary_call_means_nothing),
		ON_HOSTS(an_error_ends_a_call),
		ON_HOSTS(answers_that_are_cut_are_no_success),
		ON_HOSTS(malformed_answers_end_a_call),
		ON_HOSTS(a_reset_ends_a_call),
		ON_HOSTS(the_end_of_a_connection_ends_a_call),
		ON_HOSTS(a_call_may_take_its_time_and_no_longer),
		ON_HOSTS(bytes_put_off_no_limit_of_the_whole_call),
		ON_HOSTS(a_unary_call_without_limit_waits),
		ON_HOSTS(a_streaming_call_without_limit_may_not_idle),
		ON_HOSTS(each_call_has_its_own_time),
		ON_HOSTS(a_cancelled_call_says_nothing_more),
		ON_HOSTS(a_call_may_be_cancelled_by_its_value),
		ON_HOSTS(closing_ends_all_calls),
		ON_HOSTS(calls_that_cannot_begin_are_refused_at_once),
		cmocka_unit_test_teardown(a_peer_without_the_protocol_is_told_of, teardown),
		cmocka_unit_test_teardown(a_method_may_call_its_caller, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
