/* From TCP to yamux: before the attacked peer knows who we are, or what we want. */
#include "tests/interop/hostile.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/conn.h"
#include "net/flood.h"
#include "net/host.h"
#include "net/mss.h"
#include "net/noise_handshake.h"

#define GARBAGE 65536
#define FIRST_WORDS 20 /* bytes of the header that a listener says at once */
#define SILENT HOST_UPGRADING_MAX
#define PROTOCOL_ERROR 1

static void dial(struct wire *w, const struct target *t)
{
	if (!wire_dial(w, t, t->secret))
		die("no connection");
}

/* ---- before security is agreed on ---- */

/* Nothing but its first words may have been said when it closes. */
static void expect_nothing(struct wire *w)
{
	wire_expect_end(w, PATIENCE);
	if (w->got > FIRST_WORDS)
		die("%zu bytes were said to a stranger", w->got);
	wire_close(w);
}

static void wrong_secret(const struct target *t)
{
	uint8_t other[32];
	struct wire w;

	for (unsigned i = 0; i < 20; i++) {
		randombytes_buf(other, sizeof(other));
		if (!wire_dial(&w, t, other))
			die("no connection");
		wire_send(&w, "\x13/multistream/1.0.0\n\x07/noise\n", 28);
		expect_nothing(&w);
	}
}

static void garbage(const struct target *t)
{
	uint8_t bytes[GARBAGE];
	struct wire w;

	dial(&w, t);
	randombytes_buf(bytes, sizeof(bytes));
	wire_raw(&w, bytes, sizeof(bytes));
	expect_nothing(&w);
}

static void no_token(const struct target *t)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{ "\x13/multistream/1.0.0 ", 20 }, /* no newline */
		{ "\x00", 1 },
		{ "\xff\x7f", 2 }, /* too long */
		{ "\x80\x00", 2 }, /* not minimal */
		{ "GET / HTTP/1.1\r\n", 16 },
	};
	struct wire w;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		dial(&w, t);
		wire_send(&w, cases[i].bytes, cases[i].n);
		expect_nothing(&w);
	}
}

static void too_many_proposals(const struct target *t)
{
	struct buf out = BUF_INIT(0);
	struct wire w;

	dial(&w, t);
	must(mss_token("/multistream/1.0.0", &out), "a token");
	for (unsigned i = 0; i <= MSS_PROPOSALS_MAX; i++)
		must(mss_token("/tls/1.0.0", &out), "a token");
	wire_send(&w, out.data, out.len);
	wire_expect_end(&w, PATIENCE);
	wire_close(&w);
	buf_deinit(&out);
}

/* ---- connections that go nowhere ---- */

/* As many as may be there at once say nothing, and one says a byte now and then; a further one is
 * refused; all are ended by the limit of an upgrade. */
static void silent(const struct target *t)
{
	static struct wire w[SILENT];
	static const char slow[] = "\x13/multistream/1.0.0\n";
	int64_t begun = now_ms();
	struct wire more;

	for (size_t i = 0; i < SILENT; i++)
		dial(&w[i], t);
	while (w[SILENT - 1].got == 0)
		if (!wire_read(&w[SILENT - 1], patience(PATIENCE)))
			die("the last one is not taken");
	if (wire_dial(&more, t, t->secret))
		expect_nothing(&more);
	for (size_t i = 0; slow[i] && !w[0].over; i++) {
		wire_send(&w[0], &slow[i], 1);
		wire_read(&w[0], now_ms() + SECOND);
	}
	for (size_t i = 0; i < SILENT; i++) {
		wire_expect_end(&w[i], CONN_UPGRADE_IN_MS);
		wire_close(&w[i]);
	}
	if (now_ms() - begun < CONN_UPGRADE_IN_MS - SECOND)
		die("ended after %lld ms", (long long)(now_ms() - begun));
}

/* From one address: some are taken, and no more. For an address that is not loopback. */
static void flood(const struct target *t)
{
	static struct wire w[4 * FLOOD_BURST];
	size_t taken = 0;

	for (size_t i = 0; i < sizeof(w) / sizeof(*w); i++) {
		if (!wire_dial(&w[i], t, t->secret))
			continue;
		while (w[i].got == 0 && wire_read(&w[i], patience(PATIENCE)))
			;
		taken += w[i].got > 0;
	}
	for (size_t i = 0; i < sizeof(w) / sizeof(*w); i++)
		wire_close(&w[i]);
	if (taken == 0 || taken > FLOOD_AT_ONCE_MAX)
		die("%zu connections of one address were taken", taken);
}

/* ---- Noise ---- */

