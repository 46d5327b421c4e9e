#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/ipfs/kubo_fixture.h"
#include "util/container.h"

#define SHORT_MS 40

enum call {
	ID,
	REPO,
	ADD,
	RM,
	LS_ONE,
	LS,
	GC
};

static void start(struct fix *f, enum call what, struct got *g)
{
	int r = -1;

	g->f = f;
	switch (what) {
	case ID:
		r = kubo_id(f->kubo, got_id, g, &g->call);
		break;
	case REPO:
		r = kubo_repo_stat(f->kubo, got_repo, g, &g->call);
		break;
	case ADD:
		r = kubo_pin_add(f->kubo, &f->a, -1, NULL, got_progress, got_done, g, &g->call);
		break;
	case RM:
		r = kubo_pin_rm(f->kubo, &f->a, got_done, g, &g->call);
		break;
	case LS_ONE:
		r = kubo_pin_ls_one(f->kubo, &f->a, got_kind, g, &g->call);
		break;
	case LS:
		r = kubo_pin_ls(f->kubo, KUBO_RECURSIVE, got_pin, got_done, g, &g->call);
		break;
	case GC:
		r = kubo_repo_gc(f->kubo, got_gc, got_done, g, &g->call);
		break;
	}
	assert_int_equal(r, 0);
	assert_int_equal(g->done, 0);
}

static void wants(struct got *g, int status, const char *text)
{
	fix_wait(g->f, &g->done);
	assert_int_equal(g->done, 1);
	if (g->status != status)
		fail_msg("status %d: %s", g->status, g->err.msg);
	assert_int_equal(g->err.code, status);
	if (text)
		assert_string_equal(g->err.msg, text);
	assert_true(g->err.msg[0]);
}

#define ERROR(message) "{\"Message\":\"" message "\",\"Code\":0,\"Type\":\"error\"}\n"

