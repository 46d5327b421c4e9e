#include "tests/fakes/host_fake.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/conn.h"

#define PEERS_MAX 80
#define OFFERS_MAX 16

struct conn {
	bool dialer;
};

struct peer {
	struct peerid id;
	bool connected;
	char *protocols;
	struct conn conn;
};

struct host {
	struct peer peers[PEERS_MAX];
	size_t n_peers;
	struct stream_protocol offers[OFFERS_MAX];
	size_t n_offers;
	struct list watches, streams;
	size_t n_opened;
	bool refuse;
};

struct stream {
	struct list item;
	struct peer *peer;
	bool outbound;
	const char *protocol;
	const struct stream_ops *ops;
	void *arg;
	enum stream_fake_state state;
	uint32_t code;
	struct buf written;
	size_t queued;
};

struct host *host_fake_new(void)
{
	struct host *h = calloc(1, sizeof(*h));

	assert(h);
	list_init(&h->watches);
	list_init(&h->streams);
	return h;
}

static struct peer *peer_of(struct host *h, const struct peerid *id)
{
	struct peer *p;

	for (size_t i = 0; i < h->n_peers; i++)
		if (peerid_equal(&h->peers[i].id, id))
			return &h->peers[i];
	assert(h->n_peers < PEERS_MAX);
	p = &h->peers[h->n_peers++];
	p->id = *id;
	return p;
}

static void set_protocols(struct peer *p, const char *protocols)
{
	free(p->protocols);
	p->protocols = strdup(protocols);
	assert(p->protocols);
}

static void tell(struct host *h, const struct peerid *peer, size_t which)
{
	struct list *it, *next;

	list_each_safe (it, next, &h->watches) {
		struct host_watch *w = container_of(it, struct host_watch, item);

		if (which == 0)
			w->up(w, peer);
		else if (which == 1)
			w->changed(w, peer);
		else
			w->down(w, peer);
	}
}

void host_fake_up(struct host *h, const struct peerid *peer, const char *protocols, bool dialer)
{
	struct peer *p = peer_of(h, peer);

	set_protocols(p, protocols);
	p->connected = true;
	p->conn.dialer = dialer;
	tell(h, peer, 0);
}

void host_fake_changed(struct host *h, const struct peerid *peer, const char *protocols)
{
	set_protocols(peer_of(h, peer), protocols);
	tell(h, peer, 1);
}

static void end_streams(struct host *h, const struct peer *p, int why)
{
	struct list *it;

	list_each (it, &h->streams) {
		struct stream *s = container_of(it, struct stream, item);

		if (s->peer == p && s->state == STREAM_OPEN)
			stream_fake_end(s, why);
	}
}

void host_fake_down(struct host *h, const struct peerid *peer)
{
	struct peer *p = peer_of(h, peer);

	end_streams(h, p, -ECONNRESET);
	p->connected = false;
	tell(h, peer, 2);
}

void host_fake_refuse(struct host *h, bool refuse)
{
	h->refuse = refuse;
}

void host_fake_close(struct host *h)
{
	for (size_t i = 0; i < h->n_peers; i++) {
		struct peer *p = &h->peers[i];

		end_streams(h, p, -ECANCELED);
		if (p->connected)
			tell(h, &p->id, 2);
		free(p->protocols);
	}
	while (!list_empty(&h->streams)) {
		struct stream *s = container_of(h->streams.next, struct stream, item);

		list_del(&s->item);
		buf_deinit(&s->written);
		free(s);
	}
	free(h);
}

static struct stream *new_stream(struct host *h, struct peer *p, bool outbound)
{
	struct stream *s = calloc(1, sizeof(*s));

	assert(s);
	s->peer = p;
	s->outbound = outbound;
	list_add_tail(&h->streams, &s->item);
	return s;
}

struct stream *host_fake_inbound(struct host *h, const struct peerid *peer, const char *protocol)
{
	struct stream *s = new_stream(h, peer_of(h, peer), false);
	size_t i = 0;

	while (i < h->n_offers && strcmp(h->offers[i].name, protocol) != 0)
		i++;
	assert(i < h->n_offers);
	s->protocol = h->offers[i].name;
	h->offers[i].accepted(h->offers[i].arg, s);
	assert(s->ops || s->state == STREAM_RESET);
	return s;
}

struct stream *host_fake_outbound(struct host *h, const struct peerid *peer)
{
	struct list *it;
	struct stream *last = NULL;

