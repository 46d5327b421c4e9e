/* Answering pings. */
#include <stdlib.h>

#include "net/host_internal.h"
#include "net/yamux.h"

struct ping {
	struct list item; /* of the host */
	struct host *host;
	struct stream *stream;
	struct ping_acceptor acceptor;
};

static void ping_free(struct ping *p)
{
	list_del(&p->item);
	free(p);
}

static void on_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
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

static void on_eof(void *arg, struct stream *s)
{
	stream_close(s);
	ping_free(arg);
}

static void on_ended(void *arg, struct stream *s, int why)
{
	ping_free(arg);
}

static size_t count_of(const struct host *h, const struct peerid *peer)
{
	struct list *it;
	size_t n = 0;

	list_each (it, &h->pings)
		n += peerid_equal(stream_peer(container_of(it, struct ping, item)->stream), peer);
	return n;
}

static void on_accepted(void *arg, struct stream *s)
{
	static const struct stream_ops ops = {
		.data = on_data,
		.eof = on_eof,
		.ended = on_ended,
	};
	struct host *h = arg;
	struct ping *p = NULL;

	if (count_of(h, stream_peer(s)) < PING_ACCEPTED_MAX)
		p = calloc(1, sizeof(*p));
	if (!p) {
		stream_reset(s, YAMUX_RESET_LIMIT);
		return;
	}
	p->host = h;
	p->stream = s;
	ping_acceptor_init(&p->acceptor, host_now(h));
	list_add_tail(&h->pings, &p->item);
	stream_own(s, &ops, p);
	host_wake(h, ping_acceptor_deadline(&p->acceptor));
}

void ping_tick(struct host *h, uint64_t now)
{
	struct list *it, *next;

	list_each_safe (it, next, &h->pings) {
		struct ping *p = container_of(it, struct ping, item);
		uint64_t deadline = ping_acceptor_deadline(&p->acceptor);

		if (now < deadline) {
			host_wake(h, deadline);
			continue;
		}
		stream_close(p->stream);
		ping_free(p);
	}
}

int ping_serve(struct host *h)
{
	return host_serve(h, &(struct stream_protocol){ PING_PROTOCOL, on_accepted, h });
}
