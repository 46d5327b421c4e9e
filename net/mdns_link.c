#include "net/mdns_link.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define FULL (MDNS_HEARD_BURST * MDNS_HEARD_RATE_MS)
#define NEVER UINT64_MAX

/* ---- what we say ---- */

static void draw_label(char *out)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	for (size_t i = 0; i < MDNS_LABEL_LEN; i++)
		out[i] = letters[randombytes_uniform(sizeof(letters) - 1)];
	out[MDNS_LABEL_LEN] = '\0';
}

static void set_buf(struct buf *b, struct buf *from)
{
	buf_deinit(b);
	*b = *from;
	*from = (struct buf)BUF_INIT(MDNS_SENT_MAX);
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

int mdns_self_init(struct mdns_self *s, const struct peerid *id)
{
	*s = (struct mdns_self){
		.id = *id,
		.question = BUF_INIT(MDNS_SENT_MAX),
		.answer = BUF_INIT(MDNS_SENT_MAX),
		.goodbye = BUF_INIT(MDNS_SENT_MAX),
	};
	draw_label(s->label);
	return mdns_write_question(NULL, &s->question);
}

void mdns_self_deinit(struct mdns_self *s)
{
	buf_deinit(&s->question);
	buf_deinit(&s->answer);
	buf_deinit(&s->goodbye);
}

/* Those that others have use for, with our ID; returns how many. */
static size_t choose(const struct mdns_self *s, const struct multiaddr *v, size_t n,
		     struct multiaddr out[MDNS_ADDRESSES_MAX])
{
	size_t chosen = 0;

	for (size_t i = 0; i < n && chosen < MDNS_ADDRESSES_MAX; i++) {
		out[chosen] = v[i];
		if (mdns_is_suitable(&v[i]) && multiaddr_add_peerid(&out[chosen], &s->id) == 0)
			chosen++;
	}
	return chosen;
}

int mdns_self_set(struct mdns_self *s, const struct multiaddr *v, size_t n)
{
	struct buf question = BUF_INIT(MDNS_SENT_MAX), answer = BUF_INIT(MDNS_SENT_MAX),
		   goodbye = BUF_INIT(MDNS_SENT_MAX);
	struct multiaddr chosen[MDNS_ADDRESSES_MAX];
	int r = mdns_write_answer(s->label, chosen, choose(s, v, n, chosen), true, &answer);

	if (r == 0)
		buf_reset(&answer);
	else if (r > 0)
		r = mdns_write_answer(s->label, chosen, choose(s, v, n, chosen), false, &goodbye);
	if (r >= 0)
		r = mdns_write_question(r > 0 ? s->label : NULL, &question);
	if (r == 0 && !same(&answer, &s->answer)) {
		set_buf(&s->question, &question);
		set_buf(&s->answer, &answer);
		set_buf(&s->goodbye, &goodbye);
		r = 1;
	}
	buf_deinit(&question);
	buf_deinit(&answer);
	buf_deinit(&goodbye);
	return r;
}

/* ---- when ---- */

static uint64_t delay(void)
{
	return MDNS_DELAY_LEAST_MS +
	       randombytes_uniform(MDNS_DELAY_MOST_MS - MDNS_DELAY_LEAST_MS + 1);
}

void mdns_link_init(struct mdns_link *l, uint64_t now_ms)
{
	*l = (struct mdns_link){
		.ask_at = now_ms + delay(),
		.ask_wait = MDNS_ASK_FIRST_MS,
		.answer_at = NEVER,
		.heard_at = now_ms,
		.tokens = FULL,
	};
	mdns_link_announce(l, now_ms);
}

static void plan_answer(struct mdns_link *l, uint64_t now_ms)
{
	uint64_t at = now_ms + delay();

	if (l->answered_at > 0 && at < l->answered_at + MDNS_ANSWER_MS)
		at = l->answered_at + MDNS_ANSWER_MS;
	if (at < l->answer_at)
		l->answer_at = at;
}

void mdns_link_announce(struct mdns_link *l, uint64_t now_ms)
{
	l->announcements = MDNS_ANNOUNCEMENTS;
	plan_answer(l, now_ms);
}

uint64_t mdns_link_deadline(const struct mdns_link *l)
{
	return l->ask_at < l->answer_at ? l->ask_at : l->answer_at;
}

bool mdns_link_asks(struct mdns_link *l, uint64_t now_ms)
{
	if (now_ms < l->ask_at)
		return false;
	l->ask_at = now_ms + l->ask_wait;
	if (l->ask_wait < MDNS_ASK_MOST_MS)
		l->ask_wait += l->ask_wait / 2 + randombytes_uniform((uint32_t)l->ask_wait);
	if (l->ask_wait > MDNS_ASK_MOST_MS)
		l->ask_wait = MDNS_ASK_MOST_MS;
	return true;
}

bool mdns_link_answers(struct mdns_link *l, uint64_t now_ms)
{
	if (now_ms < l->answer_at)
		return false;
	l->answer_at = NEVER;
	l->answered_at = now_ms;
	if (l->announcements > 0 && --l->announcements > 0)
		plan_answer(l, now_ms);
	return true;
}

/* ---- what is heard ---- */

static bool admit(struct mdns_link *l, uint64_t now_ms)
{
	uint64_t tokens = l->tokens + (now_ms - l->heard_at);

	l->heard_at = now_ms;
	l->tokens = tokens < FULL ? (uint32_t)tokens : FULL;
	if (l->tokens < MDNS_HEARD_RATE_MS)
		return false;
	l->tokens -= MDNS_HEARD_RATE_MS;
	return true;
}

static int check(struct mdns_reader r)
{
	struct mdns_entry en;
	int more;

	do
		more = mdns_next(&r, &en);
	while (more > 0);
	return more;
}

static bool asks_who_is_there(const struct mdns_entry *en)
{
	return en->part == MDNS_QUESTIONS && mdns_is_service(&en->name) &&
	       (en->type == MDNS_PTR || en->type == MDNS_ANY);
}

static bool asks_about_us(const struct mdns_self *self, const struct mdns_entry *en)
{
	return en->part == MDNS_QUESTIONS && mdns_is_instance_of(&en->name, self->label);
}

/* Whoever asks has our answer, for half of its time at least. */
static bool is_known(const struct mdns_self *self, const struct mdns_reader *r,
		     const struct mdns_entry *en)
{
	struct mdns_name target;

	return en->part == MDNS_ANSWERS && en->type == MDNS_PTR && mdns_is_service(&en->name) &&
	       en->ttl >= MDNS_TTL_S / 2 && mdns_target(r, en, &target) == 0 &&
	       mdns_is_instance_of(&target, self->label);
}

static void hear_question(struct mdns_link *l, const struct mdns_self *self, struct mdns_reader r,
			  uint64_t now_ms)
{
	bool who = false, us = false, known = false;
	struct mdns_entry en;

	while (mdns_next(&r, &en) > 0) {
		who = who || asks_who_is_there(&en);
		us = us || asks_about_us(self, &en);
		known = known || is_known(self, &r, &en);
	}
	if (us || (who && !known))
		plan_answer(l, now_ms);
}

static void hear_answer(const struct mdns_listener *to, struct mdns_reader r, bool near,
			uint64_t now_ms)
{
	struct mdns_found f;
	struct mdns_entry en;

	while (mdns_next(&r, &en) > 0)
		if (en.type == MDNS_TXT && en.part != MDNS_QUESTIONS && en.ttl > 0 &&
		    mdns_is_instance(&en.name) && mdns_found_read(&en, near, &f) &&
		    !peerid_equal(&f.peer, &to->self->id) &&
		    mdns_peers_heard(to->peers, &f.peer, now_ms) && to->found(to->arg, &f))
			mdns_peers_told(to->peers, &f.peer, now_ms);
}

int mdns_link_hear(struct mdns_link *l, const struct mdns_listener *to, const uint8_t *p, size_t n,
		   bool near, uint64_t now_ms)
{
	struct mdns_reader r;

	if (!admit(l, now_ms))
		return -EBUSY;
	if (mdns_read(p, n, &r) < 0 || check(r) < 0)
		return -EBADMSG;
	if (r.response)
		hear_answer(to, r, near, now_ms);
	else
		hear_question(l, to->self, r, now_ms);
	return 0;
}
