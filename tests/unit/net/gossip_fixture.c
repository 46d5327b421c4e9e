#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/unit/net/gossip_fixture.h"

#define put(b, ...) assert_int_equal(0, buf_printf((b), __VA_ARGS__))

static bool on_send(void *arg, const struct peerid *to, const uint8_t *frame, size_t n)
{
	struct router *r = arg;
	struct buf text = BUF_INIT(0);

	assert_in_range(n, 1, GOSSIP_RPC_MAX);
	if (r->full)
		return false;
	r->n_sent++;
	buf_reset(&r->last);
	assert_int_equal(0, buf_append(&r->last, frame, n));
	if (r->quiet)
		return true;
	assert_int_equal(0, fixture_read(frame, n, &text));
	put(&r->sent, "%u:%s;", fixture_number(to), (char *)text.data);
	buf_deinit(&text);
	return true;
}

static enum gossip_verdict on_validate(void *arg, const struct peerid *author, const uint8_t *p,
				       size_t n)
{
	const struct router *r = arg;

	return r->reject > 0 && fixture_number(author) == r->reject ? GOSSIP_REJECT : GOSSIP_ACCEPT;
}

static void on_message(void *arg, const struct peerid *author, const struct peerid *from,
		       const uint8_t *p, size_t n)
{
	struct router *r = arg;

	r->n_delivered++;
	if (!r->quiet)
		put(&r->delivered, "%u via %u:%.*s;", fixture_number(author), fixture_number(from),
		    (int)n, (const char *)p);
}

void router_start(struct router *r, unsigned d_factor)
{
	*r = (struct router){ .now = 1000000, .cfg = { .self = fixture_identity(0) } };
	r->cfg.seqno = OUR_SEQNO;
	r->cfg.heartbeat_ms = HEARTBEAT_MS;
	r->cfg.d_factor = d_factor;
	r->cfg.history_length = 6;
	r->cfg.history_gossip = 2;
	r->cfg.send = on_send;
	r->cfg.arg = r;
	assert_int_equal(0, gossip_new(&r->cfg, r->now, &r->g));
}

void router_stop(struct router *r)
{
	gossip_free(r->g);
	buf_deinit(&r->sent);
	buf_deinit(&r->delivered);
	buf_deinit(&r->last);
}

void router_subscribe(struct router *r, const char *topic)
{
	struct gossip_topic t = { .name = topic, .message = on_message, .arg = r };

	if (strcmp(topic, HEADS) == 0)
		t.validate = on_validate;
	assert_int_equal(0, gossip_subscribe(r->g, &t));
}

void router_start_among(struct router *r, unsigned d_factor, unsigned peers)
{
	router_start(r, d_factor);
	router_subscribe(r, METRICS);
	router_subscribe(r, HEADS);
	for (unsigned p = 1; p <= peers; p++) {
		assert_int_equal(0, router_up(r, p, GOSSIP_1_2));
		assert_int_equal(
		    0, router_feed(r, p, "+" METRICS " +" HEADS " graft " METRICS " graft " HEADS));
	}
	router_sent(r);
}

int router_up(struct router *r, unsigned peer, enum gossip_version v)
{
	return gossip_peer_up(r->g, &fixture_identity(peer)->id, v, false, r->now);
}

int router_feed_bytes(struct router *r, unsigned peer, const void *p, size_t n)
{
	struct err e = { 0 };
	int err = gossip_feed(r->g, &fixture_identity(peer)->id, p, n, r->now, &e);

	assert_int_equal(err, e.code);
	return err;
}

int router_feed(struct router *r, unsigned peer, const char *text)
{
	struct buf frame = BUF_INIT(0);
	int err;

	fixture_write(text, &frame);
	err = router_feed_bytes(r, peer, frame.data, frame.len);
	buf_deinit(&frame);
	return err;
}

int router_feed_message(struct router *r, unsigned peer, unsigned author, uint64_t seqno,
			const char *topic, const char *data)
{
	struct buf frame = BUF_INIT(0);
	int err;

	fixture_message(author, seqno, topic, data, strlen(data), &frame);
	err = router_feed_bytes(r, peer, frame.data, frame.len);
	buf_deinit(&frame);
	return err;
}

void router_heartbeat(struct router *r)
{
	r->now = gossip_deadline(r->g);
	gossip_tick(r->g, r->now);
	assert_true(gossip_deadline(r->g) > r->now);
}

static const char *take(struct buf *b)
{
	assert_int_equal(0, buf_terminate(b));
	b->len = 0;
	return (const char *)b->data;
}

const char *router_sent(struct router *r)
{
	return take(&r->sent);
}

const char *router_delivered(struct router *r)
{
	return take(&r->delivered);
}

struct gossip_counts router_counts(const struct router *r)
{
	struct gossip_counts c;

	gossip_counts(r->g, &c);
	return c;
}
