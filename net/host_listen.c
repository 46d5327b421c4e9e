/* Listening: who may connect, and from where. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/host_internal.h"

#define LOG_AREA "host"
#include "util/log.h"

#define BACKLOG 128
#define AGAIN_MS 100 /* after a connection that could not be taken */

/* ---- accepting ---- */

static size_t count_from(const struct host *h, const struct flood_key *from)
{
	struct list *it;
	size_t n = 0;

	list_each (it, &h->links)
		n += flood_key_equal(&container_of(it, struct link, item)->from, from);
	return n;
}

static bool is_welcome(struct host *h, const struct flood_key *from)
{
	return h->n_links < HOST_CONNECTIONS_MAX && h->n_upgrading < HOST_UPGRADING_MAX &&
	       flood_admit(&h->flood, from, count_from(h, from), host_now(h));
}

static void take(struct listener *li)
{
	struct host *h = li->host;
	struct flood_key from;
	struct err e = { 0 };
	struct conn *c;
	struct link *l;
	int r = conn_accept(&h->ctx, (uv_stream_t *)&li->tcp, &c, &e);

	li->again = r < 0 && r != -EAGAIN;
	if (li->again)
		host_wake(h, host_now(h) + AGAIN_MS);
	if (r < 0)
		return;
	h->n_conns++;
	flood_key(conn_remote(c), &from);
	if (!is_welcome(h, &from) || link_make(h, c, &l) < 0) {
		h->counts.refused++;
		conn_close(c);
		return;
	}
	l->from = from;
	h->counts.accepted++;
	h->n_upgrading++;
}

static void on_connection(uv_stream_t *s, int status)
{
	if (status == 0)
		take(container_of((uv_tcp_t *)s, struct listener, tcp));
}

void listen_tick(struct host *h, uint64_t now)
{
	for (size_t i = 0; i < h->n_listeners; i++)
		if (h->listeners[i]->again)
			take(h->listeners[i]);
}

/* ---- listening ---- */

static void on_listener_closed(uv_handle_t *t)
{
	struct listener *li = container_of((uv_tcp_t *)t, struct listener, tcp);
	struct host *h = li->host;

	free(li);
	h->n_handles--;
	host_check_closed(h);
}

static int bind_and_listen(struct listener *li, const struct sockaddr *at)
{
	int len = sizeof(li->at);
	int r = uv_tcp_bind(&li->tcp, at, at->sa_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);

	if (r == 0)
		r = uv_listen((uv_stream_t *)&li->tcp, BACKLOG, on_connection);
	if (r == 0)
		r = uv_tcp_getsockname(&li->tcp, (struct sockaddr *)&li->at, &len);
	return r;
}

static int listen_on(struct host *h, const struct sockaddr *at)
{
	struct listener *li = calloc(1, sizeof(*li));
	int r;

	if (!li)
		return -ENOMEM;
	li->host = h;
	r = uv_tcp_init(h->opt.loop, &li->tcp);
	if (r < 0) {
		free(li);
		return r;
	}
	h->n_handles++;
	r = bind_and_listen(li, at);
	if (r < 0)
		uv_close((uv_handle_t *)&li->tcp, on_listener_closed);
	else
		h->listeners[h->n_listeners++] = li;
	return r;
}

static int listen_at(struct host *h, const struct multiaddr *a, struct err *e)
{
	struct buf text = BUF_INIT(0);
	struct targets t = { 0 };
	const char *name = "?";
	int r = 0;

	if (multiaddr_format(a, &text) == 0 && buf_terminate(&text) == 0)
		name = (const char *)text.data;
	if (targets_add_ip(&t, a) < 0) {
		log_dbg("%s is not listened on: it is not an IP address with a TCP port", name);
	} else {
		r = listen_on(h, (const struct sockaddr *)&t.v[0]);
		if (r < 0) {
			err_sys(e, r, "listening on %s", name);
			log_warn("listening on %s: %s", name, strerror(-r));
		}
	}
	buf_deinit(&text);
	return r;
}

int listen_start(struct host *h, struct err *e)
{
	struct err why = { 0 };
	int r = 0;

	for (size_t i = 0; i < h->opt.n_listen && h->n_listeners < HOST_LISTENERS_MAX; i++) {
		int failed = listen_at(h, &h->opt.listen[i], &why);

		if (failed < 0)
			r = failed;
	}
	return h->n_listeners > 0 || r == 0 ? 0 : err_set(e, r, "%s", why.msg);
}

void listen_close(struct host *h)
{
	for (size_t i = 0; i < h->n_listeners; i++)
		uv_close((uv_handle_t *)&h->listeners[i]->tcp, on_listener_closed);
	h->n_listeners = 0;
}