	list_each (it, &h->streams) {
		struct stream *s = container_of(it, struct stream, item);

		if (s->outbound && s->state == STREAM_OPEN && peerid_equal(&s->peer->id, peer))
			last = s;
	}
	return last;
}

size_t host_fake_opened(const struct host *h)
{
	return h->n_opened;
}

enum stream_fake_state stream_fake_state(const struct stream *s)
{
	return s->state;
}

uint32_t stream_fake_code(const struct stream *s)
{
	return s->code;
}

const uint8_t *stream_fake_written(struct stream *s, size_t *ret_n)
{
	*ret_n = s->written.len;
	s->written.len = 0;
	return s->written.data;
}

void stream_fake_queue(struct stream *s, size_t n)
{
	s->queued = n;
}

void stream_fake_data(struct stream *s, const void *p, size_t n)
{
	assert(s->state == STREAM_OPEN);
	s->ops->data(s->arg, s, p, n);
}

void stream_fake_eof(struct stream *s)
{
	assert(s->state == STREAM_OPEN);
	if (s->ops->eof)
		s->ops->eof(s->arg, s);
}

void stream_fake_drained(struct stream *s)
{
	assert(s->state == STREAM_OPEN);
	s->queued = 0;
	if (s->ops->drained)
		s->ops->drained(s->arg, s);
}

void stream_fake_end(struct stream *s, int why)
{
	assert(s->state == STREAM_OPEN);
	s->state = STREAM_ENDED;
	s->ops->ended(s->arg, s, why);
}

/* ---- host.h ---- */

int host_serve(struct host *h, const struct stream_protocol *p)
{
	if (h->n_offers == OFFERS_MAX || h->refuse)
		return -ENOSPC;
	h->offers[h->n_offers++] = *p;
	return 0;
}

void host_watch(struct host *h, struct host_watch *w)
{
	list_add_tail(&h->watches, &w->item);
}

void host_unwatch(struct host *h, struct host_watch *w)
{
	list_del(&w->item);
}

bool host_speaks(const struct host *h, const struct peerid *peer, const char *protocol)
{
	size_t n = strlen(protocol);

	for (size_t i = 0; i < h->n_peers; i++) {
		const struct peer *p = &h->peers[i];
		const char *at = p->protocols;

		if (!p->connected || !peerid_equal(&p->id, peer))
			continue;
		while ((at = strstr(at, protocol))) {
			if (at[n] == ' ' || at[n] == '\0')
				return true;
			at += n;
		}
	}
	return false;
}

int host_open(struct host *h, const struct peerid *peer, const char *const *protocols, size_t n,
	      const struct stream_ops *ops, void *arg, struct stream **ret)
{
	struct peer *p = peer_of(h, peer);

	if (!p->connected)
		return -ENOTCONN;
	if (h->refuse)
		return -EMFILE;
	h->n_opened++;
	*ret = new_stream(h, p, true);
	(*ret)->protocol = protocols[0];
	(*ret)->ops = ops;
	(*ret)->arg = arg;
	return 0;
}

void host_unserve(struct host *h, const char *name)
{
}

/* ---- stream.h, conn.h ---- */

void stream_own(struct stream *s, const struct stream_ops *ops, void *arg)
{
	s->ops = ops;
	s->arg = arg;
}

int stream_write(struct stream *s, const void *p, size_t n)
{
	assert(s->state == STREAM_OPEN);
	if (n > STREAM_QUEUE_MAX)
		return -EFBIG;
	if (s->queued + n > STREAM_QUEUE_MAX)
		return -EAGAIN;
	return buf_append(&s->written, p, n);
}

size_t stream_queued(const struct stream *s)
{
	return s->queued;
}

void stream_close(struct stream *s)
{
	assert(s->state == STREAM_OPEN);
	s->state = STREAM_CLOSED;
}

void stream_reset(struct stream *s, uint32_t code)
{
	assert(s->state == STREAM_OPEN);
	s->state = STREAM_RESET;
	s->code = code;
}

/* Half an end, and credit, are nothing to whoever plays the peer. */
void stream_shut(struct stream *s)
{
}

void stream_hold(struct stream *s)
{
}

void stream_unhold(struct stream *s)
{
}

struct conn *stream_conn(const struct stream *s)
{
	return &s->peer->conn;
}

const struct peerid *stream_peer(const struct stream *s)
{
	return &s->peer->id;
}

const char *stream_protocol_name(const struct stream *s)
{
	return s->protocol;
}

bool conn_is_dialer(const struct conn *c)
{
	return c->dialer;
}