static void say_noise(struct wire *w, const void *p, size_t n)
{
	const uint8_t length[2] = { (uint8_t)(n >> 8), (uint8_t)n };

	wire_send(w, length, sizeof(length));
	wire_send(w, p, n);
}

static void noise_first_message(const struct target *t)
{
	static const uint8_t zero[NOISE_MESSAGE_MAX];
	static const size_t sizes[] = { 0, 1, 31, 33, NOISE_MESSAGE_MAX, 32 }; /* 32: a weak key */
	struct wire w;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		dial(&w, t);
		wire_agree(&w);
		say_noise(&w, zero, sizes[i]);
		wire_expect_silent_end(&w, PATIENCE);
		wire_close(&w);
	}
}

enum lie {
	LIE_SHORT, /* message 3 without what makes it one */
	LIE_BIT,   /* one bit of it is another */
	LIE_KEY,   /* the identity of somebody else */
	LIES
};

static void write_third(struct noise_handshake *h, enum lie lie, struct buf *out)
{
	struct identity other, mixed = *h->self;

	identity_named(NULL, &other);
	memcpy(mixed.public_key, other.public_key, sizeof(mixed.public_key));
	if (lie == LIE_KEY)
		h->self = &mixed;
	must(noise_write_3(h, out), "message 3");
	if (lie == LIE_SHORT)
		out->len = NOISE_MESSAGE_3_MIN - 1;
	if (lie == LIE_BIT)
		out->data[out->len - 1] ^= 1;
	identity_clear(&other);
}

/* An honest first message, the answer, and a third one that lies. */
static void third(const struct target *t, enum lie lie)
{
	struct noise_secrets *secrets = sodium_malloc(sizeof(*secrets));
	int64_t until = patience(PATIENCE);
	struct buf out = BUF_INIT(0);
	struct noise_handshake h;
	struct err e = { 0 };
	struct wire w;

	if (!secrets)
		die("out of memory");
	dial(&w, t);
	wire_agree(&w);
	noise_handshake_init(&h, &w.self, secrets);
	must(noise_write_1(&h, &out), "message 1");
	say_noise(&w, out.data, out.len);
	while ((w.in.len < 2 || w.in.len < 2u + (w.in.data[0] << 8 | w.in.data[1])) &&
	       now_ms() < until && !w.over)
		wire_read(&w, until);
	if (w.in.len < 2 || noise_read_2(&h, w.in.data + 2, w.in.len - 2, &e) < 0)
		die("message 2: %s", e.msg);
	buf_reset(&out);
	write_third(&h, lie, &out);
	say_noise(&w, out.data, out.len);
	wire_expect_silent_end(&w, PATIENCE);
	wire_close(&w);
	buf_deinit(&out);
	sodium_free(secrets);
}

static void noise_third_message(const struct target *t)
{
	for (enum lie lie = 0; lie < LIES; lie++)
		third(t, lie);
}

/* ---- yamux ---- */

static void bad_version(struct mux *m)
{
	static const uint8_t frame[YAMUX_HEADER] = { 1 };

	wire_seal(&m->w, frame, sizeof(frame));
}

static void bad_type(struct mux *m)
{
	mux_frame(m, 9, 0, 1, 0, NULL);
}

static void id_of_the_other(struct mux *m)
{
	mux_frame(m, YAMUX_WINDOW_UPDATE, YAMUX_SYN, 2, 0, NULL);
}

static void id_zero(struct mux *m)
{
	mux_frame(m, YAMUX_DATA, YAMUX_SYN, 0, 0, NULL);
}

static void id_again(struct mux *m)
{
	mux_frame(m, YAMUX_WINDOW_UPDATE, YAMUX_SYN, 1, 0, NULL);
	mux_frame(m, YAMUX_WINDOW_UPDATE, YAMUX_SYN, 1, 0, NULL);
}

static void more_than_credit(struct mux *m)
{
	mux_frame(m, YAMUX_DATA, YAMUX_SYN, 1, YAMUX_WINDOW + 1, NULL);
}

static void four_gigabytes(struct mux *m)
{
	mux_frame(m, YAMUX_DATA, YAMUX_SYN, 1, UINT32_MAX, NULL);
}

static void yamux_violations(const struct target *t)
{
	static void (*const all[])(struct mux * m) = { bad_version,   bad_type, id_of_the_other,
						       id_zero,       id_again, more_than_credit,
						       four_gigabytes };
	struct mux m;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		mux_open(&m, t);
		all[i](&m);
		mux_expect_end(&m, PROTOCOL_ERROR);
		mux_close(&m);
	}
}

