/*
 * identify, identify push and ping: what the host itself speaks. Each new connection is asked what
 * the peer is; until it has answered, the peer is not up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/host_internal.h"
#include "net/yamux.h"
#include "util/container.h"

#define LOG_AREA "host"
#include "util/log.h"

static const char *const ask_protocol[] = { IDENTIFY_PROTOCOL };
static const char *const push_protocol[] = { IDENTIFY_PUSH_PROTOCOL };

/* What a peer says of itself, asked for or pushed, while it comes. */
struct query {
	struct list item; /* of the host */
	struct link *link;
	struct stream *stream;
	struct identify_reader reader;
	uint64_t deadline;
};

struct ping {
	struct list item; /* of the host */
	struct host *host;
	struct stream *stream;
	struct ping_acceptor acceptor;
};

/* ---- what we say ---- */

static int write_ours(struct host *h, const struct conn *c, struct buf *out)
{
	struct identify_bytes addrs[IDENTIFY_ADDRS_MAX], protocols[HOST_PROTOCOLS_MAX];
	const struct sockaddr *remote = conn_remote(c);
	const uint8_t prefix[4] = { 0x08, 0x01, 0x12, 0x20 };
	uint8_t key[sizeof(prefix) + 32];
	struct multiaddr observed;
	struct identify id = { .addrs = addrs, .protocols = protocols };

	memcpy(key, prefix, sizeof(prefix));
	memcpy(key + sizeof(prefix), h->opt.self->public_key, 32);
	id.public_key = (struct identify_bytes){ key, sizeof(key) };
	id.agent = (struct identify_bytes){ (const uint8_t *)h->opt.agent, strlen(h->opt.agent) };
	if (remote->sa_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)remote;

		multiaddr_from_tcp(six->sin6_addr.s6_addr, 16, ntohs(six->sin6_port), &observed);
	} else {
		const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)remote;

		multiaddr_from_tcp((const uint8_t *)&four->sin_addr, 4, ntohs(four->sin_port),
				   &observed);
	}
	id.observed = (struct identify_bytes){ observed.bytes, observed.len };
	for (size_t i = 0; i < h->n_addresses && i < IDENTIFY_ADDRS_MAX; i++)
		addrs[id.n_addrs++] =
		    (struct identify_bytes){ h->addresses[i].bytes, h->addresses[i].len };
	for (size_t i = 0; i < h->n_offers; i++)
		protocols[id.n_protocols++] =
		    (struct identify_bytes){ (const uint8_t *)h->offers[i].name,
					     strlen(h->offers[i].name) };
	return identify_write(&id, out);
}

static void say(struct host *h, struct stream *s)
{
	struct buf out = BUF_INIT(0);
	int r = write_ours(h, stream_conn(s), &out);

	if (r == 0)
		r = stream_write(s, out.data, out.len);
	buf_deinit(&out);
	if (r < 0)
		stream_reset(s, YAMUX_RESET_PROTOCOL);
	else
		stream_close(s);
}

static void nothing_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
}

static void nothing_ended(void *arg, struct stream *s, int why)
{
}

static const struct stream_ops say_ops = { .data = nothing_data, .ended = nothing_ended };

static void ask_accepted(void *arg, struct stream *s)
{
	stream_own(s, &say_ops, NULL);
	say(arg, s);
}

void identify_push_all(struct host *h)
{
	struct list *it;

	list_each (it, &h->peers) {
		struct peer *p = container_of(it, struct peer, item);
		struct stream *s;

		if (p->up && p->push &&
		    host_open(h, &p->id, push_protocol, 1, &say_ops, NULL, &s) == 0)
			say(h, s);
	}
}

/* ---- what they say ---- */

static void query_free(struct query *q)
{
	if (q->link->query == q)
		q->link->query = NULL;
	list_del(&q->item);
	identify_reader_clear(&q->reader);
	free(q);
}

enum scope {
	SCOPE_PUBLIC,
	SCOPE_PRIVATE,
	SCOPE_LOOPBACK,
	SCOPE_NAME
};

static bool in_network(const struct multiaddr *a, const char *network)
{
	struct multiaddr net;

	return multiaddr_parse(network, strlen(network), &net, NULL) == 0 &&
	       multiaddr_in_network(a, &net);
}

