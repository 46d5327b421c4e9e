/* Gossip: frames, forged messages, floods of everything that may be said. */
#include "tests/interop/hostile.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "consensus/crdt/broadcast.h"
#include "net/pubsub.h"
#include "types/metric.h"
#include "util/clock.h"

#define GOSSIP "/meshsub/1.2.0"
#define BAD "this was not to be passed on"
#define GOOD "this was"
#define LAST "this is the last one"

/* ---- messages ---- */

void post_make(struct post *p, const struct identity *author, const char *topic, const void *data,
	       size_t n)
{
	static uint64_t last;
	uint64_t now = (uint64_t)clock_now_ns(), seqno;

	last = now > last ? now : last + 1;
	seqno = htobe64(last);
	memcpy(p->seqno, &seqno, sizeof(seqno));
	p->m = (struct gossip_message){ .from = { author->id.bytes, author->id.len },
					.data = { data, n },
					.seqno = { p->seqno, sizeof(p->seqno) },
					.topic = { (const uint8_t *)topic, strlen(topic) } };
	must(gossip_message_sign(&p->m, author, p->signature), "signing");
}

void post_send(struct talk *t, const struct post *p)
{
	struct buf frame = BUF_INIT(0);

	must(gossip_rpc_message(&p->m, &frame), "a message");
	talk_send_frame(t, &frame);
	buf_deinit(&frame);
}

struct talk *gossip_talk(struct mux *m, const struct target *t)
{
	char topic[TOPIC_TEXT_MAX];
	const struct gossip_bytes topics[] = {
		{ (const uint8_t *)METRICS, strlen(METRICS) },
		{ (const uint8_t *)topic, (broadcast_topic(t->cluster, topic), strlen(topic)) },
	};
	struct talk *talk = talk_open(m, GOSSIP);
	struct buf frame = BUF_INIT(0);

	must(gossip_rpc_subscriptions(topics, 2, &frame), "subscriptions");
	talk_send_frame(talk, &frame);
	buf_deinit(&frame);
	return talk;
}

/* ---- frames ---- */

/* Four of them, and its gossip is not listened to for a while. */
static void gossip_frames(const struct target *t)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{ "\x81\x80\x40", 3 },             /* a MiB and a byte */
		{ "\x80\x80\x80\x80\x01", 5 },     /* a length of five bytes */
		{ "\x81\x00", 2 },                 /* one that is not minimal */
		{ "\x05\x0a\xff\xff\xff\x7f", 6 }, /* a field longer than its frame */
	};
	struct talk *talk;
	struct mux m;

	mux_open(&m, t);
	m.says_who = true;
	for (unsigned i = 0; i < PUBSUB_STRIKES_MAX; i++) {
		talk = talk_open(&m, GOSSIP);
		talk_send(talk, cases[i].bytes, cases[i].n);
		talk_expect_reset(talk, YAMUX_RESET_PROTOCOL);
	}
	talk = talk_open(&m, GOSSIP);
	talk_expect_reset(talk, YAMUX_RESET_LIMIT);
	mux_close(&m);
}

/* ---- what must not be passed on ---- */

/* Signed by a key that is not the one of its author. */
static void forged_author(struct post *p, const struct identity *self)
{
	static struct identity other;

	identity_named("somebody else", &other);
	p->m.from = (struct gossip_bytes){ other.id.bytes, other.id.len };
}

static void bad_signature(struct post *p, const struct identity *self)
{
	p->signature[17] ^= 1;
}

static void unsigned_one(struct post *p, const struct identity *self)
{
	p->m.signature = (struct gossip_bytes){ 0 };
}

static void short_signature(struct post *p, const struct identity *self)
{
	p->m.signature.n--;
}

/* The reference dies of an author that is shorter than 16 bytes. */
static void short_author(struct post *p, const struct identity *self)
{
	p->m.from.n = 4;
}

static void no_author(struct post *p, const struct identity *self)
{
	p->m.from = (struct gossip_bytes){ 0 };
}

static void long_number(struct post *p, const struct identity *self)
{
	static const uint8_t number[64];

	p->m.seqno = (struct gossip_bytes){ number, sizeof(number) };
}

static void other_number(struct post *p, const struct identity *self)
{
	p->seqno[7] ^= 1;
}

static void key_of_another(struct post *p, const struct identity *self)
{
	static const uint8_t key[36] = { 0x08, 0x01, 0x12, 0x20 };

	p->m.key = (struct gossip_bytes){ key, sizeof(key) };
}

