#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/survey.h"

/* ---- calls and time, played by the test ---- */

int64_t __wrap_clock_mono_ms(void);

static int64_t now_ms;

int64_t __wrap_clock_mono_ms(void)
{
	return now_ms;
}

struct gorpc_request {
	unsigned peer;
	struct gorpc_handler handler;
	bool open;
};

static struct gorpc_request requests[16];
static size_t n_requests, n_cancelled;
static int refusal; /* of the next calls */

int gorpc_call(struct gorpc *g, const struct peerid *peer, const char *service, const char *method,
	       bool streaming, const void *argument, size_t n, uint64_t timeout_ms,
	       const struct gorpc_handler *handler, struct gorpc_request **ret)
{
	struct gorpc_request *r = &requests[n_requests];

	if (refusal < 0)
		return refusal;
	assert_true(n_requests < 16);
	assert_string_equal("PinTracker", service);
	assert_string_equal("Status", method);
	assert_int_equal(SURVEY_MS, timeout_ms);
	assert_memory_equal("cid", argument, n);
	n_requests++;
	*r = (struct gorpc_request){ .peer = peer->bytes[0], .handler = *handler, .open = true };
	*ret = r;
	return 0;
}

void gorpc_cancel(struct gorpc_request *r)
{
	assert_true(r->open);
	r->open = false;
	n_cancelled++;
}

static void value(size_t request, const char *text)
{
	requests[request].handler.value(requests[request].handler.arg, (const uint8_t *)text,
					strlen(text));
}

static void done(size_t request, int status, enum gorpc_error type, const char *text)
{
	const struct gorpc_result r = { .status = status, .type = type, .text = text };

	assert_true(requests[request].open);
	requests[request].open = false;
	requests[request].handler.done(requests[request].handler.arg, &r);
}

/* ---- a survey ---- */

struct fix {
	struct surveys all;
	char heard[256]; /* "1:text 2:text " */
	char ends[256];  /* "1 2(reason) 3(-) ", in the order of the peers */
	unsigned ended;
};

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	surveys_init(&f->all);
	now_ms = 1000000;
	n_requests = n_cancelled = 0;
	refusal = 0;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void on_value(void *arg, struct survey_peer *peer, const uint8_t *p, size_t n)
{
	struct fix *f = arg;
	size_t at = strlen(f->heard);

	snprintf(f->heard + at, sizeof(f->heard) - at, "%u:%.*s ", peer->peer.bytes[0], (int)n,
		 (const char *)p);
}

static void on_done(void *arg, struct survey_peer *peers, size_t n)
{
	struct fix *f = arg;

	f->ended++;
	f->ends[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		size_t at = strlen(f->ends);
		const char *error = peers[i].end == SURVEY_FORBIDDEN ? "-" : peers[i].error;

		snprintf(f->ends + at, sizeof(f->ends) - at,
			 peers[i].end == SURVEY_ANSWERED ? "%u " : "%u(%s) ",
			 peers[i].peer.bytes[0], error);
	}
}

static int start(struct fix *f, unsigned n)
{
	const struct survey_question q = {
		.service = "PinTracker", .method = "Status", .argument = "cid", .len = 3
	};
	const struct survey_events events = { .value = on_value, .done = on_done, .arg = f };
	struct survey_peer *peers = calloc(n + 1, sizeof(*peers));
	int r;

	assert_non_null(peers);
	for (unsigned i = 0; i < n; i++)
		peers[i].peer = (struct peerid){ .len = 1, .bytes = { (uint8_t)(i + 1) } };
	r = survey_start(&f->all, NULL, &q, peers, n, &events);
	if (r < 0)
		free(peers);
	return r;
}

/* ---- tests ---- */

static void all_are_asked_at_once_and_it_ends_with_the_last_answer(void **state)
{
	struct fix *f = *state;

	assert_int_equal(0, start(f, 3));
	assert_int_equal(3, n_requests);
	value(2, "c");
	done(2, 0, 0, "");
	value(0, "a");
	done(0, 0, 0, "");
	assert_int_equal(0, f->ended);
	value(1, "b");
	done(1, 0, 0, "");
	assert_int_equal(1, f->ended);
	assert_string_equal("3:c 1:a 2:b ", f->heard);
	assert_string_equal("1 2 3 ", f->ends);
	assert_int_equal(0, f->all.n);
}

static void each_failure_has_its_reason_and_a_refusal_is_none(void **state)
{
	struct fix *f = *state;

	assert_int_equal(0, start(f, 3));
	done(0, -EREMOTEIO, GORPC_METHOD, "no such thing");
	done(1, -EREMOTEIO, GORPC_FORBIDDEN, "not allowed");
	done(2, -ECONNRESET, 0, "reset");
	assert_string_equal("1(no such thing) 2(-) 3(reset) ", f->ends);
}

static void who_cannot_be_called_has_failed_at_once(void **state)
{
	struct fix *f = *state;

	refusal = -ENOTCONN;
	assert_int_equal(0, start(f, 2));
	assert_int_equal(1, f->ended);
	assert_string_equal("1(not connected) 2(not connected) ", f->ends);
}

static void a_question_to_nobody_ends_at_once(void **state)
{
	struct fix *f = *state;

	assert_int_equal(0, start(f, 0));
	assert_int_equal(1, f->ended);
	assert_string_equal("", f->ends);
}

static void who_did_not_answer_in_time_is_not_asked_for_a_while(void **state)
{
	struct fix *f = *state;

	assert_int_equal(0, start(f, 2));
	done(0, -ETIMEDOUT, 0, "no answer");
	done(1, 0, 0, "");
	now_ms += SURVEY_SILENT_MS - 1;
	assert_int_equal(0, start(f, 2));
	assert_int_equal(3, n_requests);
	assert_int_equal(2, requests[2].peer);
	done(2, 0, 0, "");
	assert_string_equal("1(did not answer a moment ago) 2 ", f->ends);
	now_ms += 1;
	assert_int_equal(0, start(f, 2));
	assert_int_equal(5, n_requests);
	surveys_abort(&f->all);
}

static void an_abort_ends_all_and_calls_nobody_back(void **state)
{
	struct fix *f = *state;

	assert_int_equal(0, start(f, 2));
	done(0, 0, 0, "");
	surveys_abort(&f->all);
	assert_int_equal(1, n_cancelled);
	assert_int_equal(1, f->ended);
	assert_string_equal("1 2(this peer is shutting down) ", f->ends);
}

static void there_are_only_so_many_at_a_time(void **state)
{
	struct fix *f = *state;

	f->all.n = SURVEYS_MAX;
	assert_int_equal(-EAGAIN, start(f, 1));
	assert_int_equal(0, n_requests);
	assert_int_equal(0, f->ended);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_are_asked_at_once_and_it_ends_with_the_last_answer),
		TEST(each_failure_has_its_reason_and_a_refusal_is_none),
		TEST(who_cannot_be_called_has_failed_at_once),
		TEST(a_question_to_nobody_ends_at_once),
		TEST(who_did_not_answer_in_time_is_not_asked_for_a_while),
		TEST(an_abort_ends_all_and_calls_nobody_back),
		TEST(there_are_only_so_many_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