/* Answers that are failures, and what is made of them. */
static const struct {
	const char *what;
	enum call call;
	struct http_fake_step steps[5];
	int status;
	const char *text; /* NULL: any */
} answers[] = {
	{ "an error of Kubo",
	  RM,
	  { HEAD(500), { FAKE_CHUNK, ERROR("disk on fire") }, { FAKE_END } },
	  -EREMOTEIO,
	  "IPFS error (pin/rm?arg=" CID_A "). Code: 500. Message: disk on fire" },
	{ "an error in pieces",
	  RM,
	  { HEAD(500), { FAKE_BYTES, ERROR("disk on fire") }, { FAKE_END } },
	  -EREMOTEIO,
	  "IPFS error (pin/rm?arg=" CID_A "). Code: 500. Message: disk on fire" },
	{ "not pinned",
	  RM,
	  { HEAD(500), { FAKE_CHUNK, ERROR("not pinned or pinned indirectly") }, { FAKE_END } },
	  -ENOENT,
	  "IPFS error (pin/rm?arg=" CID_A
	  "). Code: 500. Message: not pinned or pinned indirectly" },
	{ "a refusal that is no JSON",
	  RM,
	  { HEAD(500), { FAKE_CHUNK, "<html>\x01\xff </html>\r\n" }, { FAKE_END } },
	  -EREMOTEIO,
	  "IPFS error (pin/rm?arg=" CID_A "). Code: 500. Message: <html>   </html>" },
	{ "a refusal that is other JSON",
	  ADD,
	  { HEAD(500), { FAKE_CHUNK, "[1]" }, { FAKE_END } },
	  -EREMOTEIO,
	  NULL },
	{ "an empty refusal", ADD, { HEAD(403), { FAKE_END } }, -EREMOTEIO, NULL },
	{ "no such call",
	  ID,
	  { HEAD(404), { FAKE_CHUNK, "404 page not found\n" }, { FAKE_END } },
	  -EREMOTEIO,
	  "IPFS error (id). Code: 404. Message: 404 page not found" },
	{ "an endless refusal", LS, { HEAD(500), { FAKE_FILL, "garbage " } }, -EFBIG, NULL },
	{ "a redirect",
	  RM,
	  { { FAKE_RAW, "HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" },
	    { FAKE_HANG } },
	  -EREMOTEIO,
	  NULL },
	{ "an error in the trailer",
	  LS,
	  { HEAD(200), { FAKE_CHUNK, LINE(CID_A) }, { FAKE_END, "X-Stream-Error: gone bad \r\n" } },
	  -EREMOTEIO,
	  "IPFS error (pin/ls?stream=true&type=recursive). Code: 200. Message: gone bad" },
	{ "an error after progress",
	  ADD,
	  { HEAD(200), { FAKE_CHUNK, "{\"Progress\":1}\n" ERROR("no block") }, { FAKE_END } },
	  -EREMOTEIO,
	  "IPFS error (pin/add?arg=" CID_A
	  "&recursive=true&progress=true). Code: 200. Message: no block" },
	{ "progress and no end",
	  ADD,
	  { HEAD(200), { FAKE_CHUNK, "{\"Progress\":1}\n" }, { FAKE_END } },
	  -EBADMSG,
	  "unexpected EOF" },
	{ "an empty answer", ADD, { HEAD(200), { FAKE_END } }, -EBADMSG, "unexpected EOF" },
	{ "an empty answer to id", ID, { HEAD(200), { FAKE_END } }, -EBADMSG, "unexpected EOF" },
	{ "a value that is cut",
	  LS,
	  { HEAD(200), { FAKE_CHUNK, LINE(CID_A) "{\"Cid\":\"bafk" }, { FAKE_END } },
	  -EBADMSG,
	  "unexpected EOF" },
	{ "bad JSON", LS, { HEAD(200), { FAKE_CHUNK, "{Cid}" }, { FAKE_END } }, -EBADMSG, NULL },
	{ "no JSON", LS, { HEAD(200), { FAKE_CHUNK, "hello" }, { FAKE_END } }, -EBADMSG, NULL },
	{ "a pin that is no CID",
	  LS,
	  { HEAD(200), { FAKE_CHUNK, "{\"Cid\":\"zzz\"}" }, { FAKE_END } },
	  -EBADMSG,
	  NULL },
	{ "a pin without a CID",
	  LS,
	  { HEAD(200), { FAKE_CHUNK, "{\"Cid\":7}" }, { FAKE_END } },
	  -EBADMSG,
	  NULL },
	{ "negative progress",
	  ADD,
	  { HEAD(200), { FAKE_CHUNK, "{\"Progress\":-1}" }, { FAKE_END } },
	  -EBADMSG,
	  NULL },
	{ "progress that is a list",
	  ADD,
	  { HEAD(200), { FAKE_CHUNK, "[]" PINS_A }, { FAKE_END } },
	  -EBADMSG,
	  NULL },
	{ "a pin removed with an empty answer",
	  RM,
	  { HEAD(200), { FAKE_CHUNK, "{}" }, { FAKE_END } },
	  -EBADMSG,
	  "unexpected EOF" },
	{ "a Kubo that is stopped under a pin",
	  ADD,
	  { HEAD(200),
	    { FAKE_CHUNK, "{\"Progress\":19,\"Bytes\":3001129}\n" },
	    { FAKE_END, "X-Stream-Error: pin: context canceled\r\n" } },
	  -EREMOTEIO,
	  "IPFS error (pin/add?arg=" CID_A
	  "&recursive=true&progress=true). Code: 200. Message: pin: context canceled" },
	{ "an id that is a list", ID, { HEAD(200), { FAKE_CHUNK, "[]" }, { FAKE_END } }, -EBADMSG },
	{ "an id twice",
	  ID,
	  { HEAD(200),
	    { FAKE_CHUNK, "{\"ID\":\"Q\",\"AgentVersion\":\"k\",\"Addresses\":[]}" },
	    { FAKE_CHUNK, "{\"ID\":\"Q\",\"AgentVersion\":\"k\",\"Addresses\":[]}" },
	    { FAKE_END } },
	  -EBADMSG },
	{ "an address that is a number",
	  ID,
	  { HEAD(200),
	    { FAKE_CHUNK, "{\"ID\":\"Q\",\"AgentVersion\":\"k\",\"Addresses\":[1]}" },
	    { FAKE_END } },
	  -EBADMSG },
	{ "a negative size",
	  REPO,
	  { HEAD(200),
	    { FAKE_CHUNK, "{\"RepoSize\":-1,\"StorageMax\":1,\"NumObjects\":1}" },
	    { FAKE_END } },
	  -EBADMSG },
	{ "an unknown kind of pin",
	  LS_ONE,
	  { HEAD(200), { FAKE_CHUNK, "{\"Keys\":{\"Q\":{\"Type\":\"odd\"}}}" }, { FAKE_END } },
	  -EBADMSG },
	{ "no kind of pin",
	  LS_ONE,
	  { HEAD(200), { FAKE_CHUNK, "{\"Keys\":{}}" }, { FAKE_END } },
	  -EBADMSG },
	{ "garbage collected", GC, { HEAD(200), { FAKE_CHUNK, "{}" }, { FAKE_END } }, -EBADMSG },
	{ "a huge value",
	  LS,
	  { HEAD(200), { FAKE_CHUNK, "{\"Cid\":\"" }, { FAKE_FILL, "aaaaaaaaaaaaaaaa" } },
	  -EFBIG,
	  NULL },
	{ "an endless answer", ID, { HEAD(200), { FAKE_FILL, "                " } }, -EFBIG, NULL },
	{ "an endless answer of values",
	  REPO,
	  { HEAD(200), { FAKE_FILL, "{\"RepoSize\":1,\"StorageMax\":1,\"NumObjects\":1}" } },
	  -EFBIG,
	  NULL },
	{ "a connection that ends inside the answer",
	  LS,
	  { HEAD(200), { FAKE_CHUNK, LINE(CID_A) }, { FAKE_CLOSE } },
	  -ECONNRESET,
	  "Post \"http://127.0.0.1:%u/api/v0/pin/ls?stream=true&type=recursive\": unexpected EOF" },
	{ "a connection that ends without an answer",
	  ID,
	  { { FAKE_CLOSE } },
	  -ECONNRESET,
	  "Post \"http://127.0.0.1:%u/api/v0/id\": EOF" },
	{ "no HTTP",
	  ID,
	  { { FAKE_RAW, "SSH-2.0-OpenSSH_9.2\r\n" }, { FAKE_CLOSE } },
	  -EBADMSG,
	  "Post \"http://127.0.0.1:%u/api/v0/id\": malformed HTTP response" },
	{ "broken chunks",
	  ID,
	  { HEAD(200), { FAKE_RAW, "zz\r\n{}\r\n" }, { FAKE_HANG } },
	  -EBADMSG,
	  NULL },
};

