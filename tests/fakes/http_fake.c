#include "tests/fakes/http_fake.h"

#include <assert.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/container.h"
#include "util/list.h"

#define ROUTES_MAX 16
#define REQUEST_MAX 8192

struct route {
	const char *path;
	const struct http_fake_step *steps;
};

struct http_fake {
	uv_loop_t *loop;
	uv_tcp_t listener;
	struct list conns;
	struct route routes[ROUTES_MAX];
	size_t n_routes, requests, connections, open;
	bool closed; /* the listener is */
	char last[REQUEST_MAX];
	char body[REQUEST_MAX];
	size_t body_len;
};

struct conn {
	struct list link;
	struct http_fake *f;
	uv_tcp_t tcp;
	uv_timer_t timer;
	int handles;
	char in[REQUEST_MAX];
	size_t in_len;
	char body[REQUEST_MAX];
	size_t body_len, body_left;        /* kept; yet to come */
	const struct http_fake_step *step; /* NULL: waiting for a request */
	size_t at;                         /* in a step that writes many times */
};

struct write {
	uv_write_t req;
	struct conn *c;
	char data[];
};

static void run(struct conn *c);

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void fake_free(struct http_fake *f)
{
	if (f->closed && list_empty(&f->conns))
		free(f);
}

static void on_conn_handle_closed(uv_handle_t *u)
{
	struct conn *c = u->data;

	if (--c->handles > 0)
		return;
	list_del(&c->link);
	c->f->open--;
	fake_free(c->f);
	free(c);
}

static void conn_close(struct conn *c)
{
	if (uv_is_closing((uv_handle_t *)&c->tcp))
		return;
	uv_close((uv_handle_t *)&c->tcp, on_conn_handle_closed);
	uv_close((uv_handle_t *)&c->timer, on_conn_handle_closed);
}

static void on_written(uv_write_t *req, int status)
{
	struct write *w = container_of(req, struct write, req);
	struct conn *c = w->c;

	free(w);
	if (status < 0)
		conn_close(c);
	else if (!uv_is_closing((uv_handle_t *)&c->tcp))
		run(c);
}

/* Goes on with the script once it is written. */
static void send_text(struct conn *c, const char *text, size_t len, bool chunk)
{
	struct write *w = must(malloc(sizeof(*w) + len + 32));
	uv_buf_t buf;
	int n = 0;

	w->c = c;
	if (chunk)
		n = sprintf(w->data, "%zx\r\n", len);
	memcpy(w->data + n, text, len);
	n += (int)len;
	if (chunk)
		n += sprintf(w->data + n, "\r\n");
	buf = uv_buf_init(w->data, (unsigned)n);
	if (uv_write(&w->req, (uv_stream_t *)&c->tcp, &buf, 1, on_written) < 0) {
		free(w);
		conn_close(c);
	}
}

static void send_head(struct conn *c, size_t code)
{
	char head[256];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 %zu Said\r\nContent-Type: application/json\r\n"
			 "Trailer: X-Stream-Error\r\nTransfer-Encoding: chunked\r\n\r\n",
			 code);

	send_text(c, head, (size_t)n, false);
}

static void send_end(struct conn *c, const char *trailers)
{
	char end[256];
	int n = snprintf(end, sizeof(end), "0\r\n%s\r\n", trailers ? trailers : "");

	c->step = NULL;
	send_text(c, end, (size_t)n, false);
}

static void on_wait(uv_timer_t *t)
{
	run(t->data);
}

/* The part of a step that is written many times; false when it is done. */
static bool run_repeated(struct conn *c, const struct http_fake_step *s)
{
	size_t at = c->at++, times = s->what == FAKE_BYTES ? strlen(s->text) : s->n;

	if (at == times && (times || s->what == FAKE_BYTES))
		return false;
	if (s->what == FAKE_BYTES)
		send_text(c, s->text + at, 1, true);
	else
		send_text(c, s->text, strlen(s->text), true);
	return true;
}

static void run(struct conn *c)
{
	const struct http_fake_step *s = c->step;

	if (!s)
		return;
	if (s->what == FAKE_BYTES || s->what == FAKE_FILL) {
		if (run_repeated(c, s))
			return;
		c->at = 0;
		s++;
	}
	c->step = s + 1;
	switch (s->what) {
	case FAKE_RAW:
		send_text(c, s->text, strlen(s->text), false);
		break;
	case FAKE_HEAD:
		send_head(c, s->n);
		break;
	case FAKE_CHUNK:
		send_text(c, s->text, strlen(s->text), true);
		break;
	case FAKE_WAIT:
		uv_timer_start(&c->timer, on_wait, s->n, 0);
		break;
	case FAKE_END:
		send_end(c, s->text);
		break;
	case FAKE_CLOSE:
		conn_close(c);
		break;
	case FAKE_HANG:
		c->step = NULL;
		break;
	case FAKE_BYTES: /* two of these in a row */
	case FAKE_FILL:
		c->step = s;
		run(c);
		break;
	}
}

