/*
 * identify and identify push: each new connection is asked what the peer is; until it has answered,
 * the peer is not up. Where it does not say it is asked again, later; and it may say by itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/host_internal.h"
#include "net/reach.h"
#include "net/yamux.h"

#define LOG_AREA "host"
#include "util/log.h"

static const char *const ask_protocol[] = { IDENTIFY_PROTOCOL };
static const char *const push_protocol[] = { IDENTIFY_PUSH_PROTOCOL };

/* What a peer says of itself, asked for or pushed, while it comes. Ends with its stream. */
struct query {
	struct list item; /* of the host */
	struct link *link;
	struct stream *stream;
	bool asked;
	struct identify_reader reader;
	uint64_t deadline;
};

/* ---- what we say ---- */

static size_t put_addresses(const struct host *h, const struct multiaddr *remote,
			    struct identify_bytes *out)
{
	bool far = reach_of(remote) != REACH_MACHINE;
	size_t n = 0;

	for (size_t i = 0; i < h->n_addresses; i++) {
		const struct multiaddr *a = &h->addresses[i];

		if (!far || reach_of(a) != REACH_MACHINE)
			out[n++] = (struct identify_bytes){ a->bytes, a->len };
	}
	return n;
}

/* The socket as we see it, and nothing else: a peer may announce it as its own. */
static int write_ours(const struct host *h, const struct conn *c, struct buf *out)
{
	struct identify_bytes addrs[HOST_ANNOUNCED_MAX], protocols[HOST_PROTOCOLS_MAX];
	struct identify id = { .addrs = addrs, .protocols = protocols };
	/* PublicKey: the type Ed25519, and the key's bytes. */
	uint8_t key[4 + 32] = { 0x08, 0x01, 0x12, 0x20 };
	struct multiaddr observed;
	int r;

	memcpy(key + 4, h->opt.self->public_key, 32);
	announce_address_of(conn_remote(c), &observed);
	id.public_key = (struct identify_bytes){ key, sizeof(key) };
	id.agent = (struct identify_bytes){ (const uint8_t *)h->opt.agent, strlen(h->opt.agent) };
	id.observed = (struct identify_bytes){ observed.bytes, observed.len };
	id.n_addrs = put_addresses(h, &observed, addrs);
	for (size_t i = 0; i < h->n_offers; i++) {
		const char *name = h->offers[i].name;

		protocols[id.n_protocols++] =
		    (struct identify_bytes){ (const uint8_t *)name, strlen(name) };
	}
	do { /* addresses that do not fit are left out, the last ones first */
		r = identify_write(&id, out);
	} while (r == -EFBIG && id.n_addrs-- > 0);
	return r;
}

/* On a stream that nobody owns from here on. */
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

static void ignore_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
}

static void ignore_end(void *arg, struct stream *s, int why)
{
}

static const struct stream_ops say_ops = { .data = ignore_data, .ended = ignore_end };

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

		if (p->up && peer_speaks(p, IDENTIFY_PUSH_PROTOCOL) &&
		    host_open(h, &p->id, push_protocol, 1, &say_ops, NULL, &s) == 0)
			say(h, s);
	}
}

/* ---- what they say ---- */

static void query_free(struct query *q)
{
	q->link->peer->asks -= q->asked;
	list_del(&q->item);
	identify_reader_clear(&q->reader);
	free(q);
}

/* Whoever waits for the peer does so in vain, and it is asked again later, unless something else
 * goes on. */
static void ask_later(struct host *h, struct peer *p, const struct err *why)
{
	if (p->up || p->asks > 0 || !peer_link(p))
		return;
	peer_answer(h, p, -EPROTO, why);
	p->ask_at = host_now(h) + HOST_ASK_AGAIN_MS;
	host_wake(h, p->ask_at);
}

static void query_fail(struct query *q, const struct err *why)
{
	struct host *h = q->link->host;
	struct peer *p = q->link->peer;
	bool asked = q->asked;

	log_dbg("%s", why->msg);
	query_free(q);
	if (asked)
		ask_later(h, p, why);
}

static void learn_addresses(struct host *h, const struct link *l, const struct identify *id)
{
	struct multiaddr remote, a;

	announce_address_of(conn_remote(l->conn), &remote);
	addrbook_said_before(h->book, &l->peer->id, host_now(h));
	for (size_t i = 0; i < id->n_addrs; i++)
		if (multiaddr_from_bytes(id->addrs[i].p, id->addrs[i].n, &a, NULL) == 0 &&
		    reach_is_useful(&a, &remote))
			addrbook_add(h->book, &l->peer->id, &a, ADDRBOOK_SAID, host_now(h));
}