static void each_bad_answer_has_its_code_and_words(void **state)
{
	struct fix *f = *state;
	struct http_fake_step steps[ARRAY_LEN(answers[0].steps)] = { 0 };
	size_t i;

	fix_serve(f, "/", steps);
	for (i = 0; i < ARRAY_LEN(answers); i++) {
		const char *text = answers[i].text, *port = text ? strstr(text, "%u") : NULL;
		size_t before = http_fake_requests(f->fake);
		struct got g = { 0 };
		char filled[512];

		if (port) {
			snprintf(filled, sizeof(filled), "%.*s%u%s", (int)(port - text), text,
				 f->port, port + 2);
			text = filled;
		}
		print_message("# %s\n", answers[i].what);
		memcpy(steps, answers[i].steps, sizeof(steps));
		start(f, answers[i].call, &g);
		wants(&g, answers[i].status, text);
		assert_int_equal(http_fake_requests(f->fake), before + 1);
	}
}

static void a_refused_connection_is_told_in_words(void **state)
{
	struct fix *f = *state;
	struct got g = { 0 };
	char text[256];

	http_fake_close(f->fake);
	f->fake = NULL;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	fix_open(f);
	snprintf(text, sizeof(text),
		 "Post \"http://127.0.0.1:%u/api/v0/id\": dial tcp 127.0.0.1:%u: connect: "
		 "connection refused",
		 f->port, f->port);
	start(f, ID, &g);
	wants(&g, -ECONNREFUSED, text);
}

static const struct http_fake_step silent[] = { { FAKE_HANG } };

static void calls_end_at_their_deadline(void **state)
{
	static const struct {
		enum call call;
		const char *path;
	} calls[] = {
		{ ID, "id" },
		{ REPO, "repo/stat?size-only=true" },
		{ RM, "pin/rm?arg=" CID_A },
		{ LS_ONE, "pin/ls?arg=" CID_A },
		{ LS, "pin/ls?stream=true&type=recursive" },
		{ GC, "repo/gc?stream-errors=true" },
	};
	struct fix *f = *state;
	size_t i;

	f->cfg.ipfs_request_timeout_ms = SHORT_MS;
	f->cfg.unpin_timeout_ms = SHORT_MS;
	f->cfg.repogc_timeout_ms = SHORT_MS;
	fix_serve(f, "/", silent);
	for (i = 0; i < ARRAY_LEN(calls); i++) {
		struct got g = { 0 };
		char text[512];

		snprintf(text, sizeof(text),
			 "Post \"http://127.0.0.1:%u/api/v0/%s\": context deadline exceeded",
			 f->port, calls[i].path);
		start(f, calls[i].call, &g);
		wants(&g, -ETIMEDOUT, text);
	}
}