static enum scope scope_of(const struct multiaddr *a)
{
	static const char *const private_ones[] = {
		"/ip4/10.0.0.0/ipcidr/8",     "/ip4/172.16.0.0/ipcidr/12",
		"/ip4/192.168.0.0/ipcidr/16", "/ip4/100.64.0.0/ipcidr/10",
		"/ip4/169.254.0.0/ipcidr/16", "/ip6/fc00::/ipcidr/7",
		"/ip6/fe80::/ipcidr/10",
	};

	if (in_network(a, "/ip4/127.0.0.0/ipcidr/8") || in_network(a, "/ip6/::1/ipcidr/128"))
		return SCOPE_LOOPBACK;
	for (size_t i = 0; i < sizeof(private_ones) / sizeof(*private_ones); i++)
		if (in_network(a, private_ones[i]))
			return SCOPE_PRIVATE;
	if (in_network(a, "/ip4/0.0.0.0/ipcidr/0") || in_network(a, "/ip6/::/ipcidr/0"))
		return SCOPE_PUBLIC;
	return SCOPE_NAME;
}

/* An address is of use as far as the connection shows that we are in its network. */
static void learn_addresses(struct host *h, struct link *l, const struct identify *id)
{
	const struct sockaddr *remote = conn_remote(l->conn);
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)remote;
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)remote;
	struct multiaddr a;
	enum scope ours;

	if (remote->sa_family == AF_INET6)
		multiaddr_from_tcp(six->sin6_addr.s6_addr, 16, 0, &a);
	else
		multiaddr_from_tcp((const uint8_t *)&four->sin_addr, 4, 0, &a);
	ours = scope_of(&a);
	addrbook_said_before(h->book, &l->peer->id, host_now(h));
	for (size_t i = 0; i < id->n_addrs; i++) {
		enum scope said;

		if (multiaddr_from_bytes(id->addrs[i].p, id->addrs[i].n, &a, NULL) < 0)
			continue;
		said = scope_of(&a);
		if (said == SCOPE_NAME || said <= ours)
			addrbook_add(h->book, &l->peer->id, &a, ADDRBOOK_SAID, host_now(h));
	}
}

static void take(struct host *h, struct link *l, const struct identify *id)
{
	struct peer *p = l->peer;
	struct buf now = BUF_INIT(HOST_SPOKEN_BYTES_MAX);
	size_t n = id->agent.n < sizeof(p->agent) - 1 ? id->agent.n : sizeof(p->agent) - 1;
	bool changed;
	int r = 0;

	for (size_t i = 0; r == 0 && i < id->n_protocols; i++) {
		r = buf_append(&now, id->protocols[i].p, id->protocols[i].n);
		if (r == 0)
			r = buf_byte(&now, '\0');
	}
	changed = now.len != p->protocols.len ||
		  (now.len > 0 && memcmp(now.data, p->protocols.data, now.len) != 0);
	buf_deinit(&p->protocols);
	p->protocols = now;
	if (n > 0)
		memcpy(p->agent, id->agent.p, n);
	p->agent[n] = '\0';
	p->push = peer_speaks(p, IDENTIFY_PUSH_PROTOCOL);
	learn_addresses(h, l, id);
	peer_identified(h, p, changed);
}

static void query_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct query *q = arg;
	struct err e = { 0 };

	if (identify_feed(&q->reader, p, n, &e) == 0)
		return;
	log_dbg("identify: %s", e.msg);
	stream_reset(s, YAMUX_RESET_PROTOCOL);
	query_free(q);
}

static void query_eof(void *arg, struct stream *s)
{
	struct query *q = arg;
	struct link *l = q->link;
	struct identify id;
	struct err e = { 0 };
	int r = identify_finish(&q->reader, &id, &e);

	stream_close(s);
	query_free(q);
	if (r < 0) {
		log_dbg("identify: %s", e.msg);
		return;
	}
	take(l->host, l, &id);
	identify_clear(&id);
}

static void query_ended(void *arg, struct stream *s, int why)
{
	log_dbg("identify: %s", strerror(-why));
	query_free(arg);
}

static const struct stream_ops query_ops = { .data = query_data,
					     .eof = query_eof,
					     .ended = query_ended };

