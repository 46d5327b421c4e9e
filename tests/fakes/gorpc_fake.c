#include "tests/fakes/gorpc_fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/container.h"
#include "util/list.h"

struct gorpc {
	const struct gorpc_config *cfg;
	struct list calls, requests;
	bool away;
	uv_timer_t timer;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct value {
	struct list link;
	size_t n;
	uint8_t bytes[];
};

struct gorpc_call {
	struct list link;
	struct gorpc *g;
	struct peerid peer;
	const struct gorpc_method *method;
	enum gorpc_fake_state state;
	bool begun, held;
	void *arg;
	void (*writable)(void *arg, struct gorpc_call *c);
	size_t room;
	bool full;
	struct list values;
	enum gorpc_error error;
	char text[GORPC_ERROR_TEXT_MAX];
};

struct gorpc_request {
	struct list link;
	struct gorpc *g;
	struct peerid peer;
	char name[2 * GORPC_NAME_MAX];
	struct gorpc_handler handler;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* ---- life ---- */

int gorpc_new(struct host *h, uv_loop_t *loop, const struct gorpc_config *cfg, struct gorpc **ret,
	      struct err *e)
{
	struct gorpc *g = calloc(1, sizeof(*g));

	must(g && uv_timer_init(loop, &g->timer) == 0);
	g->cfg = cfg;
	list_init(&g->calls);
	list_init(&g->requests);
	*ret = g;
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	struct gorpc *g = container_of(h, struct gorpc, timer);

