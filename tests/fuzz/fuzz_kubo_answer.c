/*
 * What Kubo answers to each of its calls, without a network: whatever the bytes and however they
 * are cut, the call ends once, with a result or with a reason. The first byte chooses the call, the
 * second the code of the answer and its trailer, the third the size of the pieces.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipfs/http.h"
#include "ipfs/kubo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* ---- in the place of ipfs/http.c: one request at a time ---- */

struct http_req {
	struct http_limits limits;
	const struct http_ops *ops;
	void *arg;
	bool over;
};

static struct http_req current;

int http_new(uv_loop_t *loop, struct http **ret)
{
	*ret = (struct http *)&current;
	return 0;
}

void http_close(struct http *h, void (*closed)(void *arg), void *arg)
{
	closed(arg);
}

int http_post(struct http *h, const char *url, const struct http_file *file,
	      const struct http_limits *limits, const struct http_ops *ops, void *arg,
	      struct http_req **ret)
{
	current = (struct http_req){ .limits = *limits, .ops = ops, .arg = arg };
	*ret = &current;
	return 0;
}

void http_cancel(struct http_req *r)
{
	r->over = true;
}

bool http_is_over(const struct http_req *r)
{
	return r->over;
}

void http_touch(struct http_req *r)
{
}

static void answer(const struct http_answer *a, const uint8_t *p, size_t n, size_t step)
{
	struct http_req *r = &current;
	struct err e = { 0 };
	int status = 0;

	if (r->limits.body_max && n > r->limits.body_max)
		status = err_set(&e, -EFBIG, "too long");
	for (size_t at = 0; status == 0 && at < n; at += step)
		status = r->ops->body(r->arg, a->code, p + at, n - at < step ? n - at : step, &e);
	check(status == 0 || e.code == status);
	r->over = true;
	r->ops->done(r->arg, status, a, &e);
}

/* ---- the calls ---- */

struct result {
	unsigned done;
	int status;
	uint64_t each, number; /* how often, and what they said */
};

static void end(struct result *r, int status, const struct err *e)
{
	r->done++;
	r->status = status;
	check(status == 0 || (e && e->code == status && e->msg[0]));
}

static void on_done(void *arg, int status, const struct err *e)
{
	end(arg, status, e);
}

static void on_id(void *arg, int status, const struct kubo_id *id, const struct err *e)
{
	struct result *r = arg;

	end(r, status, e);
	check((status == 0) == (id != NULL));
	for (size_t i = 0; id && i < id->n_addresses; i++)
		r->number += strlen(id->addresses[i]);
	r->each = id ? strlen(id->id) + strlen(id->agent) : 0;
}

static void on_repo(void *arg, int status, const struct kubo_repo *repo, const struct err *e)
{
	struct result *r = arg;

	end(r, status, e);
	check((status == 0) == (repo != NULL));
	r->number = repo ? repo->repo_size ^ repo->storage_max ^ repo->num_objects : 0;
}

static void on_kind(void *arg, int status, enum kubo_pin_kind kind, const struct err *e)
{
	struct result *r = arg;

	end(r, status, e);
	r->number = kind;
}

static void on_progress(void *arg, uint64_t nodes)
{
	struct result *r = arg;

	check(nodes > r->number);
	r->each++;
	r->number = nodes;
}

static void on_pin(void *arg, const struct cid *cid)
{
	struct result *r = arg;

	check(cid_defined(cid));
	r->each++;
	r->number += cid->len;
}

static void on_gc(void *arg, const char *key, const char *error)
{
	struct result *r = arg;

	check(key || error);
	r->each++;
	r->number += key ? strlen(key) : 0;
}

static int start(struct kubo *k, uint8_t call, struct result *r)
{
	static const struct cid cid = { .len = 6, .bytes = { 1, 0x55, 0, 2, 'h', 'i' } };
	static const struct multiaddr address = { .len = 8, .bytes = { 4, 127, 0, 0, 1, 6, 0, 1 } };

	switch (call % 9) {
	case 0:
		return kubo_id(k, on_id, r, NULL);
	case 1:
		return kubo_repo_stat(k, on_repo, r, NULL);
	case 2:
		return kubo_pin_add(k, &cid, -1, "name", on_progress, on_done, r, NULL);
	case 3:
		return kubo_pin_update(k, &cid, &cid, on_done, r, NULL);
	case 4:
		return kubo_pin_rm(k, &cid, on_done, r, NULL);
	case 5:
		return kubo_pin_ls_one(k, &cid, on_kind, r, NULL);
	case 6:
		return kubo_pin_ls(k, KUBO_RECURSIVE, on_pin, on_done, r, NULL);
	case 7:
		return kubo_swarm_connect(k, &address, on_done, r, NULL);
	default:
		return kubo_repo_gc(k, on_gc, on_done, r, NULL);
	}
}

static struct result run(struct kubo *k, const uint8_t *data, size_t n, size_t step)
{
	const struct http_answer a = { .code = data[1] & 1 ? 500 : 200,
				       .stream_error = data[1] & 2 ? "it broke" : NULL };
	struct result r = { 0 };

	check(start(k, data[0], &r) == 0);
	check(r.done == 0);
	answer(&a, data + 3, n - 3, step);
	check(r.done == 1);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char node[] = "/ip4/127.0.0.1/tcp/5001";
	struct kubo_config cfg = { 0 };
	struct result a, b;
	struct kubo *k;

	if (n < 3)
		return 0;
	check(multiaddr_parse(node, strlen(node), &cfg.node_multiaddress, NULL) == 0);
	check(kubo_new(NULL, &cfg, &k, NULL) == 0);
	a = run(k, data, n, n);
	b = run(k, data, n, data[2] + 1u);
	/* Of two things wrong with it, the one that is met first depends on the pieces. */
	check((a.status < 0) == (b.status < 0));
	check(a.status < 0 || (a.each == b.each && a.number == b.number));
	kubo_close(k, NULL, NULL);
	return 0;
}
