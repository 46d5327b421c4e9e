/* Calls that we serve: a caller's bytes on a real connection, and what methods hear and say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "net/gorpc_frames.h"
#include "tests/unit/net/gorpc_served.h"

/* ---- answers ---- */

static void a_unary_call_is_answered_at_once(void **state)
{
	struct raw r;

	served.answer = served_nil;
	raw_open(served.net, &r);
	raw_write_hex(&r, ONE "05");
	until(served.net, r.eof);
	assert_true(got_hex(&r, ONE_OK "c0"));
	assert_int_equal(1, served.n_arguments);
	assert_int_equal(0, served.cancelled);
	assert_true(peerid_equal(&served.net->b.id.id, &served.peer));
	raw_clear(&r);
}

static void a_unary_call_is_answered_later(void **state)
{
	struct raw r;

	raw_open(served.net, &r);
	raw_write_hex(&r, ONE);
	pair_turns(served.net, 20);
	assert_int_equal(0, served.n_arguments);
	raw_write_hex(&r, "81a16105");
	until(served.net, served.n_arguments == 1);
	/* The server must not treat silence as an error, nor what follows as another argument. */
	raw_write_hex(&r, "0607c1");
	pair_time(served.net, 10 * GORPC_ARGUMENT_MS);
	assert_int_equal(0, r.got.len);
	served_nil(served.calls[0], true);
	until(served.net, r.eof);
	assert_true(got_hex(&r, ONE_OK "c0"));
	assert_int_equal(4, served.arguments.len);
	assert_int_equal(0, served.cancelled);
	raw_clear(&r);
}

static void a_streaming_call_has_values_with_headers(void **state)
{
	struct raw r;

	served.answer = served_two_at_end;
	raw_open(served.net, &r);
	raw_write_hex(&r, MANY "0102");
	until(served.net, served.n_arguments == 2);
	raw_write_hex(&r, "a3");
	pair_turns(served.net, 20);
	raw_write_hex(&r, "616263");
	until(served.net, served.n_arguments == 3);
	assert_int_equal(0, r.got.len);
	raw_shut(&r);
	until(served.net, r.eof);
	assert_true(got_hex(&r, MANY_OK "01" MANY_OK "02"));
	assert_memory_equal("\x01\x02\xa3"
			    "abc",
			    served.arguments.data, 6);
	assert_int_equal(1, served.ends);
	assert_int_equal(0, served.cancelled);
	raw_clear(&r);
}

static void a_streaming_call_needs_no_argument(void **state)
{
	struct raw r;

	served.answer = served_two_at_end;
	raw_open(served.net, &r);
	raw_write_hex(&r, MANY);
	raw_shut(&r);
	until(served.net, r.eof);
	assert_true(got_hex(&r, MANY_OK "01" MANY_OK "02"));
	assert_int_equal(0, served.n_arguments);
	assert_int_equal(1, served.ends);
	raw_clear(&r);
}

static void the_end_of_the_arguments_cancels_nothing(void **state)
{
	struct raw r;

	raw_open(served.net, &r);
	raw_write_hex(&r, MANY "01");
	raw_shut(&r);
	until(served.net, served.ends == 1);
	pair_time(served.net, 10 * GORPC_ARGUMENT_MS);
	assert_int_equal(0, served.cancelled);
	assert_int_equal(0, gorpc_reply(served.calls[0], "\x07", 1));
	until(served.net, r.got.len > 0);
	gorpc_finish(served.calls[0]);
	served.calls[0] = NULL;
	until(served.net, r.eof);
	assert_true(got_hex(&r, MANY_OK "07"));
	raw_clear(&r);
}

static void fail_it(struct gorpc_call *c, bool last)
{
	served_over(c);
	gorpc_fail(c, GORPC_METHOD, "cannot recover today");
}

static void an_error_of_a_method_is_told(void **state)
{
	struct raw r;

	served.answer = fail_it;
	raw_open(served.net, &r);
	raw_write_hex(&r, ONE "05");
	until(served.net, r.eof);
	assert_true(got_hex(&r, "82a753657276696365" ONE "a54572726f72"
				"b463616e6e6f74207265636f76657220746f646179"
				"c0"));
	raw_clear(&r);
}

static void fail_without_words(struct gorpc_call *c, bool last)
{
	served_over(c);
	gorpc_fail(c, GORPC_SERVER, "");
}

static void an_error_has_words(void **state)
{
	struct raw r;

	served.answer = fail_without_words;
	raw_open(served.net, &r);
	raw_write_hex(&r, MANY "05");
	until(served.net, r.eof);
	assert_true(got_hex(&r, "83a753657276696365" MANY "a54572726f72"
				"ad756e6b6e6f776e206572726f72"
				"a745727254797065"
				"01"
				"c0"));
	raw_clear(&r);
}

/* ---- refusals ---- */

