/* Streams of the other protocols: identify, ping, bitswap, calls; and memory that is held. */
#include "tests/interop/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/bitswap_message.h"
#include "net/exchange.h"
#include "net/gorpc_frames.h"
#include "net/host_internal.h"
#include "types/msgpack_wire.h"

#define FORBIDDEN "client does not have permissions to call"
#define BIG (3u << 20)

static void bytes_to(struct talk *t, const char *bytes, size_t n)
{
	talk_send(t, bytes, n);
}

/* ---- identify ---- */

static struct talk *push(struct mux *m)
{
	return talk_open(m, IDENTIFY_PUSH_PROTOCOL);
}

static void bad_pushes(struct mux *m)
{
	static const uint8_t frame[2] = { 1, 0 };
	struct talk *t = push(m);

	bytes_to(t, "\x81\x40", 2); /* 8193 bytes */
	talk_expect_reset(t, YAMUX_RESET_PROTOCOL);
	t = push(m);
	for (unsigned i = 0; i <= IDENTIFY_FRAMES_MAX; i++)
		bytes_to(t, "\x00", 1);
	talk_expect_reset(t, YAMUX_RESET_PROTOCOL);
	t = push(m);
	bytes_to(t, "\x05\x0a\xff\xff\xff\x7f", 6);
	mux_frame(m, YAMUX_DATA, YAMUX_FIN, t->id, sizeof(frame) - 1, frame);
	mux_settle(m);
}

/* More of everything than is kept, and addresses that are none. */
static void crowded_push(struct mux *m)
{
	static const uint8_t bad[] = { 0xff, 0xff, 0x7f, 1 };
	static char names[1500][8];
	struct identify_bytes addrs[600], protocols[1500];
	struct identify id = { .addrs = addrs, .protocols = protocols };
	struct talk *t = push(m);
	struct buf out = BUF_INIT(0);

	for (size_t i = 0; i < 600; i++)
		addrs[i] = (struct identify_bytes){ bad, sizeof(bad) };
	for (size_t i = 0; i < 1500; i++) {
		snprintf(names[i], sizeof(names[i]), "/%zu", i);
		protocols[i] = (struct identify_bytes){ (uint8_t *)names[i], strlen(names[i]) };
	}
	for (unsigned i = 0; i < IDENTIFY_FRAMES_MAX; i++) { /* joined they are one message */
		id.addrs = addrs + i * 60;
		id.protocols = protocols + i * 150;
		id.n_addrs = 60;
		id.n_protocols = 150;
		buf_reset(&out);
		must(identify_write(&id, &out), "identify");
		talk_send(t, out.data, out.len);
	}
	mux_frame(m, YAMUX_WINDOW_UPDATE, YAMUX_FIN, t->id, 0, NULL);
	mux_settle(m);
	if (t->reset)
		die("a long list is refused, where a part of it would do");
	buf_deinit(&out);
}

static void identify_pushes(const struct target *t)
{
	struct talk *last = NULL;
	struct mux m;

	mux_open(&m, t);
	m.says_who = true;
	bad_pushes(&m);
	crowded_push(&m);
	for (unsigned i = 0; i <= HOST_PUSHES_MAX; i++)
		last = push(&m);
	talk_expect_reset(last, YAMUX_RESET_LIMIT);
	mux_close(&m);
}

/* ---- ping ---- */

static void ping_streams(const struct target *t)
{
	static const uint8_t many[PING_BYTES * 4096];
	struct talk *first = NULL, *last = NULL;
	struct mux m;

	mux_open(&m, t);
	first = talk_open(&m, PING_PROTOCOL);
	for (unsigned i = 1; i <= PING_ACCEPTED_MAX; i++)
		last = talk_open(&m, PING_PROTOCOL);
	talk_expect_reset(last, YAMUX_RESET_LIMIT);
	talk_send(first, many, sizeof(many));
	mux_settle(&m);
	if (first->reset)
		die("pings that may be are refused");
	mux_close(&m);
}

/* ---- bitswap ---- */

static void bad_messages(struct mux *m)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{ "\x81\x80\x80\x02", 4 },                    /* 4 MiB and a byte */
		{ "\x05\x0a\xff\xff\xff\x7f", 6 },            /* no protobuf */
		{ "\x07\x0a\x05\x0a\x03\x0a\x01\x01", 8 },    /* a bad CID */
		{ "\x04\x0a\x02\x0a\x00", 5 },                /* no CID */
		{ "\x09\x1a\x07\x0a\x01\x07\x12\x02hi", 10 }, /* a bad prefix */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct talk *t = talk_open(m, EXCHANGE_PROTOCOL);

		bytes_to(t, cases[i].bytes, cases[i].n);
		talk_expect_reset(t, YAMUX_RESET_PROTOCOL);
	}
}

