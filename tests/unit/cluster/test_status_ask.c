#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/internal.h"
#include "cluster/members.h"
#include "cluster/rpc_server.h"
#include "cluster/status_ask.h"
#include "tests/lib/store_fixture.h"
#include "types/rpc_types.h"
#include "util/clock.h"

#define SELF 5

/* ---- calls, members and time, played by the test ---- */

struct gorpc_request {
	unsigned peer;
	struct gorpc_handler handler;
};

static struct gorpc_request requests[16];
static size_t n_requests;
static unsigned unreachable; /* a bit for each peer */
static unsigned alive;
static int64_t mono_ms;
static int ended; /* the status, 1: not yet */

int64_t __wrap_clock_mono_ms(void);

int64_t __wrap_clock_mono_ms(void)
{
	return mono_ms;
}

/* The order of the IDs, as bytes and as texts, is that of the numbers. */
static struct peerid peer(unsigned i)
{
	const uint8_t key[32] = { (uint8_t)i };
	struct peerid id;

	peerid_from_ed25519(key, &id);
	return id;
}

static unsigned number(const struct peerid *id)
{
	return id->bytes[id->len - 32];
}

struct gorpc *rpc_server_gorpc(struct rpc_server *s)
{
	return NULL;
}

int gorpc_call(struct gorpc *g, const struct peerid *id, const char *service, const char *method,
	       bool streaming, const void *argument, size_t n, uint64_t timeout_ms,
	       const struct gorpc_handler *handler, struct gorpc_request **ret)
{
	if (unreachable & 1u << number(id))
		return -ENOTCONN;
	assert_true(n_requests < 16);
	assert_int_equal(strcmp(method, "StatusAll") == 0, streaming);
	*ret = &requests[n_requests++];
	**ret = (struct gorpc_request){ .peer = number(id), .handler = *handler };
	return 0;
}

void gorpc_cancel(struct gorpc_request *r)
{
}

void members_each(struct members *m, bool (*fn)(void *arg, const struct member *member), void *arg)
{
	for (unsigned i = 1; i < 32; i++) {
		const struct member one = { .peer = peer(i), .alive = true };

		if (alive & 1u << i)
			fn(arg, &one);
	}
}

void request_end(struct cluster_request *rq, int status)
{
	assert_int_equal(1, ended);
	ended = status;
}

/* ---- a cluster ---- */

struct fix {
	struct store_fix s;
	struct cluster c;
	struct pin pin;
	struct cluster_request rq;
	struct cluster_item item;
	char own[PEERID_TEXT_MAX + 64];
};

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	n_requests = 0;
	unreachable = 0;
	alive = 1u << 2 | 1u << 7;
	mono_ms = 1000000;
	store_fix_setup(&f->s);
	f->c.opt.store = f->s.store;
	f->c.opt.self = peer(SELF);
	f->c.members = (struct members *)f; /* of members_each above */
	surveys_init(&f->c.surveys);
	assert_int_equal(0, monitor_new(NULL, NULL, &f->c.monitor));
	assert_int_equal(0, status_cache_new(&f->c.status_cache));
	pin_init(&f->pin);
	store_fix_cid(1, &f->pin.cid);
	f->pin.replication_min = f->pin.replication_max = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	surveys_abort(&f->c.surveys);
	status_cache_free(f->c.status_cache);
	monitor_free(f->c.monitor);
	buf_deinit(&f->rq.answer);
	pin_deinit(&f->pin);
	store_fix_teardown(&f->s);
	free(f);
	return 0;
}

static void store_pin(struct fix *f)
{
	struct store_txn *t = store_fix_write(&f->s);

	store_fix_set(t, &f->pin, 1);
	assert_int_equal(0, store_commit(t));
}

static void begin(struct fix *f)
{
	char self[PEERID_TEXT_MAX];
	const struct peerid id = peer(SELF);

	peerid_format(&id, self);
	snprintf(f->own, sizeof(f->own), "\n\"%s\": {\"status\": \"own\"}", self);
	buf_deinit(&f->rq.answer);
	f->rq = (struct cluster_request){ .cluster = &f->c, .items = &f->item, .text = f->own };
	cid_copy(&f->item.pin.cid, &f->pin.cid);
	ended = 1;
	status_ask_start(&f->rq);
}

static void answer(size_t request, const struct rpc_pin_info *info)
{
	const struct gorpc_handler *h = &requests[request].handler;
	const struct gorpc_result ok = { .text = "" };
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, rpc_pin_info_encode(info, &out));
	h->value(h->arg, out.data, out.len);
	buf_deinit(&out);
	h->done(h->arg, &ok);
}

static void fail_call(size_t request, int status, enum gorpc_error type, const char *text)
{
	const struct gorpc_handler *h = &requests[request].handler;
	const struct gorpc_result r = { .status = status, .type = type, .text = text };

	h->done(h->arg, &r);
}

static void add_said(char *text, size_t cap, const char *id, json_t *entry)
{
	size_t at = strlen(text);
	const char *error = json_string_value(json_object_get(entry, "error"));
	struct peerid who;

	assert_int_equal(0, peerid_parse(id, strlen(id), &who, NULL));
	snprintf(text + at, cap - at, "%u %s %s|", number(&who),
		 json_string_value(json_object_get(entry, "status")), error ? error : "");
}

/* "2 pinned |5 own |7 cluster_error no answer|", in the order of the text. */
static void assert_said(struct fix *f, const char *expected)
{
	struct buf whole = BUF_INIT(0);
	char text[512] = "";
	const char *id;
	json_t *map, *entry;

	assert_int_equal(0, ended);
	assert_int_equal(0, buf_byte(&whole, '{'));
	assert_int_equal(0, buf_append(&whole, f->rq.answer.data, f->rq.answer.len));
	assert_int_equal(0, buf_byte(&whole, '}'));
	map = json_loadb((char *)whole.data, whole.len, 0, NULL);
	assert_non_null(map);
	json_object_foreach (map, id, entry)
		add_said(text, sizeof(text), id, entry);
	json_decref(map);
	buf_deinit(&whole);
	assert_string_equal(expected, text);
}