static void foreign_topic(struct post *p, const struct identity *self)
{
	static const char topic[] = "a topic of others";

	p->m.topic = (struct gossip_bytes){ (const uint8_t *)topic, sizeof(topic) - 1 };
	must(gossip_message_sign(&p->m, self, p->signature), "signing");
}

static void (*const falsified[])(struct post *p, const struct identity *self) = {
	forged_author, bad_signature, unsigned_one, short_signature, short_author,
	no_author,     long_number,   other_number, key_of_another,  foreign_topic,
};

/* What the peer itself is said to have written. */
static void from_itself(struct talk *talk, const struct target *t, const struct identity *self)
{
	struct post p;

	post_make(&p, self, METRICS, BAD, strlen(BAD));
	p.m.from = (struct gossip_bytes){ t->peer.bytes, t->peer.len };
	post_send(talk, &p);
}

/* A change of the pinset by somebody who is not trusted. */
static void untrusted_head(struct talk *talk, const struct target *t, const struct identity *self)
{
	struct buf data = BUF_INIT(0);
	char topic[TOPIC_TEXT_MAX];
	struct cid head;
	struct post p;

	broadcast_topic(t->cluster, topic);
	cid_of_block(CODEC_DAG_PB, BAD, strlen(BAD), &head);
	must(broadcast_encode(&head, 1, &data), "a head");
	must(buf_str(&data, "\x12\x1c" BAD), "a field that is unknown");
	post_make(&p, self, topic, data.data, data.len);
	post_send(talk, &p);
	buf_deinit(&data);
}

/* An honest peer beside ours hears of the good messages alone, and of each once. */
static void forged_messages(const struct target *t)
{
	struct talk *talk, *heard;
	struct mux m, honest;
	struct post p;

	mux_open(&honest, t);
	honest.says_who = true;
	gossip_talk(&honest, t);
	heard = mux_await(&honest, GOSSIP);
	if (!heard)
		die("it opens no stream of gossip");
	mux_open(&m, t);
	m.says_who = true;
	talk = gossip_talk(&m, t);
	for (size_t i = 0; i < sizeof(falsified) / sizeof(*falsified); i++) {
		post_make(&p, &m.w.self, METRICS, BAD, strlen(BAD));
		falsified[i](&p, &m.w.self);
		post_send(talk, &p);
	}
	from_itself(talk, t, &m.w.self);
	untrusted_head(talk, t, &m.w.self);
	post_make(&p, &m.w.self, METRICS, GOOD, strlen(GOOD));
	for (unsigned i = 0; i < 100; i++) /* replayed */
		post_send(talk, &p);
	post_make(&p, &m.w.self, METRICS, LAST, strlen(LAST));
	post_send(talk, &p);
	if (!talk_hears(heard, LAST, strlen(LAST)))
		die("a good message is not passed on");
	if (talk_count(heard, BAD, strlen(BAD)) > 0)
		die("a bad one is");
	if (talk_count(heard, GOOD, strlen(GOOD)) != 1)
		die("one is passed on %zu times", talk_count(heard, GOOD, strlen(GOOD)));
	mux_close(&m);
	mux_close(&honest);
}

/* ---- metrics ---- */

static void say_metric(struct talk *talk, const struct identity *author,
		       const struct metric *metric)
{
	struct buf data = BUF_INIT(0);
	struct post p;

	must(metric_encode(metric, &data), "a metric");
	post_make(&p, author, METRICS, data.data, data.len);
	post_send(talk, &p);
	buf_deinit(&data);
}

/* Members that there are not, in thousands, said to be there by one. */
static void invented_members(const struct target *t)
{
	const unsigned members = 1500;
	struct identity somebody;
	struct talk *talk;
	struct mux m;

	mux_open(&m, t);
	m.says_who = true;
	talk = gossip_talk(&m, t);
	for (unsigned i = 0; i < members; i++) {
		struct metric ping = { .name = "ping", .name_len = 4, .valid = true };

		identity_named(NULL, &somebody);
		ping.peer = somebody.id;
		ping.expire_ns = clock_now_ns() + INT64_C(1000000000);
		say_metric(talk, &m.w.self, &ping);
		identity_clear(&somebody);
	}
	mux_settle(&m);
	mux_close(&m);
}

/* Peers without end, each of which signs that it is there, for a second. */
static void many_identities(const struct target *t)
{
	const unsigned members = 1500;
	struct identity somebody;
	struct talk *talk;
	struct mux m;

	mux_open(&m, t);
	m.says_who = true;
	talk = gossip_talk(&m, t);
	for (unsigned i = 0; i < members; i++) {
		struct metric ping = { .name = "ping", .name_len = 4, .valid = true };

		identity_named(NULL, &somebody);
		ping.peer = somebody.id;
		ping.expire_ns = clock_now_ns() + INT64_C(1000000000);
		say_metric(talk, &somebody, &ping);
		identity_clear(&somebody);
	}
	mux_settle(&m);
	mux_close(&m);
}