static void a_pin_without_an_answer_ends_as_the_reference_ends_it(void **state)
{
	struct fix *f = *state;
	struct got g = { 0 };

	f->cfg.pin_timeout_ms = SHORT_MS;
	fix_serve(f, "/", silent);
	start(f, ADD, &g);
	wants(&g, -ETIMEDOUT, "context canceled");
}

static void progress_that_stands_still_ends_a_pin(void **state)
{
	static const struct http_fake_step at_3[] = {
		HEAD(200), { FAKE_FILL, "{\"Progress\":3,\"Bytes\":9}\n" }
	};
	static const struct http_fake_step at_0[] = { HEAD(200), { FAKE_FILL, "{}\n" } };
	struct fix *f = *state;
	struct got g = { 0 }, none = { 0 };

	f->cfg.pin_timeout_ms = SHORT_MS;
	http_fake_route(f->fake, "/api/v0/pin/add?arg=" CID_A, at_3);
	http_fake_route(f->fake, "/api/v0/pin/add?arg=" CID_B, at_0);
	fix_open(f);
	start(f, ADD, &g);
	wants(&g, -ETIMEDOUT, "context canceled");
	assert_int_equal(g.each, 1);
	cid_copy(&f->a, &f->b);
	start(f, ADD, &none);
	wants(&none, -ETIMEDOUT, "context canceled");
	assert_int_equal(none.each, 0);
}

#define STEP_MS 60
#define AFTER(nodes)                                                                               \
	{ FAKE_WAIT, .n = STEP_MS },                                                               \
	{                                                                                          \
		FAKE_CHUNK, "{\"Progress\":" #nodes "}\n"                                          \
	}

static void each_increase_of_progress_starts_the_deadline_anew(void **state)
{
	static const struct http_fake_step steps[] = {
		HEAD(200),   AFTER(1), AFTER(2),
		AFTER(3),    AFTER(4), AFTER(5),
		AFTER(6),    AFTER(7), { FAKE_CHUNK, PINS_A },
		{ FAKE_END }
	};
	struct fix *f = *state;
	struct got g = { 0 };
	uint64_t began;

	f->cfg.pin_timeout_ms = 5 * STEP_MS;
	fix_serve(f, "/", steps);
	uv_update_time(&f->loop);
	began = uv_now(&f->loop);
	start(f, ADD, &g);
	fix_wait(f, &g.done);
	assert_int_equal(g.status, 0);
	assert_int_equal(g.each, 7);
	assert_true(uv_now(&f->loop) - began > (uint64_t)f->cfg.pin_timeout_ms);
}

static void a_list_of_nothing_but_space_ends_at_the_deadline(void **state)
{
	static const struct http_fake_step steps[] = { HEAD(200), { FAKE_FILL, "\n\n\n\n" } };
	struct fix *f = *state;
	struct got g = { 0 };

	f->cfg.ipfs_request_timeout_ms = SHORT_MS;
	fix_serve(f, "/", steps);
	start(f, LS, &g);
	wants(&g, -ETIMEDOUT, NULL);
}

/* --- cancel and close --- */

static void a_call_cancelled_at_once_never_reaches_kubo(void **state)
{
	struct fix *f = *state;
	struct got g = { 0 };

	fix_serve(f, "/", silent);
	start(f, ADD, &g);
	kubo_cancel(g.call);
	kubo_cancel(g.call);
	assert_int_equal(g.done, 0);
	wants(&g, -ECANCELED, "context canceled");
	assert_int_equal(http_fake_requests(f->fake), 0);
}

static void cancel_self(struct got *g)
{
	kubo_cancel(g->call);
	assert_int_equal(g->done, 0);
}

static void cancel_other(struct got *g)
{
	if (g->other && !g->other->done)
		kubo_cancel(g->other->call);
}

static void close_all(struct got *g)
{
	if (g->each == 1 || g->done)
		kubo_close(g->f->kubo, fix_on_closed, g->f);
	assert_false(g->f->kubo_closed);
}

static const struct http_fake_step endless_pins[] = { HEAD(200),
						      { FAKE_FILL, LINE(CID_A) LINE(CID_B) } };