/* ---- tests ---- */

static const struct rpc_pin_info pinned = { .status = STATUS_PINNED,
					    .since = { .set = true, .s = 1700000000 } };

static void a_pin_of_everybody_is_asked_of_every_member(void **state)
{
	struct fix *f = *state;

	store_pin(f);
	begin(f);
	assert_int_equal(2, n_requests);
	assert_int_equal(1, ended);
	answer(1, &pinned);
	answer(0, &pinned);
	assert_said(f, "2 pinned |5 own |7 pinned |");
}

static void only_the_allocated_are_asked_and_the_others_are_remote(void **state)
{
	struct fix *f = *state;
	struct peerid allocated[2] = { peer(SELF), peer(9) };

	f->pin.replication_min = f->pin.replication_max = 2;
	f->pin.allocations = allocated;
	f->pin.n_allocations = 2;
	store_pin(f);
	begin(f);
	assert_int_equal(1, n_requests);
	assert_int_equal(9, requests[0].peer); /* no living member, and yet it holds the pin */
	answer(0, &pinned);
	assert_said(f, "2 remote |5 own |7 remote |9 pinned |");
	f->pin.allocations = NULL;
	f->pin.n_allocations = 0;
}

static void what_is_not_pinned_is_asked_of_nobody(void **state)
{
	struct fix *f = *state;

	begin(f);
	assert_int_equal(0, n_requests);
	assert_said(f, "2 unpinned |5 own |7 unpinned |");
}

static void who_fails_is_a_cluster_error_and_who_refuses_is_left_out(void **state)
{
	struct fix *f = *state;

	alive |= 1u << 9;
	unreachable = 1u << 9;
	store_pin(f);
	begin(f);
	fail_call(0, -ETIMEDOUT, 0, "no answer");
	fail_call(1, -EREMOTEIO, GORPC_FORBIDDEN, "not allowed");
	assert_said(f, "2 cluster_error no answer|5 own |9 cluster_error not connected|");
}

static void an_answer_that_cannot_be_read_is_a_cluster_error(void **state)
{
	struct fix *f = *state;
	const struct gorpc_handler *h = &requests[0].handler;
	const struct gorpc_result ok = { .text = "" };

	alive = 1u << 2;
	store_pin(f);
	begin(f);
	h->value(h->arg, (const uint8_t *)"\x93", 1);
	h->done(h->arg, &ok);
	assert_said(f, "2 cluster_error its answer cannot be read|5 own |");
}

static void a_time_too_far_for_nanoseconds_is_shown_as_some_time(void **state)
{
	struct fix *f = *state;
	struct rpc_pin_info info = pinned;

	alive = 1u << 2;
	info.since.s = 253402300799; /* 9999-12-31, the last one that is read */
	store_pin(f);
	begin(f);
	answer(0, &info);
	assert_said(f, "2 pinned |5 own |");
}

static void answers_are_kept_for_two_seconds(void **state)
{
	struct fix *f = *state;

	alive = 1u << 2;
	store_pin(f);
	begin(f);
	answer(0, &pinned);
	mono_ms += 1999;
	begin(f);
	assert_int_equal(1, n_requests);
	assert_said(f, "2 pinned |5 own |");
	mono_ms += 1;
	begin(f);
	assert_int_equal(2, n_requests);
	answer(1, &pinned);
}

static void the_errors_of_all_are_lines_and_the_last_one_says_who_answered(void **state)
{
	struct fix *f = *state;
	struct rpc_pin_info info = { .status = STATUS_PIN_ERROR,
				     .error = { .p = "no space", .n = 8 } };
	char last[6 * PEERID_TEXT_MAX], ids[3][PEERID_TEXT_MAX];

	for (unsigned i = 0; i < 3; i++) {
		const struct peerid id = peer((const unsigned[]){ 2, SELF, 7 }[i]);

		peerid_format(&id, ids[i]);
	}
	f->rq = (struct cluster_request){ .cluster = &f->c, .shown = 3, .total = 4 };
	ended = 1;
	errors_ask_start(&f->rq);
	assert_int_equal(2, n_requests);
	cid_copy(&info.cid, &f->pin.cid);
	answer(1, &info);
	fail_call(0, -ECONNRESET, 0, "reset");
	assert_int_equal(0, ended);
	assert_int_equal(0, buf_terminate(&f->rq.answer));
	assert_non_null(strstr((char *)f->rq.answer.data, "\"error\":\"no space\""));
	snprintf(
	    last, sizeof(last),
	    "\n{\"answered\":[\"%s\",\"%s\"],\"silent\":[\"%s\"],\"reasons\":{\"%s\":\"reset\"},"
	    "\"shown\":4,\"pins_in_error\":5}\n",
	    ids[1], ids[2], ids[0], ids[0]);
	assert_string_equal(last, strchr((char *)f->rq.answer.data, '\n'));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pin_of_everybody_is_asked_of_every_member),
		TEST(only_the_allocated_are_asked_and_the_others_are_remote),
		TEST(what_is_not_pinned_is_asked_of_nobody),
		TEST(who_fails_is_a_cluster_error_and_who_refuses_is_left_out),
		TEST(an_answer_that_cannot_be_read_is_a_cluster_error),
		TEST(a_time_too_far_for_nanoseconds_is_shown_as_some_time),
		TEST(answers_are_kept_for_two_seconds),
		TEST(the_errors_of_all_are_lines_and_the_last_one_says_who_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
