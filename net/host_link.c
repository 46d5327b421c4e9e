/* The connections of the host. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "net/host_internal.h"

#define LOG_AREA "host"
#include "util/log.h"

int link_make(struct host *h, struct conn *c, struct link **ret)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->host = h;
	l->conn = c;
	list_init(&l->of_peer);
	list_add_tail(&h->links, &l->item);
	h->n_links++;
	conn_set_arg(c, l);
	*ret = l;
	return 0;
}

/* ---- too many of them ---- */

static bool may_trim(const struct host *h, const struct link *l)
{
	return l->peer && !l->peer->kept && conn_is_open(l->conn) &&
	       host_now(h) - conn_opened_ms(l->conn) >= h->opt.grace_ms;
}

static size_t count_open(const struct host *h)
{
	struct list *it;
	size_t n = 0;

	list_each (it, &h->links)
		n += conn_is_open(container_of(it, struct link, item)->conn);
	return n;
}

/* The one that is least in use. */
static struct link *find_least(const struct host *h)
{
	struct link *least = NULL;
	struct list *it;

	list_each (it, &h->links) {
		struct link *l = container_of(it, struct link, item);

		if (may_trim(h, l) && (!least || conn_streams(l->conn) < conn_streams(least->conn)))
			least = l;
	}
	return least;
}

void links_trim(struct host *h)
{
	struct link *least;

	if (h->opt.high_water == 0 || h->n_links <= h->opt.high_water ||
	    count_open(h) <= h->opt.high_water)
		return;
	while (count_open(h) > h->opt.low_water && (least = find_least(h)))
		conn_close(least->conn);
}

/* ---- what happens to them ---- */

/* Whose connection it is. -EACCES: it is not wanted. */
static int take_up(struct host *h, struct link *l)
{
	const struct peerid *id = conn_peer(l->conn);
	struct peer *p;
	int r;

	if (h->closing || peerid_equal(id, &h->opt.self->id))
		return -EACCES;
	r = peer_make(h, id, &p);
	if (r < 0)
		return r;
	if (p->n_links == HOST_PER_PEER_MAX)
		return -EACCES;
	l->peer = p;
	list_add_tail(&p->links, &l->of_peer);
	p->n_links++;
	return 0;
}

static void on_open(void *arg, struct conn *c)
{
	struct host *h = arg;
	struct link *l = conn_arg(c);
	int r = take_up(h, l);

	if (!conn_is_dialer(c))
		h->n_upgrading--;
	if (r < 0) {
		h->counts.refused++;
		conn_close(c);
		return;
	}
	if (l->dial)
		dial_won(l->dial);
	l->dial = NULL;
	identify_ask(l);
	links_trim(h);
}

static void count_failure(struct host *h, const struct conn *c, const struct err *why)
{
	if (!conn_is_dialer(c))
		h->n_upgrading--;
	else if (why->code != -ECANCELED)
		h->counts.dial_failures++;
	if (why->code == -ENONET)
		h->counts.bad_first_token++;
	else if (why->code == -EPROTO || why->code == -EACCES)
		h->counts.bad_handshake++;
}

/* Whoever it was with: at debug, since it is a stranger's to cause. */
static void log_end(const struct conn *c, const struct err *why)
{
	struct buf remote = BUF_INIT(0);
	struct multiaddr a;

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	announce_address_of(conn_remote(c), &a);
	if (multiaddr_format(&a, &remote) == 0 && buf_terminate(&remote) == 0)
		log_dbg("the connection with %s ended: %s", (const char *)remote.data, why->msg);
	buf_deinit(&remote);
}

static void end(struct link *l, const struct err *why)
{
	struct host *h = l->host;
	struct peer *p = l->peer;

	log_end(l->conn, why);
	if (conn_opened_ms(l->conn) == 0)
		count_failure(h, l->conn, why);
	if (l->dial)
		dial_lost(l->dial, l, why);
	list_del(&l->item);
	list_del(&l->of_peer);
	free(l);
	h->n_links--;
	if (!p)
		return;
	p->n_links--;
	peer_lost(h, p);
}

static void on_closed(void *arg, struct conn *c, const struct err *why)
{
	struct host *h = arg;
	struct link *l = conn_arg(c);

	h->counts.bytes_in += conn_bytes_in(c);
	h->counts.bytes_out += conn_bytes_out(c);
	h->n_conns--;
	if (l)
		end(l, why);
	host_check_closed(h);
}

static void on_inbound(void *arg, struct conn *c, struct stream *s)
{
	struct host *h = arg;

	stream_accept(s, h->offers, h->n_offers); /* one that is not accepted is reset */
}

void links_init(struct host *h)
{
	list_init(&h->links);
	h->ctx = (struct conn_context){ .loop = h->opt.loop,
					.self = h->opt.self,
					.psk = h->opt.psk,
					.open = on_open,
					.inbound = on_inbound,
					.closed = on_closed,
					.arg = h };
}