static void a_callback_may_cancel_its_own_call(void **state)
{
	struct fix *f = *state;
	struct got g = { .on_each = cancel_self };

	fix_serve(f, "/", endless_pins);
	start(f, LS, &g);
	wants(&g, -ECANCELED, "context canceled");
	/* What else was in the bytes that had come is not told any more. */
	assert_int_equal(g.each, 1);
}

static void a_callback_may_cancel_another_call(void **state)
{
	static const struct http_fake_step rm[] = { HEAD(200),
						    { FAKE_CHUNK, PINS_A },
						    { FAKE_END } };
	struct fix *f = *state;
	struct got endless = { 0 }, g = { .on_done = cancel_other, .other = &endless };
	struct got from_each = { .on_each = cancel_other, .other = &g };

	http_fake_route(f->fake, "/api/v0/pin/ls", endless_pins);
	http_fake_route(f->fake, "/api/v0/pin/add", silent);
	http_fake_route(f->fake, "/api/v0/pin/rm", rm);
	fix_open(f);
	start(f, ADD, &endless);
	start(f, RM, &g);
	wants(&endless, -ECANCELED, NULL);
	assert_int_equal(g.status, 0);
	g = (struct got){ 0 };
	start(f, ADD, &g);
	start(f, LS, &from_each);
	wants(&g, -ECANCELED, NULL);
	from_each.other = NULL;
	kubo_cancel(from_each.call);
	wants(&from_each, -ECANCELED, NULL);
}

static void refuse_start(struct got *g)
{
	assert_int_equal(kubo_id(g->f->kubo, got_id, g, NULL), -ECANCELED);
}

static void close_ends_every_call_and_then_tells(void **state)
{
	struct fix *f = *state;
	struct got g[12];
	size_t i;

	fix_serve(f, "/", silent);
	for (i = 0; i < ARRAY_LEN(g); i++) {
		g[i] = (struct got){ .on_done = refuse_start };
		if (i < 8)
			start(f, i % 2 ? ADD : ID, &g[i]);
	}
	while (http_fake_requests(f->fake) < 8)
		uv_run(&f->loop, UV_RUN_ONCE);
	for (i = 8; i < ARRAY_LEN(g); i++) /* not even sent */
		start(f, LS, &g[i]);
	kubo_close(f->kubo, fix_on_closed, f);
	assert_false(f->kubo_closed);
	for (i = 0; i < ARRAY_LEN(g); i++)
		assert_int_equal(g[i].done, 0);
	while (!f->kubo_closed)
		uv_run(&f->loop, UV_RUN_ONCE);
	for (i = 0; i < ARRAY_LEN(g); i++)
		wants(&g[i], -ECANCELED, "context canceled");
	while (http_fake_open(f->fake) > 0) /* nor is a connection left behind */
		uv_run(&f->loop, UV_RUN_ONCE);
}

static void callbacks_may_close(void **state)
{
	struct fix *f = *state;
	struct got other = { 0 }, g = { .on_each = close_all };

	http_fake_route(f->fake, "/api/v0/pin/ls", endless_pins);
	http_fake_route(f->fake, "/api/v0/pin/add", silent);
	fix_open(f);
	start(f, ADD, &other);
	start(f, LS, &g);
	wants(&g, -ECANCELED, "context canceled");
	wants(&other, -ECANCELED, "context canceled");
	assert_int_equal(g.each, 1);
}

static void done_may_close(void **state)
{
	struct fix *f = *state;
	struct got other = { 0 }, g = { .on_done = close_all };

	fix_serve(f, "/api/v0/pin/add", silent);
	start(f, ADD, &other);
	start(f, RM, &g); /* 404 */
	wants(&g, -EREMOTEIO, NULL);
	wants(&other, -ECANCELED, "context canceled");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, fix_setup, fix_teardown)
	const struct CMUnitTest tests[] = {
		T(each_bad_answer_has_its_code_and_words),
		T(a_refused_connection_is_told_in_words),
		T(calls_end_at_their_deadline),
		T(a_pin_without_an_answer_ends_as_the_reference_ends_it),
		T(progress_that_stands_still_ends_a_pin),
		T(each_increase_of_progress_starts_the_deadline_anew),
		T(a_list_of_nothing_but_space_ends_at_the_deadline),
		T(a_call_cancelled_at_once_never_reaches_kubo),
		T(a_callback_may_cancel_its_own_call),
		T(a_callback_may_cancel_another_call),
		T(close_ends_every_call_and_then_tells),
		T(callbacks_may_close),
		T(done_may_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
