#include "net/gossip_rpc.h"

#include <errno.h>
#include <stdlib.h>

#include "gossip.pb-c.h"
#include "types/pb_memory.h"

#define SIGN_PREFIX "libp2p-pubsub:"

/* ---- reading ---- */

static struct gossip_bytes bytes(bool said, const ProtobufCBinaryData *b)
{
	if (!said)
		return (struct gossip_bytes){ 0 };
	if (b->len == 0)
		return (struct gossip_bytes){ (const uint8_t *)"", 0 };
	return (struct gossip_bytes){ b->data, b->len };
}

static const struct gossip_id *id_of(const ProtobufCBinaryData *b)
{
	return b->len == GOSSIP_ID_BYTES ? (const struct gossip_id *)b->data : NULL;
}

static void visit_ids(void (*fn)(void *arg, const struct gossip_id *id), void *arg,
		      Gossip__Ids *const *lists, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < lists[i]->n_ids; k++)
			if (id_of(&lists[i]->ids[k]))
				fn(arg, id_of(&lists[i]->ids[k]));
}

static void visit_control(const Gossip__Control *c, const struct gossip_rpc_events *ev, void *arg)
{
	for (size_t i = 0; i < c->n_ihave; i++) {
		const Gossip__Have *have = c->ihave[i];

		for (size_t k = 0; k < have->n_ids; k++)
			if (id_of(&have->ids[k]))
				ev->ihave(arg, bytes(have->has_topic, &have->topic),
					  id_of(&have->ids[k]));
	}
	visit_ids(ev->iwant, arg, c->iwant, c->n_iwant);
	for (size_t i = 0; i < c->n_graft; i++)
		ev->graft(arg, bytes(c->graft[i]->has_topic, &c->graft[i]->topic));
	for (size_t i = 0; i < c->n_prune; i++)
		ev->prune(arg, bytes(c->prune[i]->has_topic, &c->prune[i]->topic),
			  c->prune[i]->has_backoff ? c->prune[i]->backoff : 0);
	visit_ids(ev->idontwant, arg, c->idontwant, c->n_idontwant);
}

static void visit(const Gossip__RPC *rpc, const struct gossip_rpc_events *ev, void *arg)
{
	for (size_t i = 0; i < rpc->n_subscriptions; i++) {
		const Gossip__Subscription *s = rpc->subscriptions[i];

		ev->subscription(arg, bytes(s->has_topic, &s->topic),
				 s->has_subscribe && s->subscribe);
	}
	for (size_t i = 0; i < rpc->n_publish; i++) {
		const Gossip__Message *m = rpc->publish[i];
		struct gossip_message message = {
			.from = bytes(m->has_from, &m->from),
			.data = bytes(m->has_data, &m->data),
			.seqno = bytes(m->has_seqno, &m->seqno),
			.topic = bytes(m->has_topic, &m->topic),
			.signature = bytes(m->has_signature, &m->signature),
			.key = bytes(m->has_key, &m->key),
		};

		ev->message(arg, &message);
	}
	if (rpc->control)
		visit_control(rpc->control, ev, arg);
}

int gossip_rpc_read(const uint8_t *frame, size_t n, const struct gossip_rpc_events *ev, void *arg,
		    struct err *e)
{
	struct bump memory = { .left = GOSSIP_RPC_MEMORY };
	ProtobufCAllocator allocator = pb_memory(&memory);
	Gossip__RPC *rpc;
	int r = 0;

	if (n > GOSSIP_RPC_MAX)
		return err_set(e, -EBADMSG, "gossip: a frame of %zu bytes", n);
	rpc = gossip__rpc__unpack(&allocator, n, frame);
	if (rpc)
		visit(rpc, ev, arg);
	else if (memory.err == -ENOMEM)
		r = err_sys(e, -ENOMEM, "gossip: a frame of %zu bytes", n);
	else
		r = err_set(e, -EBADMSG, "gossip: a frame is malformed");
	bump_free_all(memory.chunks);
	return r;
}

/* ---- writing ---- */

/* The library takes bytes to be written as not const. */
static ProtobufCBinaryData binary(struct gossip_bytes b)
{
	union {
		const uint8_t *in;
		uint8_t *out;
	} u = { .in = b.p };

	return (ProtobufCBinaryData){ .len = b.n, .data = u.out };
}

static int append(const Gossip__RPC *rpc, struct buf *out)
{
	size_t n = gossip__rpc__get_packed_size(rpc);
	int r = buf_reserve(out, n);

	if (r == 0 && n > 0)
		out->len += gossip__rpc__pack(rpc, out->data + out->len);
	return r;
}

int gossip_rpc_subscriptions(const struct gossip_bytes *topics, size_t n, struct buf *out)
{
	Gossip__Subscription items[GOSSIP_TOPICS_MAX], *list[GOSSIP_TOPICS_MAX];
	Gossip__RPC rpc = GOSSIP__RPC__INIT;

	for (size_t i = 0; i < n; i++) {
		items[i] = (Gossip__Subscription)GOSSIP__SUBSCRIPTION__INIT;
		items[i].has_subscribe = true;
		items[i].subscribe = true;
		items[i].has_topic = true;
		items[i].topic = binary(topics[i]);
		list[i] = &items[i];
	}
	rpc.n_subscriptions = n;
	rpc.subscriptions = list;
	return append(&rpc, out);
}