/* Names, values and times that nobody needs: thousands of names, zero bytes, what has run out and
 * what has not by turns. */
static void strange_metrics(const struct target *t)
{
	static char value[METRIC_VALUE_MAX];
	const unsigned metrics = 1000;
	struct talk *talk;
	struct mux m;
	char name[32];

	mux_open(&m, t);
	m.says_who = true;
	talk = gossip_talk(&m, t);
	memset(value, '"', sizeof(value));
	for (unsigned i = 0; i < metrics; i++) {
		struct metric one = { .value = value,
				      .value_len = sizeof(value) - i,
				      .peer = m.w.self.id,
				      .valid = true,
				      .expire_ns = i % 2 ? INT64_MAX : INT64_MIN };

		one.name_len = (size_t)snprintf(name, sizeof(name), "%c\n\"\\%u", 0, i / 4);
		one.name = i % 4 ? "ping" : name;
		one.name_len = i % 4 ? 4 : one.name_len;
		say_metric(talk, &m.w.self, &one);
	}
	mux_settle(&m);
	mux_close(&m);
}

/* ---- control ---- */

static void say_control(struct talk *talk, const struct gossip_rpc_control *c)
{
	struct buf frame = BUF_INIT(0);

	must(gossip_rpc_control(c, &frame), "control");
	talk_send_frame(talk, &frame);
	buf_deinit(&frame);
}

/* To topics of its own, one frame after the other. */
static void subscriptions(struct talk *talk)
{
	char name[32];
	struct gossip_bytes topic = { .p = (const uint8_t *)name };
	struct buf frame = BUF_INIT(0);

	for (unsigned i = 0; i < 4000; i++) {
		buf_reset(&frame);
		topic.n = (size_t)snprintf(name, sizeof(name), "topic %u", i);
		must(gossip_rpc_subscriptions(&topic, 1, &frame), "a subscription");
		talk_send_frame(talk, &frame);
	}
	buf_deinit(&frame);
}

/* Everything that may be said of messages and meshes, and far too much of it. */
static void gossip_control_flood(const struct target *t)
{
	static struct gossip_id ids[12000];
	const struct gossip_bytes metrics = { (const uint8_t *)METRICS, strlen(METRICS) };
	struct gossip_rpc_control c = { 0 };
	struct talk *talk;
	struct mux m;

	for (uint32_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		memcpy(ids[i].bytes, &i, sizeof(i));
	mux_open(&m, t);
	m.says_who = true;
	talk = gossip_talk(&m, t);
	subscriptions(talk);
	c.ihave[0].topic = metrics;
	c.ihave[0].ids = c.iwant = c.idontwant = ids;
	c.ihave[0].n = c.n_iwant = sizeof(ids) / sizeof(*ids);
	c.n_ihave = 1;
	for (unsigned i = 0; i < 5; i++)
		say_control(talk, &c);
	c = (struct gossip_rpc_control){ .idontwant = ids, .n_idontwant = 10 };
	for (unsigned i = 0; i < 2000; i++)
		say_control(talk, &c);
	c = (struct gossip_rpc_control){ .n_graft = 1, .n_prune = 1, .backoff_s = UINT64_MAX };
	c.graft[0] = c.prune[0] = metrics;
	for (unsigned i = 0; i < 2000; i++)
		say_control(talk, &c);
	mux_settle(&m);
	mux_close(&m);
}

/* Good messages, as many as it takes. */
static void message_flood(const struct target *t)
{
	static uint8_t data[2048];
	struct talk *talk;
	struct post p;
	struct mux m;

	mux_open(&m, t);
	m.says_who = true;
	talk = gossip_talk(&m, t);
	for (unsigned i = 0; i < 2500; i++) {
		post_make(&p, &m.w.self, METRICS, data, sizeof(data));
		post_send(talk, &p);
	}
	mux_settle(&m);
	mux_close(&m);
}

const struct attack gossip_attacks[] = {
	{ "gossip_frames", gossip_frames },       { "forged_messages", forged_messages },
	{ "invented_members", invented_members }, { "many_identities", many_identities },
	{ "strange_metrics", strange_metrics },   { "gossip_control_flood", gossip_control_flood },
	{ "message_flood", message_flood },       { NULL, NULL },
};