static void check_refusal(const char *hex, bool shut, enum gorpc_error type, const char *text)
{
	struct gorpc_frames f;
	struct gorpc_header h;
	enum gorpc_frame kind;
	const uint8_t *frame;
	struct raw r;
	size_t n;

	raw_open(served.net, &r);
	raw_write_hex(&r, hex);
	if (shut)
		raw_shut(&r);
	until(served.net, r.eof || r.ended);
	assert_int_equal(0, r.ended);
	gorpc_frames_init(&f, false);
	assert_int_equal(0, gorpc_frames_feed(&f, r.got.data, r.got.len));
	assert_int_equal(1, gorpc_frames_next(&f, &kind, &frame, &n));
	assert_int_equal(0, gorpc_header_read(frame, n, &h, NULL));
	assert_true(h.failed);
	assert_int_equal(type, h.type);
	assert_string_equal(text, h.error);
	assert_int_equal(1, gorpc_frames_next(&f, &kind, &frame, &n));
	assert_true(n == 1 && frame[0] == 0xc0);
	assert_int_equal(0, gorpc_frames_waiting(&f));
	gorpc_frames_clear(&f);
	raw_clear(&r);
}

static void unknown_names_are_refused_in_the_words_of_the_reference(void **state)
{
	/* T.Nope, Nope.Nope, Shut.Nope, and no name at all. */
	check_refusal("92a154a44e6f7065", false, GORPC_SERVER, "rpc: can't find method Nope");
	check_refusal("92a44e6f7065a44e6f7065", false, GORPC_SERVER,
		      "rpc: can't find service Nope");
	check_refusal("92a453687574a44e6f7065", false, GORPC_SERVER, "rpc: can't find method Nope");
	check_refusal("80", false, GORPC_SERVER, "rpc: can't find service ");
	assert_int_equal(0, served.n_calls);
}

static void closed_names_are_forbidden(void **state)
{
	check_refusal("92a154a54e65766572", false, GORPC_FORBIDDEN,
		      "client does not have permissions to call T.Never");
	check_refusal("92a453687574a54e65766572", true, GORPC_FORBIDDEN,
		      "client does not have permissions to call Shut.Never");
}

static void who_may_not_call_is_refused(void **state)
{
	served.forbid = true;
	check_refusal(ONE "05", false, GORPC_FORBIDDEN,
		      "client does not have permissions to call T.One");
	check_refusal(MANY, true, GORPC_FORBIDDEN,
		      "client does not have permissions to call T.Many");
	assert_int_equal(0, served.n_calls);
}

static void malformed_calls_are_refused(void **state)
{
	check_refusal("c1", false, GORPC_SERVER, "no msgpack");
	check_refusal("05", false, GORPC_SERVER, "malformed name of a service or method");
	check_refusal("da1000", false, GORPC_SERVER, "too large");
	check_refusal(ONE "c1", false, GORPC_SERVER, "no msgpack");
	check_refusal(ONE "9191919191919191919191919191919191", false, GORPC_SERVER, "no msgpack");
	check_refusal(ONE "db00400000", false, GORPC_SERVER, "too large");
	check_refusal(ONE "ddffffffff", false, GORPC_SERVER, "too large");
	assert_int_equal(0, served.n_calls);
}

static void a_method_hears_of_a_malformed_argument_as_of_a_cancellation(void **state)
{
	check_refusal(MANY "01c1", false, GORPC_SERVER, "no msgpack");
	assert_int_equal(1, served.n_arguments);
	assert_int_equal(1, served.cancelled);
	check_refusal(MANY "01a361", true, GORPC_SERVER, "an argument is cut");
	assert_int_equal(2, served.cancelled);
	assert_int_equal(0, served.ends);
	/* It did not begin before its first argument. */
	check_refusal(MANY "a361", true, GORPC_SERVER, "an argument is cut");
	assert_int_equal(2, served.cancelled);
}

/* ---- callers that go away ---- */

static void a_reset_cancels(void **state)
{
	struct raw one, many;

	raw_open(served.net, &one);
	raw_write_hex(&one, ONE "05");
	raw_open(served.net, &many);
	raw_write_hex(&many, MANY "05");
	until(served.net, served.n_arguments == 2);
	raw_reset(&one);
	until(served.net, served.cancelled == 1);
	raw_reset(&many);
	until(served.net, served.cancelled == 2);
	raw_clear(&one);
	raw_clear(&many);
}

static void the_end_of_a_unary_caller_cancels(void **state)
{
	struct raw r;

	raw_open(served.net, &r);
	raw_write_hex(&r, ONE "05");
	until(served.net, served.n_arguments == 1);
	raw_shut(&r);
	until(served.net, served.cancelled == 1);
	until(served.net, r.ended);
	assert_int_equal(-ECONNRESET, r.ended);
	assert_int_equal(0, r.got.len);
	raw_clear(&r);
}