static Gossip__Message message_of(const struct gossip_message *m)
{
	Gossip__Message ret = GOSSIP__MESSAGE__INIT;

	ret.has_from = m->from.p != NULL;
	ret.from = binary(m->from);
	ret.has_data = m->data.p != NULL;
	ret.data = binary(m->data);
	ret.has_seqno = m->seqno.p != NULL;
	ret.seqno = binary(m->seqno);
	ret.has_topic = m->topic.p != NULL;
	ret.topic = binary(m->topic);
	ret.has_signature = m->signature.p != NULL;
	ret.signature = binary(m->signature);
	ret.has_key = m->key.p != NULL;
	ret.key = binary(m->key);
	return ret;
}

int gossip_rpc_message(const struct gossip_message *m, struct buf *out)
{
	Gossip__Message message = message_of(m), *list = &message;
	Gossip__RPC rpc = GOSSIP__RPC__INIT;

	rpc.n_publish = 1;
	rpc.publish = &list;
	return append(&rpc, out);
}

int gossip_rpc_signed(const struct gossip_message *m, struct buf *out)
{
	Gossip__Message message = message_of(m);
	int r;

	message.has_signature = false;
	message.has_key = false;
	r = buf_reserve(out, sizeof(SIGN_PREFIX) + gossip__message__get_packed_size(&message));
	if (r < 0)
		return r;
	buf_str(out, SIGN_PREFIX);
	out->len += gossip__message__pack(&message, out->data + out->len);
	return 0;
}

static ProtobufCBinaryData *put_ids(ProtobufCBinaryData **at, const struct gossip_id *ids, size_t n)
{
	ProtobufCBinaryData *first = *at;

	for (size_t i = 0; i < n; i++)
		*(*at)++ = binary((struct gossip_bytes){ ids[i].bytes, sizeof(ids[i].bytes) });
	return first;
}

/* Everything that one control message is made of, but the ids. */
struct control_parts {
	Gossip__Control control;
	Gossip__Graft graft[GOSSIP_TOPICS_MAX], *grafts[GOSSIP_TOPICS_MAX];
	Gossip__Prune prune[GOSSIP_TOPICS_MAX], *prunes[GOSSIP_TOPICS_MAX];
	Gossip__Have have[GOSSIP_TOPICS_MAX], *haves[GOSSIP_TOPICS_MAX];
	Gossip__Ids iwant, *iwants, idontwant, *idontwants;
};

static void fill_topics(const struct gossip_rpc_control *c, struct control_parts *p)
{
	for (size_t i = 0; i < c->n_graft; i++) {
		p->graft[i] = (Gossip__Graft)GOSSIP__GRAFT__INIT;
		p->graft[i].has_topic = true;
		p->graft[i].topic = binary(c->graft[i]);
		p->grafts[i] = &p->graft[i];
	}
	p->control.n_graft = c->n_graft;
	p->control.graft = p->grafts;
	for (size_t i = 0; i < c->n_prune; i++) {
		p->prune[i] = (Gossip__Prune)GOSSIP__PRUNE__INIT;
		p->prune[i].has_topic = true;
		p->prune[i].topic = binary(c->prune[i]);
		p->prune[i].has_backoff = c->backoff_s > 0;
		p->prune[i].backoff = c->backoff_s;
		p->prunes[i] = &p->prune[i];
	}
	p->control.n_prune = c->n_prune;
	p->control.prune = p->prunes;
}

static void fill_ids(const struct gossip_rpc_control *c, ProtobufCBinaryData *at,
		     struct control_parts *p)
{
	for (size_t i = 0; i < c->n_ihave; i++) {
		p->have[i] = (Gossip__Have)GOSSIP__HAVE__INIT;
		p->have[i].has_topic = true;
		p->have[i].topic = binary(c->ihave[i].topic);
		p->have[i].n_ids = c->ihave[i].n;
		p->have[i].ids = put_ids(&at, c->ihave[i].ids, c->ihave[i].n);
		p->haves[i] = &p->have[i];
	}
	p->control.n_ihave = c->n_ihave;
	p->control.ihave = p->haves;
	p->iwant = p->idontwant = (Gossip__Ids)GOSSIP__IDS__INIT;
	p->iwant.n_ids = c->n_iwant;
	p->iwant.ids = put_ids(&at, c->iwant, c->n_iwant);
	p->iwants = &p->iwant;
	p->control.n_iwant = c->n_iwant > 0;
	p->control.iwant = &p->iwants;
	p->idontwant.n_ids = c->n_idontwant;
	p->idontwant.ids = put_ids(&at, c->idontwant, c->n_idontwant);
	p->idontwants = &p->idontwant;
	p->control.n_idontwant = c->n_idontwant > 0;
	p->control.idontwant = &p->idontwants;
}

int gossip_rpc_control(const struct gossip_rpc_control *c, struct buf *out)
{
	struct control_parts parts = { .control = GOSSIP__CONTROL__INIT };
	Gossip__RPC rpc = GOSSIP__RPC__INIT;
	size_t n_ids = c->n_iwant + c->n_idontwant;
	ProtobufCBinaryData *ids;
	int r;

	for (size_t i = 0; i < c->n_ihave; i++)
		n_ids += c->ihave[i].n;
	ids = calloc(n_ids + 1, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	fill_topics(c, &parts);
	fill_ids(c, ids, &parts);
	rpc.control = &parts.control;
	r = append(&rpc, out);
	free(ids);
	return r;
}