static void many_wants(struct mux *m)
{
	struct bitswap_entry en = { .send_dont_have = true };
	struct talk *t = talk_open(m, EXCHANGE_PROTOCOL);

	for (uint32_t round = 0; round < 10; round++) {
		struct buf list = BUF_INIT(0), message = BUF_INIT(0);

		for (uint32_t i = 0; i < 2 * BITSWAP_PEER_WANTS_MAX; i++) {
			uint32_t what[2] = { round, i };

			en.priority = (int32_t)i;
			cid_of_block(CODEC_DAG_PB, what, sizeof(what), &en.cid);
			must(bitswap_put_entry(&list, &en), "a want");
		}
		must(bitswap_put_wantlist(&message, &list, false), "wants");
		talk_send_frame(t, &message);
		buf_deinit(&list);
		buf_deinit(&message);
	}
	mux_settle(m);
	if (t->reset)
		die("many wants are refused, where a part of them would do");
}

static void unwanted_blocks(struct mux *m)
{
	static uint8_t bytes[256 * 1024];
	struct talk *t = talk_open(m, EXCHANGE_PROTOCOL);
	struct cid cid;

	for (uint32_t i = 0; i < 64; i++) {
		struct buf nothing = BUF_INIT(0), message = BUF_INIT(0);

		memcpy(bytes, &i, sizeof(i));
		cid_of_block(CODEC_DAG_PB, bytes, sizeof(bytes), &cid);
		must(bitswap_put_wantlist(&message, &nothing, false), "a message");
		must(bitswap_put_block_head(&message, &cid, sizeof(bytes)), "a block");
		must(buf_append(&message, bytes, sizeof(bytes)), "a block");
		talk_send_frame(t, &message);
		buf_deinit(&message);
	}
	mux_settle(m);
}

static void bitswap_messages(const struct target *t)
{
	struct mux m;

	mux_open(&m, t);
	m.says_who = true;
	bad_messages(&m);
	many_wants(&m);
	unwanted_blocks(&m);
	mux_close(&m);
}

/* ---- calls ---- */

static struct talk *call(struct mux *m, const char *service, const char *method)
{
	struct talk *t = talk_open(m, GORPC_PROTOCOL);
	struct gorpc_id id = { 0 };
	struct buf out = BUF_INIT(0);

	snprintf(id.service, sizeof(id.service), "%s", service);
	snprintf(id.method, sizeof(id.method), "%s", method);
	must(gorpc_id_write(&id, &out), "a call");
	talk_send(t, out.data, out.len);
	buf_deinit(&out);
	return t;
}

static void expect_text(struct talk *t, const char *text)
{
	if (!talk_hears(t, text, strlen(text)))
		die("it does not say '%s'", text);
}

/* What only those may ask for who are trusted, and what nobody may. */
static void untrusted_calls(const struct target *t)
{
	static const char *const all[][2] = {
		{ "Cluster", "PeerRemove" },
		{ "Cluster", "Peers" },
		{ "Cluster", "RecoverAllLocal" },
		{ "Cluster", "RecoverLocal" },
		{ "Cluster", "RepoGCLocal" },
		{ "Cluster", "Pin" },
		{ "Cluster", "Unpin" },
		{ "Cluster", "Pins" },
		{ "Cluster", "StatusAll" },
		{ "Consensus", "LogPin" },
		{ "Consensus", "LogUnpin" },
		{ "Consensus", "AddPeer" },
		{ "Consensus", "RmPeer" },
		{ "IPFSConnector", "BlockStream" },
		{ "IPFSConnector", "ConfigKey" },
		{ "IPFSConnector", "RepoStat" },
		{ "IPFSConnector", "SwarmPeers" },
		{ "PinTracker", "Recover" },
		{ "PinTracker", "Status" },
		{ "PinTracker", "StatusAll" },
		{ "PinTracker", "Untrack" },
	};
	struct mux m;

	mux_open(&m, t);
	m.says_who = true;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		expect_text(call(&m, all[i][0], all[i][1]), FORBIDDEN);
	expect_text(call(&m, "Cluster", "NoSuch"), "can't find method");
	expect_text(call(&m, "NoSuch", "Pin"), "can't find service");
	mux_close(&m);
}