/* Before the method knows of it, it is not told that it is over. */
static void callers_that_say_too_little_are_dropped(void **state)
{
	static const char *const cut[] = { "", "82", ONE, ONE "a3" };
	struct raw r;

	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		raw_open(served.net, &r);
		raw_write_hex(&r, cut[i]);
		raw_shut(&r);
		until(served.net, r.ended);
		raw_clear(&r);

		raw_open(served.net, &r);
		raw_write_hex(&r, cut[i]);
		pair_turns(served.net, 10);
		raw_reset(&r);
		pair_turns(served.net, 10);
		raw_clear(&r);
	}
	assert_int_equal(0, served.n_calls);
	assert_int_equal(0, served.cancelled);
}

static void the_end_of_a_connection_cancels(void **state)
{
	struct raw r;

	raw_open(served.net, &r);
	raw_write_hex(&r, MANY "05");
	until(served.net, served.n_arguments == 1);
	host_disconnect(served.net->b.host, &served.net->a.id.id);
	until(served.net, served.cancelled == 1 && r.ended);
	raw_clear(&r);
}

static void nothing_is_cancelled_after_the_answer(void **state)
{
	struct raw r;

	served.answer = served_nil;
	raw_open(served.net, &r);
	raw_write_hex(&r, ONE "05");
	until(served.net, r.eof);
	raw_reset(&r);
	pair_turns(served.net, 20);
	assert_int_equal(0, served.cancelled);
	raw_clear(&r);
}

/* ---- closing ---- */

static void closing_cancels_all_calls(void **state)
{
	struct raw one, many, idle;

	raw_open(served.net, &one);
	raw_write_hex(&one, ONE "05");
	raw_open(served.net, &many);
	raw_write_hex(&many, MANY "05");
	raw_open(served.net, &idle);
	raw_write_hex(&idle, "82");
	until(served.net, served.n_arguments == 2);
	pair_turns(served.net, 20);
	gorpc_close(served.net->a.rpc, NULL, NULL);
	served.net->a.rpc = NULL;
	host_close(served.net->a.host, NULL, NULL);
	served.net->a.host = NULL;
	assert_int_equal(2, served.cancelled);
	until(served.net, one.ended && many.ended && idle.ended);
	raw_clear(&one);
	raw_clear(&many);
	raw_clear(&idle);
}

static void on_closed(void *arg)
{
	*(bool *)arg = true;
}

static void after_the_close_new_calls_are_reset(void **state)
{
	struct raw r;
	bool closed = false;

	gorpc_close(served.net->a.rpc, on_closed, &closed);
	served.net->a.rpc = NULL;
	assert_false(closed);
	until(served.net, closed);
	raw_open(served.net, &r);
	raw_write_hex(&r, ONE "05");
	until(served.net, r.ended);
	assert_int_equal(0, r.got.len);
	assert_int_equal(0, served.n_arguments);
	raw_clear(&r);
}

static void close_it(struct gorpc_call *c, bool last)
{
	gorpc_close(served.net->a.rpc, NULL, NULL);
	served.net->a.rpc = NULL;
	host_close(served.net->a.host, NULL, NULL);
	served.net->a.host = NULL;
}

static void a_method_may_close(void **state)
{
	struct raw r;

	served.answer = close_it;
	raw_open(served.net, &r);
	raw_write_hex(&r, MANY "0506");
	until(served.net, r.ended);
	assert_int_equal(1, served.n_arguments);
	assert_int_equal(1, served.cancelled);
	raw_clear(&r);
}

#define ON_HOSTS(test) cmocka_unit_test_setup_teardown(test, served_setup, served_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOSTS(a_unary_call_is_answered_at_once),
		ON_HOSTS(a_unary_call_is_answered_later),
		ON_HOSTS(a_streaming_call_has_values_with_headers),
		ON_HOSTS(a_streaming_call_needs_no_argument),
		ON_HOSTS(the_end_of_the_arguments_cancels_nothing),
		ON_HOSTS(an_error_of_a_method_is_told),
		ON_HOSTS(an_error_has_words),
		ON_HOSTS(unknown_names_are_refused_in_the_words_of_the_reference),
		ON_HOSTS(closed_names_are_forbidden),
		ON_HOSTS(who_may_not_call_is_refused),
		ON_HOSTS(malformed_calls_are_refused),
		ON_HOSTS(a_method_hears_of_a_malformed_argument_as_of_a_cancellation),
		ON_HOSTS(a_reset_cancels),
		ON_HOSTS(the_end_of_a_unary_caller_cancels),
		ON_HOSTS(callers_that_say_too_little_are_dropped),
		ON_HOSTS(the_end_of_a_connection_cancels),
		ON_HOSTS(nothing_is_cancelled_after_the_answer),
		ON_HOSTS(closing_cancels_all_calls),
		ON_HOSTS(after_the_close_new_calls_are_reset),
		ON_HOSTS(a_method_may_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