static size_t count_resets(const struct mux *m, uint32_t code)
{
	size_t n = 0;

	for (const struct talk *t = m->talks; t; t = t->next)
		n += t->reset && t->code == code;
	return n;
}

/* More streams than may be open: the surplus is reset, and so is the rest when nothing is said on
 * it. */
static void stream_flood(const struct target *t)
{
	const size_t surplus = 100;
	int64_t until = patience(STREAM_NEGOTIATE_MS + PATIENCE);
	struct mux m;

	mux_open(&m, t);
	for (size_t i = 0; i < YAMUX_INBOUND_MAX + surplus; i++)
		talk_open(&m, NULL);
	mux_settle(&m);
	if (count_resets(&m, YAMUX_RESET_LIMIT) != surplus)
		die("%zu streams are reset", count_resets(&m, YAMUX_RESET_LIMIT));
	while (count_resets(&m, YAMUX_RESET_NEGOTIATION) < YAMUX_INBOUND_MAX && now_ms() < until)
		mux_turn(&m, until);
	if (count_resets(&m, YAMUX_RESET_NEGOTIATION) != YAMUX_INBOUND_MAX)
		die("%zu are reset for their silence", count_resets(&m, YAMUX_RESET_NEGOTIATION));
	mux_close(&m);
}

/* Streams that are gone before anybody could look at them. */
static void stream_storm(const struct target *t)
{
	struct buf out = BUF_INIT(0);
	struct mux m;

	mux_open(&m, t);
	for (uint32_t id = 1; id < 40000; id += 2) {
		struct yamux_frame f = { .type = YAMUX_WINDOW_UPDATE,
					 .flags = YAMUX_SYN,
					 .id = id };
		uint8_t head[YAMUX_HEADER];

		yamux_frame_put(&f, head);
		must(buf_append(&out, head, sizeof(head)), "a frame");
		f.flags = YAMUX_RST;
		yamux_frame_put(&f, head);
		must(buf_append(&out, head, sizeof(head)), "a frame");
	}
	wire_seal(&m.w, out.data, out.len);
	mux_settle(&m);
	buf_deinit(&out);
	mux_close(&m);
}

/* More pings than are answered, in one piece. */
static void ping_flood(const struct target *t)
{
	const unsigned pings = 100000;
	struct buf out = BUF_INIT(0);
	struct mux m;

	mux_open(&m, t);
	for (uint32_t i = 0; i < pings; i++) {
		struct yamux_frame f = { .type = YAMUX_PING, .flags = YAMUX_SYN, .length = i };
		uint8_t head[YAMUX_HEADER];

		yamux_frame_put(&f, head);
		must(buf_append(&out, head, sizeof(head)), "a frame");
	}
	wire_seal(&m.w, out.data, out.len);
	mux_settle(&m);
	if (m.pongs >= pings)
		die("all of them are answered");
	buf_deinit(&out);
	mux_close(&m);
}

/* ---- agreeing on a stream's protocol ---- */

static void stream_dialogues(const struct target *t)
{
	struct buf out = BUF_INIT(0);
	struct talk *one;
	struct mux m;

	mux_open(&m, t);
	one = talk_open(&m, NULL);
	talk_send(one, "no token at all", 15);
	talk_expect_reset(one, YAMUX_RESET_NEGOTIATION);
	one = talk_open(&m, "/no/such/protocol");
	for (unsigned i = 0; i < MSS_PROPOSALS_MAX; i++)
		must(mss_token("/nor/this/one", &out), "a token");
	talk_send(one, out.data, out.len);
	talk_expect_reset(one, YAMUX_RESET_NEGOTIATION);
	one = talk_open(&m, "/no/such/protocol");
	mux_frame(&m, YAMUX_WINDOW_UPDATE, YAMUX_FIN, one->id, 0, NULL);
	talk_expect_reset(one, YAMUX_RESET_NEGOTIATION);
	mux_close(&m);
	buf_deinit(&out);
}

const struct attack low_attacks[] = {
	{ "wrong_secret", wrong_secret },
	{ "garbage", garbage },
	{ "no_token", no_token },
	{ "too_many_proposals", too_many_proposals },
	{ "silent", silent },
	{ "flood", flood },
	{ "noise_first_message", noise_first_message },
	{ "noise_third_message", noise_third_message },
	{ "yamux_violations", yamux_violations },
	{ "stream_flood", stream_flood },
	{ "stream_storm", stream_storm },
	{ "ping_flood", ping_flood },
	{ "stream_dialogues", stream_dialogues },
	{ NULL, NULL },
};