/* Those that fit. */
static void take_protocols(const struct identify *id, struct buf *out)
{
	for (size_t i = 0; i < id->n_protocols; i++) {
		const struct identify_bytes *name = &id->protocols[i];

		if (buf_reserve(out, name->n + 1) == 0) {
			buf_append(out, name->p, name->n);
			buf_byte(out, '\0');
		}
	}
}

static void take(struct host *h, const struct link *l, const struct identify *id)
{
	struct peer *p = l->peer;
	struct buf now = BUF_INIT(HOST_SPOKEN_BYTES_MAX);
	size_t n = id->agent.n < sizeof(p->agent) - 1 ? id->agent.n : sizeof(p->agent) - 1;
	bool changed;

	take_protocols(id, &now);
	changed = now.len != p->protocols.len ||
		  (now.len > 0 && memcmp(now.data, p->protocols.data, now.len) != 0);
	buf_deinit(&p->protocols);
	p->protocols = now;
	if (n > 0)
		memcpy(p->agent, id->agent.p, n);
	p->agent[n] = '\0';
	learn_addresses(h, l, id);
	peer_identified(h, p, changed);
}

static void query_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct query *q = arg;
	struct err e = { 0 };

	if (identify_feed(&q->reader, p, n, &e) == 0)
		return;
	stream_reset(s, YAMUX_RESET_PROTOCOL);
	query_fail(q, &e);
}

static void query_eof(void *arg, struct stream *s)
{
	struct query *q = arg;
	struct link *l = q->link;
	struct identify id;
	struct err e = { 0 };
	int r = identify_finish(&q->reader, &id, &e);

	stream_close(s);
	if (r < 0) {
		query_fail(q, &e);
		return;
	}
	query_free(q);
	take(l->host, l, &id);
	identify_clear(&id);
}

static void query_ended(void *arg, struct stream *s, int why)
{
	struct err e = { 0 };

	err_sys(&e, why, "identify");
	query_fail(arg, &e);
}

static const struct stream_ops query_ops = { .data = query_data,
					     .eof = query_eof,
					     .ended = query_ended };

static struct query *query_new(struct link *l, bool asked)
{
	struct query *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->link = l;
	q->asked = asked;
	l->peer->asks += asked;
	q->deadline = host_now(l->host) + IDENTIFY_TIMEOUT_MS;
	identify_reader_init(&q->reader);
	list_add_tail(&l->host->queries, &q->item);
	host_wake(l->host, q->deadline);
	return q;
}

void identify_ask(struct link *l)
{
	struct query *q = query_new(l, true);
	struct err e = { 0 };
	int r = -ENOMEM;

	if (q)
		r = stream_open(l->conn, ask_protocol, 1, false, &query_ops, q, &q->stream);
	if (r == 0)
		return;
	err_sys(&e, r, "identify");
	if (q)
		query_fail(q, &e);
	else
		ask_later(l->host, l->peer, &e);
}

static size_t count_pushes(const struct host *h, const struct peer *p)
{
	struct list *it;
	size_t n = 0;

	list_each (it, &h->queries) {
		const struct query *q = container_of(it, struct query, item);

		n += !q->asked && q->link->peer == p;
	}
	return n;
}

static void push_accepted(void *arg, struct stream *s)
{
	struct link *l = conn_arg(stream_conn(s));
	struct query *q = NULL;

	if (count_pushes(l->host, l->peer) < HOST_PUSHES_MAX)
		q = query_new(l, false);
	if (!q) {
		stream_reset(s, YAMUX_RESET_LIMIT);
		return;
	}
	q->stream = s;
	stream_own(s, &query_ops, q);
}

/* ---- time ---- */

static void expire(struct host *h, uint64_t now)
{
	struct list *it, *next;
	struct err e = { 0 };

	err_sys(&e, -ETIMEDOUT, "identify");
	list_each_safe (it, next, &h->queries) {
		struct query *q = container_of(it, struct query, item);

		if (now < q->deadline) {
			host_wake(h, q->deadline);
			continue;
		}
		stream_reset(q->stream, YAMUX_RESET_NONE);
		query_fail(q, &e);
	}
}

static void ask_again(struct host *h, uint64_t now)
{
	struct list *it;

	list_each (it, &h->peers) {
		struct peer *p = container_of(it, struct peer, item);
		struct link *l = peer_link(p);

		if (!l || p->up || p->asks > 0)
			continue;
		if (now >= p->ask_at)
			identify_ask(l);
		else
			host_wake(h, p->ask_at);
	}
}

void identify_tick(struct host *h, uint64_t now)
{
	expire(h, now);
	ask_again(h, now);
}

int identify_serve(struct host *h)
{
	const struct stream_protocol ask = { IDENTIFY_PROTOCOL, ask_accepted, h };
	const struct stream_protocol push = { IDENTIFY_PUSH_PROTOCOL, push_accepted, h };
	int r = host_serve(h, &ask);

	return r < 0 ? r : host_serve(h, &push);
}