static const struct http_fake_step *find(struct http_fake *f, const char *path)
{
	const struct route *best = NULL;
	size_t i;

	for (i = 0; i < f->n_routes; i++) {
		const struct route *r = &f->routes[i];

		if (strncmp(path, r->path, strlen(r->path)) == 0 &&
		    (!best || strlen(r->path) > strlen(best->path)))
			best = r;
	}
	return best ? best->steps : NULL;
}

static void on_request(struct conn *c)
{
	static const struct http_fake_step not_found[] = { { FAKE_HEAD, .n = 404 },
							   { FAKE_CHUNK, "404 page not found\n" },
							   { FAKE_END } };
	struct http_fake *f = c->f;
	const char *path = strchr(c->in, '/');

	f->requests++;
	snprintf(f->last, sizeof(f->last), "%.*s", (int)strcspn(c->in, "\r"), c->in);
	memcpy(f->body, c->body, c->body_len);
	f->body_len = c->body_len;
	c->in_len = 0;
	c->step = path ? find(f, path) : NULL;
	if (!c->step)
		c->step = not_found;
	run(c);
}

static void on_alloc(uv_handle_t *u, size_t hint, uv_buf_t *buf)
{
	struct conn *c = u->data;

	*buf = uv_buf_init(c->in + c->in_len, (unsigned)(REQUEST_MAX - 1 - c->in_len));
}

/* Keeps the start of the body, and lets the rest pass. */
static void take_body(struct conn *c, const char *p, size_t n)
{
	size_t room = sizeof(c->body) - c->body_len, kept = n < room ? n : room;

	memcpy(c->body + c->body_len, p, kept);
	c->body_len += kept;
	c->body_left -= n < c->body_left ? n : c->body_left;
	if (c->body_left == 0)
		on_request(c);
}

/* The header is there: what it says comes behind it. */
static void on_header(struct conn *c, const char *end)
{
	const char *length = strstr(c->in, "Content-Length: ");
	size_t header = (size_t)(end - c->in), behind = c->in_len - header;

	c->body_len = 0;
	c->body_left = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
	c->in_len = header; /* the rest of the room is the body's */
	take_body(c, end, behind);
}

static void on_read(uv_stream_t *u, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = u->data;

	const char *end;

	if (n < 0) {
		conn_close(c);
		return;
	}
	if (c->body_left > 0) { /* behind the header, which stays where it is */
		take_body(c, buf->base, (size_t)n);
		return;
	}
	c->in_len += (size_t)n;
	c->in[c->in_len] = '\0';
	end = strstr(c->in, "\r\n\r\n");
	if (end)
		on_header(c, end + 4);
}

static void on_connection(uv_stream_t *server, int status)
{
	struct http_fake *f = server->data;
	struct conn *c = must(calloc(1, sizeof(*c)));

	c->f = f;
	c->tcp.data = c->timer.data = c;
	c->handles = 2;
	uv_tcp_init(f->loop, &c->tcp);
	uv_timer_init(f->loop, &c->timer);
	list_add_tail(&f->conns, &c->link);
	f->connections++;
	f->open++;
	if (uv_accept(server, (uv_stream_t *)&c->tcp) < 0)
		conn_close(c);
	else
		uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

struct http_fake *http_fake_new(uv_loop_t *loop)
{
	struct http_fake *f = must(calloc(1, sizeof(*f)));
	struct sockaddr_in a;

	signal(SIGPIPE, SIG_IGN); /* libuv's writes raise it */
	f->loop = loop;
	f->listener.data = f;
	list_init(&f->conns);
	uv_ip4_addr("127.0.0.1", 0, &a);
	uv_tcp_init(loop, &f->listener);
	if (uv_tcp_bind(&f->listener, (const struct sockaddr *)&a, 0) < 0 ||
	    uv_listen((uv_stream_t *)&f->listener, 16, on_connection) < 0)
		abort();
	return f;
}

uint16_t http_fake_port(const struct http_fake *f)
{
	struct sockaddr_in a;
	int len = sizeof(a);

	if (uv_tcp_getsockname(&f->listener, (struct sockaddr *)&a, &len) < 0)
		abort();
	return ntohs(a.sin_port);
}

void http_fake_route(struct http_fake *f, const char *path, const struct http_fake_step *steps)
{
	assert(f->n_routes < ROUTES_MAX);
	f->routes[f->n_routes++] = (struct route){ path, steps };
}

size_t http_fake_requests(const struct http_fake *f)
{
	return f->requests;
}

size_t http_fake_connections(const struct http_fake *f)
{
	return f->connections;
}

size_t http_fake_open(const struct http_fake *f)
{
	return f->open;
}

const char *http_fake_last(const struct http_fake *f)
{
	return f->last;
}

const char *http_fake_body(const struct http_fake *f, size_t *ret_n)
{
	*ret_n = f->body_len;
	return f->body;
}

static void on_listener_closed(uv_handle_t *u)
{
	struct http_fake *f = u->data;

	f->closed = true;
	fake_free(f);
}

void http_fake_close(struct http_fake *f)
{
	struct list *it;

	list_each (it, &f->conns)
		conn_close(container_of(it, struct conn, link));
	uv_close((uv_handle_t *)&f->listener, on_listener_closed);
}