static struct query *query_new(struct link *l)
{
	struct query *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->link = l;
	q->deadline = host_now(l->host) + IDENTIFY_TIMEOUT_MS;
	identify_reader_init(&q->reader);
	list_add_tail(&l->host->queries, &q->item);
	host_wake(l->host, q->deadline);
	return q;
}

void identify_ask(struct link *l)
{
	struct query *q = query_new(l);

	if (!q)
		return;
	if (stream_open(l->conn, ask_protocol, 1, false, &query_ops, q, &q->stream) < 0) {
		query_free(q);
		return;
	}
	l->query = q;
}

/* Its streams have been told: only what never had one is left. */
void identify_forget(struct link *l)
{
	struct list *it, *next;

	list_each_safe (it, next, &l->host->queries) {
		struct query *q = container_of(it, struct query, item);

		if (q->link == l)
			query_free(q);
	}
}

static void push_accepted(void *arg, struct stream *s)
{
	struct link *l = conn_arg(stream_conn(s));
	struct query *q = l && l->peer ? query_new(l) : NULL;

	if (!q) {
		stream_reset(s, YAMUX_RESET_LIMIT);
		return;
	}
	q->stream = s;
	stream_own(s, &query_ops, q);
}

/* ---- ping ---- */

static void ping_free(struct ping *p)
{
	list_del(&p->item);
	free(p);
}

static void ping_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct ping *pi = arg;
	struct buf out = BUF_INIT(0);
	int r = ping_acceptor_feed(&pi->acceptor, p, n, host_now(pi->host), &out);

	if (r == 0 && out.len > 0)
		r = stream_write(s, out.data, out.len);
	buf_deinit(&out);
	if (r == 0)
		return;
	stream_reset(s, YAMUX_RESET_LIMIT);
	ping_free(pi);
}

static void ping_eof(void *arg, struct stream *s)
{
	stream_close(s);
	ping_free(arg);
}

static void ping_ended(void *arg, struct stream *s, int why)
{
	ping_free(arg);
}

static const struct stream_ops ping_ops = { .data = ping_data,
					    .eof = ping_eof,
					    .ended = ping_ended };

static void ping_accepted(void *arg, struct stream *s)
{
	struct host *h = arg;
	struct list *it;
	struct ping *p;
	unsigned n = 0;

	list_each (it, &h->pings)
		n += peerid_equal(stream_peer(container_of(it, struct ping, item)->stream),
				  stream_peer(s));
	p = n < PING_ACCEPTED_MAX ? calloc(1, sizeof(*p)) : NULL;
	if (!p) {
		stream_reset(s, YAMUX_RESET_LIMIT);
		return;
	}
	p->host = h;
	p->stream = s;
	ping_acceptor_init(&p->acceptor, host_now(h));
	list_add_tail(&h->pings, &p->item);
	stream_own(s, &ping_ops, p);
	host_wake(h, ping_acceptor_deadline(&p->acceptor));
}

/* ---- time ---- */

void identify_tick(struct host *h, uint64_t now)
{
	struct list *it, *next;

	list_each_safe (it, next, &h->queries) {
		struct query *q = container_of(it, struct query, item);

		if (now < q->deadline) {
			host_wake(h, q->deadline);
			continue;
		}
		log_dbg("identify: nothing within %d ms", IDENTIFY_TIMEOUT_MS);
		stream_reset(q->stream, YAMUX_RESET_NONE);
		query_free(q);
	}
	list_each_safe (it, next, &h->pings) {
		struct ping *p = container_of(it, struct ping, item);

		if (now < ping_acceptor_deadline(&p->acceptor)) {
			host_wake(h, ping_acceptor_deadline(&p->acceptor));
			continue;
		}
		stream_close(p->stream);
		ping_free(p);
	}
}

int identify_serve(struct host *h)
{
	const struct stream_protocol ours[] = {
		{ .name = IDENTIFY_PROTOCOL, .accepted = ask_accepted, .arg = h },
		{ .name = IDENTIFY_PUSH_PROTOCOL, .accepted = push_accepted, .arg = h },
		{ .name = PING_PROTOCOL, .accepted = ping_accepted, .arg = h },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(ours) / sizeof(*ours); i++)
		r = host_serve(h, &ours[i]);
	return r;
}
