#include "tests/interop/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/exchange.h"
#include "net/frame.h"
#include "net/gorpc.h"
#include "net/identify.h"
#include "net/mss.h"

#define HEADER "/multistream/1.0.0"
#define HEADER_LEN 20
#define SETTLED 0x5e771edu /* value of a ping */

static const char *const spoken[] = { IDENTIFY_PROTOCOL, IDENTIFY_PUSH_PROTOCOL, "/meshsub/1.2.0",
				      EXCHANGE_PROTOCOL };

/* ---- frames ---- */

void mux_frame(struct mux *m, unsigned type, unsigned flags, uint32_t id, uint32_t length,
	       const void *payload)
{
	const struct yamux_frame f = {
		.type = (uint8_t)type, .flags = (uint16_t)flags, .id = id, .length = length
	};
	struct buf out = BUF_INIT(0);
	uint8_t head[YAMUX_HEADER];

	yamux_frame_put(&f, head);
	must(buf_append(&out, head, sizeof(head)), "a frame");
	if (payload)
		must(buf_append(&out, payload, length), "a frame");
	wire_seal(&m->w, out.data, out.len);
	buf_deinit(&out);
}

/* ---- streams ---- */

static struct talk *talk_find(const struct mux *m, uint32_t id)
{
	struct talk *t = m->talks;

	while (t && t->id != id)
		t = t->next;
	return t;
}

static struct talk *talk_new(struct mux *m, uint32_t id)
{
	struct talk *t = calloc(1, sizeof(*t));

	if (!t)
		die("out of memory");
	t->m = m;
	t->id = id;
	t->credit = YAMUX_WINDOW;
	t->next = m->talks;
	m->talks = t;
	return t;
}

static bool is_ours(const struct talk *t)
{
	return t->id % 2 == 1;
}

/* Who we are. */
static void answer_identify(struct talk *t)
{
	struct identify_bytes protocols[sizeof(spoken) / sizeof(*spoken)];
	struct identify id = { .protocols = protocols,
			       .n_protocols = sizeof(spoken) / sizeof(*spoken) };
	struct buf out = BUF_INIT(0);

	for (size_t i = 0; i < id.n_protocols; i++)
		protocols[i] =
		    (struct identify_bytes){ (const uint8_t *)spoken[i], strlen(spoken[i]) };
	must(identify_write(&id, &out), "identify");
	talk_send(t, out.data, out.len);
	mux_frame(t->m, YAMUX_WINDOW_UPDATE, YAMUX_FIN, t->id, 0, NULL);
	buf_deinit(&out);
}

/* The peer's first tokens are here: agrees to whatever it wants. */
static void answer_dialogue(struct talk *t)
{
	size_t n = t->in.len > HEADER_LEN ? t->in.data[HEADER_LEN] : 0;
	struct buf out = BUF_INIT(0);

	if (t->protocol[0] || n < 2 || n > sizeof(t->protocol) || t->in.len < HEADER_LEN + 1 + n)
		return;
	memcpy(t->protocol, t->in.data + HEADER_LEN + 1, n - 1);
	t->in.len -= HEADER_LEN + 1 + n;
	memmove(t->in.data, t->in.data + HEADER_LEN + 1 + n, t->in.len);
	must(mss_token(HEADER, &out), "an answer");
	must(mss_token(t->protocol, &out), "an answer");
	talk_send(t, out.data, out.len);
	buf_deinit(&out);
	if (t->m->says_who && strcmp(t->protocol, IDENTIFY_PROTOCOL) == 0)
		answer_identify(t);
}

/* ---- what comes ---- */

static void take_ping(struct mux *m, const struct yamux_frame *f)
{
	if (f->flags & YAMUX_SYN)
		mux_frame(m, YAMUX_PING, YAMUX_ACK, 0, f->length, NULL);
	else
		m->pongs++;
}

static void take_frame(struct mux *m, const struct yamux_frame *f, const uint8_t *payload)
{
	struct talk *t = talk_find(m, f->id);

	if (f->type == YAMUX_PING) {
		take_ping(m, f);
		return;
	}
	if (f->type == YAMUX_GO_AWAY) {
		m->go_away = f->length;
		return;
	}
	if (f->flags & YAMUX_SYN)
		t = talk_new(m, f->id);
	if (!t)
		return;
	t->fin = t->fin || f->flags & YAMUX_FIN;
	if (f->flags & YAMUX_RST) {
		t->reset = true;
		t->code = f->type == YAMUX_WINDOW_UPDATE ? f->length : 0;
	} else if (f->type == YAMUX_WINDOW_UPDATE) {
		t->credit += f->length;
	} else if (f->length > 0) {
		must(buf_append(&t->in, payload, f->length), "receiving");
		mux_frame(m, YAMUX_WINDOW_UPDATE, 0, t->id, f->length, NULL);
	}
	if (!is_ours(t) && !t->reset)
		answer_dialogue(t);
}