static void deep(struct mux *m)
{
	uint8_t nested[1000];
	struct talk *t = call(m, "Cluster", "Version");

	memset(nested, 0x91, sizeof(nested)); /* an array of one, of one... */
	talk_send(t, nested, sizeof(nested));
	expect_text(t, "no msgpack");
}

static void huge(struct mux *m)
{
	static const uint8_t claims[] = { 0xdb, 0xff, 0xff, 0xff, 0xff }; /* 4 GiB of text */
	static const uint8_t array[] = { 0xdd, 0xff, 0xff, 0xff, 0xff };
	struct talk *t = call(m, "Cluster", "Version");

	talk_send(t, claims, sizeof(claims));
	expect_text(t, "too large");
	t = call(m, "Cluster", "Version");
	talk_send(t, array, sizeof(array));
	mux_settle(m);
}

static void malformed_calls(const struct target *t)
{
	struct talk *one;
	struct mux m;

	mux_open(&m, t);
	m.says_who = true;
	one = talk_open(&m, GORPC_PROTOCOL);
	talk_send(one, "\xc1", 1); /* never msgpack */
	expect_text(one, "no msgpack");
	one = talk_open(&m, GORPC_PROTOCOL);
	talk_send(one, "\xc0", 1); /* nil: no names */
	expect_text(one, "can't find service");
	one = talk_open(&m, GORPC_PROTOCOL);
	talk_send(one, "\xda\xff\xff", 3); /* a name of 65535 bytes */
	expect_text(one, "too large");
	deep(&m);
	huge(&m);
	mux_close(&m);
}

/* More than may be under way at a time. */
static void call_flood(const struct target *t)
{
	struct talk *last = NULL;
	struct mux m;

	mux_open(&m, t);
	for (unsigned i = 0; i <= GORPC_CALLS_MAX; i++)
		last = talk_open(&m, GORPC_PROTOCOL);
	expect_text(last, "too many calls");
	mux_close(&m);
}

/* ---- memory ---- */

/* A part of what is said to be a large argument. */
static void hold_argument(struct mux *m, const uint8_t *bytes, size_t n)
{
	static const uint8_t claims[] = { 0xdb, 0, 0x3f, 0, 0 };
	struct talk *t = call(m, "Cluster", "Version");

	talk_send(t, claims, sizeof(claims));
	talk_send(t, bytes, n);
}

static void hold_frame(struct mux *m, const char *protocol, const char *length, size_t n_length,
		       const uint8_t *bytes, size_t n)
{
	struct talk *t = talk_open(m, protocol);

	talk_send(t, length, n_length);
	talk_send(t, bytes, n);
}

/* Peers without end, each of which begins all that is large and ends nothing. Says so, and stays
 * until its input ends. */
static void hoard(const struct target *t)
{
	static uint8_t bytes[BIG];
	static struct mux m[48];
	char c;

	for (size_t i = 0; i < sizeof(m) / sizeof(*m); i++) {
		mux_open(&m[i], t);
		hold_frame(&m[i], "/meshsub/1.2.0", "\x80\x80\x40", 3, bytes, (1u << 20) - 1);
		hold_frame(&m[i], EXCHANGE_PROTOCOL, "\x80\x80\x80\x02", 4, bytes, BIG);
		hold_argument(&m[i], bytes, BIG);
		mux_settle(&m[i]);
	}
	printf("holding\n");
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	for (size_t i = 0; i < sizeof(m) / sizeof(*m); i++)
		mux_close(&m[i]);
}

/* Half of the connections that there may be, each with all the streams it may have, on which
 * nothing is said. Stays as hoard does. */
static void crowd(const struct target *t)
{
	static struct mux m[HOST_CONNECTIONS_MAX / 2];
	char c;

	for (size_t i = 0; i < sizeof(m) / sizeof(*m); i++) {
		mux_open(&m[i], t);
		for (unsigned s = 0; s < YAMUX_INBOUND_MAX; s++)
			talk_open(&m[i], NULL);
		mux_turn(&m[i], 0);
	}
	printf("holding\n");
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	for (size_t i = 0; i < sizeof(m) / sizeof(*m); i++)
		mux_close(&m[i]);
}

const struct attack calls_attacks[] = {
	{ "identify_pushes", identify_pushes },
	{ "ping_streams", ping_streams },
	{ "bitswap_messages", bitswap_messages },
	{ "untrusted_calls", untrusted_calls },
	{ "malformed_calls", malformed_calls },
	{ "call_flood", call_flood },
	{ "hoard", hoard },
	{ "crowd", crowd },
	{ NULL, NULL },
};