	must(list_empty(&g->requests));
	if (g->closed)
		g->closed(g->closed_arg);
	free(g);
}

void gorpc_close(struct gorpc *g, void (*closed)(void *arg), void *arg)
{
	g->closed = closed;
	g->closed_arg = arg;
	while (!list_empty(&g->calls))
		gorpc_fake_cancel(container_of(g->calls.next, struct gorpc_call, link));
	while (!list_empty(&g->requests))
		gorpc_fake_refuse(container_of(g->requests.next, struct gorpc_request, link),
				  -ECANCELED, "closing");
	uv_close((uv_handle_t *)&g->timer, on_closed);
}

/* ---- a call of the test's ---- */

static void over(struct gorpc_call *c, enum gorpc_fake_state state)
{
	must(c->state == GORPC_FAKE_OPEN);
	c->state = state;
	list_del(&c->link);
}

static void fail(struct gorpc_call *c, enum gorpc_error type, const char *text)
{
	c->error = type;
	snprintf(c->text, sizeof(c->text), "%s", text);
	over(c, GORPC_FAKE_FAILED);
}

struct gorpc_call *gorpc_fake_call(struct gorpc *g, const struct peerid *peer, const char *service,
				   const char *method)
{
	struct gorpc_call *c = calloc(1, sizeof(*c));

	must(c);
	c->g = g;
	c->peer = *peer;
	c->room = SIZE_MAX;
	list_init(&c->values);
	list_add_tail(&g->calls, &c->link);
	for (size_t i = 0; i < g->cfg->n_methods; i++)
		if (strcmp(g->cfg->methods[i].service, service) == 0 &&
		    strcmp(g->cfg->methods[i].name, method) == 0)
			c->method = &g->cfg->methods[i];
	if (!c->method && !g->cfg->closed(service, method))
		fail(c, GORPC_SERVER, "no such method");
	else if (!c->method || !g->cfg->allowed(g->cfg->arg, peer, c->method))
		fail(c, GORPC_FORBIDDEN, "no permission");
	return c;
}

void gorpc_fake_argument(struct gorpc_call *c, const void *p, size_t n)
{
	uint8_t *copy;

	if (c->state != GORPC_FAKE_OPEN)
		return;
	must(c->method->streaming || (p && !c->begun));
	c->begun = true;
	copy = p ? malloc(n + 1) : NULL; /* valid during the call alone */
	must(!p || copy);
	if (p)
		memcpy(copy, p, n);
	c->method->argument(c->g->cfg->arg, c, copy, n);
	free(copy);
}

void gorpc_fake_cancel(struct gorpc_call *c)
{
	if (c->state != GORPC_FAKE_OPEN)
		return;
	over(c, GORPC_FAKE_GONE);
	if (c->begun)
		c->method->cancelled(c->g->cfg->arg, c);
}

void gorpc_fake_free(struct gorpc_call *c)
{
	gorpc_fake_cancel(c);
	while (!list_empty(&c->values)) {
		struct value *v = container_of(c->values.next, struct value, link);

		list_del(&v->link);
		free(v);
	}
	free(c);
}

void gorpc_fake_room(struct gorpc_call *c, size_t n)
{
	bool was_full = c->full;

	c->room = n;
	c->full = false;
	if (was_full && c->state == GORPC_FAKE_OPEN && c->writable)
		c->writable(c->g->cfg->arg, c);
}

enum gorpc_fake_state gorpc_fake_state(const struct gorpc_call *c)
{
	return c->state;
}

enum gorpc_error gorpc_fake_error(const struct gorpc_call *c)
{
	must(c->state == GORPC_FAKE_FAILED);
	return c->error;
}

const char *gorpc_fake_text(const struct gorpc_call *c)
{
	must(c->state == GORPC_FAKE_FAILED);
	return c->text;
}

bool gorpc_fake_is_held(const struct gorpc_call *c)
{
	return c->held;
}

size_t gorpc_fake_values(const struct gorpc_call *c)
{
	const struct list *it;
	size_t n = 0;

	list_each (it, &c->values)
		n++;
	return n;
}

const uint8_t *gorpc_fake_value(const struct gorpc_call *c, size_t i, size_t *ret_n)
{
	struct list *it;

	list_each (it, &c->values) {
		struct value *v = container_of(it, struct value, link);

		if (i-- > 0)
			continue;
		*ret_n = v->n;
		return v->bytes;
	}
	abort();
}

/* ---- what the methods do ---- */

const struct peerid *gorpc_call_peer(const struct gorpc_call *c)
{
	must(c->state == GORPC_FAKE_OPEN);
	return &c->peer;
}

void gorpc_call_set_arg(struct gorpc_call *c, void *arg)
{
	c->arg = arg;
}

void *gorpc_call_arg(const struct gorpc_call *c)
{
	return c->arg;
}

int gorpc_reply(struct gorpc_call *c, const void *p, size_t n)
{
	struct value *v;

	must(c->state == GORPC_FAKE_OPEN && n > 0);
	must(c->method->streaming || list_empty(&c->values));
	if (c->room == 0) {
		c->full = true;
		return -EAGAIN;
	}
	c->room -= c->room != SIZE_MAX;
	v = malloc(sizeof(*v) + n);
	must(v);
	v->n = n;
	memcpy(v->bytes, p, n);
	list_add_tail(&c->values, &v->link);
	return 0;
}

void gorpc_on_writable(struct gorpc_call *c, void (*fn)(void *arg, struct gorpc_call *c))
{
	c->writable = fn;
}

void gorpc_hold(struct gorpc_call *c)
{
	must(c->state == GORPC_FAKE_OPEN && c->method->streaming);
	c->held = true;
}

void gorpc_unhold(struct gorpc_call *c)
{
	must(c->state == GORPC_FAKE_OPEN);
	c->held = false;
}

void gorpc_finish(struct gorpc_call *c)
{
	must(c->method->streaming || !list_empty(&c->values));
	over(c, GORPC_FAKE_FINISHED);
}

void gorpc_fail(struct gorpc_call *c, enum gorpc_error type, const char *text)
{
	must(c->method->streaming || list_empty(&c->values));
	fail(c, type, text);
}

/* ---- what they call ---- */

int gorpc_call(struct gorpc *g, const struct peerid *peer, const char *service, const char *method,
	       bool streaming, const void *argument, size_t n, uint64_t timeout_ms,
	       const struct gorpc_handler *handler, struct gorpc_request **ret)
{
	struct gorpc_request *r;

	if (g->away)
		return -ENOTCONN;
	r = calloc(1, sizeof(*r));
	must(r && (streaming || argument));
	r->g = g;
	r->peer = *peer;
	snprintf(r->name, sizeof(r->name), "%s.%s", service, method);
	r->handler = *handler;
	list_add_tail(&g->requests, &r->link);
	*ret = r;
	return 0;
}

void gorpc_cancel(struct gorpc_request *r)
{
	list_del(&r->link);
	free(r);
}

struct gorpc_request *gorpc_fake_request(const struct gorpc *g)
{
	return list_empty(&g->requests)
		   ? NULL
		   : container_of(g->requests.prev, struct gorpc_request, link);
}

const struct peerid *gorpc_fake_request_peer(const struct gorpc_request *r)
{
	return &r->peer;
}

const char *gorpc_fake_request_name(const struct gorpc_request *r)
{
	return r->name;
}

static void end(struct gorpc_request *r, const struct gorpc_result *result)
{
	struct gorpc_handler h = r->handler;

	gorpc_cancel(r); /* dead by then */
	h.done(h.arg, result);
}

void gorpc_fake_answer(struct gorpc_request *r, const void *p, size_t n)
{
	const struct gorpc_result ok = { .text = "" };

	r->handler.value(r->handler.arg, p, n);
	end(r, &ok);
}

void gorpc_fake_refuse(struct gorpc_request *r, int status, const char *text)
{
	const struct gorpc_result result = { .status = status, .text = text };

	end(r, &result);
}

void gorpc_fake_away(struct gorpc *g, bool away)
{
	g->away = away;
}
