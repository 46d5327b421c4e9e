#include "tests/unit/ipfs/kubo_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/container.h"

#define GUARD_MS 20000

static void on_guard(uv_timer_t *t)
{
	fprintf(stderr, "the test hangs\n");
	abort();
}

static void parse_cid(const char *text, struct cid *ret)
{
	assert_int_equal(cid_parse(text, strlen(text), ret, NULL), 0);
}

int fix_setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(curl_global_init(CURL_GLOBAL_DEFAULT), CURLE_OK);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	uv_timer_init(&f->loop, &f->guard);
	uv_timer_start(&f->guard, on_guard, GUARD_MS, 0);
	uv_unref((uv_handle_t *)&f->guard);
	f->fake = http_fake_new(&f->loop);
	f->port = http_fake_port(f->fake);
	parse_cid(CID_A, &f->a);
	parse_cid(CID_B, &f->b);
	f->cfg.ipfs_request_timeout_ms = LONG_MS;
	f->cfg.pin_timeout_ms = LONG_MS;
	f->cfg.unpin_timeout_ms = LONG_MS;
	f->cfg.repogc_timeout_ms = LONG_MS;
	*state = f;
	return 0;
}

void fix_on_closed(void *arg)
{
	struct fix *f = arg;

	assert_false(f->kubo_closed);
	f->kubo_closed = true;
	uv_stop(&f->loop);
}

/* Every handle must be gone in the end: uv_loop_close says so. */
int fix_teardown(void **state)
{
	struct fix *f = *state;

	if (f->kubo && !f->kubo_closed) {
		kubo_close(f->kubo, fix_on_closed, f);
		assert_false(f->kubo_closed);
	}
	if (f->fake)
		http_fake_close(f->fake);
	uv_close((uv_handle_t *)&f->guard, NULL);
	while (uv_run(&f->loop, UV_RUN_DEFAULT))
		;
	assert_true(!f->kubo || f->kubo_closed);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	curl_global_cleanup();
	free(f);
	return 0;
}

void fix_open(struct fix *f)
{
	fix_open_at(f, "/ip4/127.0.0.1");
}

void fix_open_at(struct fix *f, const char *host)
{
	char text[128];
	struct err e = { 0 };

	snprintf(text, sizeof(text), "%s/tcp/%u", host, f->port);
	assert_int_equal(multiaddr_parse(text, strlen(text), &f->cfg.node_multiaddress, &e), 0);
	assert_int_equal(kubo_new(&f->loop, &f->cfg, &f->kubo, &e), 0);
}

void fix_serve(struct fix *f, const char *path, const struct http_fake_step *steps)
{
	http_fake_route(f->fake, path, steps);
	fix_open(f);
}

void fix_serve_text(struct fix *f, const char *path, const char *text)
{
	f->text_steps[0] = (struct http_fake_step)HEAD(200);
	f->text_steps[1] = (struct http_fake_step){ FAKE_CHUNK, text };
	f->text_steps[2] = (struct http_fake_step){ FAKE_END };
	fix_serve(f, path, f->text_steps);
}

void fix_wait(struct fix *f, const int *flag)
{
	while (!*flag)
		uv_run(&f->loop, UV_RUN_ONCE);
}

void got_done(void *arg, int status, const struct err *e)
{
	struct got *g = arg;

	g->done++;
	uv_stop(&g->f->loop); /* a timer brought it: without this the loop waits for a socket */
	g->status = status;
	g->has_err = e != NULL;
	if (e)
		g->err = *e;
	if (g->on_done)
		g->on_done(g);
}

void got_id(void *arg, int status, const struct kubo_id *id, const struct err *e)
{
	struct got *g = arg;

	if (id) {
		g->id = *id;
		if (id->n_addresses)
			snprintf(g->address, sizeof(g->address), "%s", id->addresses[0]);
	}
	got_done(g, status, e);
}

void got_repo(void *arg, int status, const struct kubo_repo *r, const struct err *e)
{
	struct got *g = arg;

	if (r)
		g->repo = *r;
	got_done(g, status, e);
}

void got_peers(void *arg, int status, const struct peerid *v, size_t n, const struct err *e)
{
	struct got *g = arg;

	assert_true(n <= ARRAY_LEN(g->peers));
	for (size_t i = 0; i < n; i++)
		g->peers[i] = v[i];
	g->n_peers = n;
	got_done(g, status, e);
}

void got_kind(void *arg, int status, enum kubo_pin_kind kind, const struct err *e)
{
	struct got *g = arg;

	g->kind = kind;
	got_done(g, status, e);
}

void got_progress(void *arg, uint64_t nodes)
{
	struct got *g = arg;

	g->nodes = nodes;
	g->each++;
	if (g->on_each)
		g->on_each(g);
}

void got_pin(void *arg, const struct cid *cid)
{
	struct got *g = arg;

	assert_true(cid_equal(cid, g->each % 2 ? &g->f->b : &g->f->a));
	g->each++;
	if (g->on_each)
		g->on_each(g);
}

void got_gc(void *arg, const char *key, const char *error)
{
	struct got *g = arg;

	g->each++;
	snprintf(g->text, sizeof(g->text), "%s|%s", key ? key : "", error ? error : "");
}

void wants_ok(struct got *g)
{
	assert_int_equal(g->done, 0); /* never from inside the starting function */
	fix_wait(g->f, &g->done);
	assert_int_equal(g->done, 1);
	if (g->status)
		fail_msg("%d: %s", g->status, g->err.msg);
	assert_false(g->has_err);
}

void wants_request(struct fix *f, const char *path)
{
	char line[1024];

	snprintf(line, sizeof(line), "POST /api/v0/%s HTTP/1.1", path);
	assert_string_equal(http_fake_last(f->fake), line);
}