/* The next whole frame of what has come, if there is one. */
static bool take_one(struct mux *m)
{
	struct wire *w = &m->w;
	struct yamux_frame f;
	size_t n = YAMUX_HEADER;
	uint8_t *payload;

	if (w->in.len < n)
		return false;
	yamux_frame_get(w->in.data, &f);
	if (f.type == YAMUX_DATA)
		n += f.length;
	if (w->in.len < n)
		return false;
	payload = malloc(n);
	if (!payload)
		die("out of memory");
	memcpy(payload, w->in.data, n);
	wire_drop(w, n);
	take_frame(m, &f, payload + YAMUX_HEADER);
	free(payload);
	return true;
}

bool mux_turn(struct mux *m, int64_t until)
{
	while (!take_one(m))
		if (!wire_read(&m->w, until))
			return false;
	while (take_one(m))
		;
	return true;
}

void mux_open(struct mux *m, const struct target *t)
{
	*m = (struct mux){ .next_id = 1, .go_away = NO_CODE };
	wire_open(&m->w, t);
}

void mux_close(struct mux *m)
{
	struct talk *t;

	while ((t = m->talks)) {
		m->talks = t->next;
		buf_deinit(&t->in);
		free(t);
	}
	wire_close(&m->w);
}

void mux_settle(struct mux *m)
{
	int64_t until = patience(PATIENCE);
	unsigned before = m->pongs;

	mux_frame(m, YAMUX_PING, YAMUX_SYN, 0, SETTLED, NULL);
	while (m->pongs == before && now_ms() < until && !m->w.over)
		mux_turn(m, until);
	if (m->pongs == before)
		die("no answer to a ping");
}

void mux_expect_end(struct mux *m, uint32_t go_away)
{
	int64_t until = patience(PATIENCE);

	while (!m->w.over && now_ms() < until)
		mux_turn(m, until);
	if (!m->w.over)
		die("the connection goes on");
	if (m->go_away != go_away)
		die("its go-away is %#x, not %#x", m->go_away, go_away);
}

struct talk *mux_await(struct mux *m, const char *protocol)
{
	int64_t until = patience(PATIENCE);

	do {
		for (struct talk *t = m->talks; t; t = t->next)
			if (!is_ours(t) && !t->reset && strcmp(t->protocol, protocol) == 0)
				return t;
	} while (now_ms() < until && mux_turn(m, until));
	return NULL;
}

/* ---- speaking ---- */

struct talk *talk_open(struct mux *m, const char *protocol)
{
	struct talk *t = talk_new(m, m->next_id);
	struct buf out = BUF_INIT(0);

	m->next_id += 2;
	mux_frame(m, YAMUX_WINDOW_UPDATE, YAMUX_SYN, t->id, 0, NULL);
	if (!protocol)
		return t;
	must(mss_token(HEADER, &out), "a proposal");
	must(mss_token(protocol, &out), "a proposal");
	talk_send(t, out.data, out.len);
	buf_deinit(&out);
	return t;
}

static size_t smallest(size_t n, int64_t credit)
{
	if (n > YAMUX_FRAME_MAX)
		n = YAMUX_FRAME_MAX;
	return credit < (int64_t)n ? (size_t)credit : n;
}

void talk_send(struct talk *t, const void *p, size_t n)
{
	int64_t until = patience(PATIENCE);
	const uint8_t *at = p;

	while (n > 0 && !t->reset && !t->m->w.over) {
		size_t part = smallest(n, t->credit);

		if (part == 0) {
			if (now_ms() >= until)
				die("no more credit");
			mux_turn(t->m, until);
			continue;
		}
		mux_frame(t->m, YAMUX_DATA, 0, t->id, (uint32_t)part, at);
		t->credit -= (int64_t)part;
		at += part;
		n -= part;
		mux_turn(t->m, 0);
	}
}

void talk_send_frame(struct talk *t, const struct buf *frame)
{
	struct buf out = BUF_INIT(0);

	must(frame_write(frame->data, frame->len, &out), "a frame");
	talk_send(t, out.data, out.len);
	buf_deinit(&out);
}

void talk_expect_reset(struct talk *t, uint32_t code)
{
	int64_t until = patience(PATIENCE + 5 * SECOND);

	while (!t->reset && now_ms() < until && !t->m->w.over)
		mux_turn(t->m, until);
	if (!t->reset)
		die("the stream is not reset");
	if (t->code != code)
		die("the stream is reset with %#x, not %#x", t->code, code);
}

size_t talk_count(const struct talk *t, const void *p, size_t n)
{
	const uint8_t *at = t->in.data, *end = at + t->in.len;
	size_t count = 0;

	while (t->in.len > 0 && (at = memmem(at, (size_t)(end - at), p, n))) {
		at += n;
		count++;
	}
	return count;
}

bool talk_hears(struct talk *t, const void *p, size_t n)
{
	int64_t until = patience(PATIENCE);

	while (talk_count(t, p, n) == 0 && !t->reset && !t->m->w.over && now_ms() < until)
		mux_turn(t->m, until);
	return talk_count(t, p, n) > 0;
}
