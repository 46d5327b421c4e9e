#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "net/mdns_link.h"

#define ENDS 5
#define START 1000000ull

/* A peer on one link, and what it found. */
struct end {
	struct mdns_self self;
	struct mdns_peers peers;
	struct mdns_link link;
	struct mdns_listener to;
	bool takes;
	unsigned found[ENDS]; /* how often it was told of each */
	uint64_t answered_at;
	unsigned asked, answered;
};

static void peer_of(unsigned number, struct peerid *ret)
{
	uint8_t key[32] = { (uint8_t)number };

	peerid_from_ed25519(key, ret);
}

static struct multiaddr address_of(unsigned number)
{
	char text[64];
	struct multiaddr a;

	snprintf(text, sizeof(text), "/ip4/10.0.0.%u/tcp/9096", number);
	assert_int_equal(0, multiaddr_parse(text, strlen(text), &a, NULL));
	return a;
}

static bool on_found(void *arg, const struct mdns_found *f)
{
	struct end *x = arg;
	struct peerid id;

	for (unsigned i = 0; i < ENDS; i++) {
		struct multiaddr want = address_of(i);

		peer_of(i, &id);
		if (!peerid_equal(&id, &f->peer))
			continue;
		assert_int_equal(1, f->n);
		assert_int_equal(0, multiaddr_add_peerid(&want, &id));
		assert_true(multiaddr_equal(&want, &f->v[0]));
		x->found[i]++;
		return x->takes;
	}
	fail_msg("a stranger");
	return false;
}

static void end_open(struct end *x, unsigned number, uint64_t now)
{
	struct multiaddr a = address_of(number);
	struct peerid id;

	*x = (struct end){ .takes = true };
	peer_of(number, &id);
	assert_int_equal(0, mdns_self_init(&x->self, &id));
	assert_int_equal(1, mdns_self_set(&x->self, &a, 1));
	mdns_link_init(&x->link, now);
	x->to = (struct mdns_listener){
		.self = &x->self, .peers = &x->peers, .found = on_found, .arg = x
	};
}

static void end_close(struct end *x)
{
	mdns_self_deinit(&x->self);
}

static int hear(struct end *x, const struct buf *m, uint64_t now)
{
	return mdns_link_hear(&x->link, &x->to, m->data, m->len, false, now);
}

/* Past what it says by itself at its start; returns the time. */
static uint64_t settle(struct end *x)
{
	uint64_t now = START;

	while (x->link.answer_at < UINT64_MAX) {
		now = mdns_link_deadline(&x->link);
		mdns_link_asks(&x->link, now);
		mdns_link_answers(&x->link, now);
	}
	return now + MDNS_ANSWER_MS;
}

/* ---- asking ---- */

static void questions_come_soon_and_then_more_and_more_seldom(void **state)
{
	uint64_t at, before = 0, least = MDNS_ASK_FIRST_MS, most = MDNS_ASK_FIRST_MS;
	struct end x;

	end_open(&x, 1, START);
	at = x.link.ask_at;
	assert_in_range(at, START + MDNS_DELAY_LEAST_MS, START + MDNS_DELAY_MOST_MS);
	assert_false(mdns_link_asks(&x.link, at - 1));
	assert_true(mdns_link_asks(&x.link, at));
	assert_false(mdns_link_asks(&x.link, at));
	for (unsigned i = 0; i < 12; i++) {
		before = at;
		at = x.link.ask_at;
		assert_in_range(at - before, least < MDNS_ASK_MOST_MS ? least : MDNS_ASK_MOST_MS,
				most < MDNS_ASK_MOST_MS ? most : MDNS_ASK_MOST_MS);
		assert_true(mdns_link_asks(&x.link, at));
		least += least / 2;
		most = 2 * most + most / 2;
	}
	assert_int_equal(MDNS_ASK_MOST_MS, x.link.ask_at - at);
	end_close(&x);
}

/* ---- answering ---- */

static void a_new_peer_says_so_twice(void **state)
{
	uint64_t first, second;
	struct end x;

	end_open(&x, 1, START);
	first = x.link.answer_at;
	assert_in_range(first, START + MDNS_DELAY_LEAST_MS, START + MDNS_DELAY_MOST_MS);
	assert_false(mdns_link_answers(&x.link, first - 1));
	assert_true(mdns_link_answers(&x.link, first));
	second = x.link.answer_at;
	assert_int_equal(first + MDNS_ANSWER_MS, second);
	assert_true(mdns_link_answers(&x.link, second));
	assert_int_equal(UINT64_MAX, x.link.answer_at);
	mdns_link_announce(&x.link, second + MDNS_ANSWER_MS);
	assert_true(mdns_link_answers(&x.link, x.link.answer_at));
	assert_true(mdns_link_answers(&x.link, x.link.answer_at));
	assert_int_equal(UINT64_MAX, x.link.answer_at);
	end_close(&x);
}

static void a_question_is_answered_soon_and_once_a_second(void **state)
{
	struct end x, y;
	uint64_t now, at;

	end_open(&x, 1, START);
	end_open(&y, 2, START);
	now = settle(&x);
	assert_int_equal(0, hear(&x, &y.self.question, now));
	at = x.link.answer_at;
	assert_in_range(at, now + MDNS_DELAY_LEAST_MS, now + MDNS_DELAY_MOST_MS);
	assert_int_equal(0, hear(&x, &y.self.question, now + 1)); /* no later for that */
	assert_true(x.link.answer_at <= at);
	at = x.link.answer_at;
	assert_true(mdns_link_answers(&x.link, at));
	assert_int_equal(0, hear(&x, &y.self.question, at + 1));
	assert_int_equal(at + MDNS_ANSWER_MS, x.link.answer_at);
	end_close(&x);
	end_close(&y);
}

static void whoever_knows_the_answer_gets_none(void **state)
{
	struct buf old = BUF_INIT(MDNS_SENT_MAX);
	struct end x;
	uint64_t now;

	end_open(&x, 1, START);
	now = settle(&x);
	/* Our own question comes back to us. */
	assert_int_equal(0, hear(&x, &x.self.question, now));
	assert_int_equal(UINT64_MAX, x.link.answer_at);
	/* An answer that is about to be forgotten does not count. */
	assert_int_equal(0, mdns_write_question(x.self.label, &old));
	old.data[old.len - MDNS_LABEL_LEN - 3 - 4] = (MDNS_TTL_S / 2 - 1) >> 8;
	old.data[old.len - MDNS_LABEL_LEN - 3 - 3] = (uint8_t)(MDNS_TTL_S / 2 - 1);
	assert_int_equal(0, hear(&x, &old, now));
	assert_true(x.link.answer_at < UINT64_MAX);
	buf_deinit(&old);
	end_close(&x);
}

/* A question for one name, which is a label and the service. */
static int ask_about(struct end *x, const char *label, uint8_t type, uint64_t now)
{
	struct buf m = BUF_INIT(0);
	uint8_t n = (uint8_t)strlen(label);
	int r;

	assert_int_equal(0, buf_append(&m, "\0\0\0\0\0\1\0\0\0\0\0\0", 12));
	assert_int_equal(0, n == 0 ? 0 : buf_byte(&m, n));
	assert_int_equal(0, buf_str(&m, label));
	assert_int_equal(0, buf_append(&m, "\x17_ipfs-cluster-discovery\x04_udp\x05local", 36));
	assert_int_equal(0, buf_byte(&m, 0));
	assert_int_equal(0, buf_byte(&m, type));
	assert_int_equal(0, buf_append(&m, "\0\1", 2));
	r = hear(x, &m, now);
	buf_deinit(&m);
	return r;
}

static bool is_answered(struct end *x, const char *label, uint8_t type, uint64_t now)
{
	assert_int_equal(0, ask_about(x, label, type, now));
	if (x->link.answer_at == UINT64_MAX)
		return false;
	assert_true(mdns_link_answers(&x->link, x->link.answer_at));
	return true;
}

static void questions_for_the_service_and_for_us_are_answered(void **state)
{
	struct end x;
	uint64_t now;

	end_open(&x, 1, START);
	now = settle(&x);
	assert_true(is_answered(&x, "", MDNS_PTR, now));
	assert_true(is_answered(&x, "", MDNS_ANY, now));
	assert_false(is_answered(&x, "", MDNS_TXT, now));
	assert_true(is_answered(&x, x.self.label, MDNS_SRV, now));
	assert_true(is_answered(&x, x.self.label, MDNS_TXT, now));
	assert_false(is_answered(&x, "another", MDNS_TXT, now));
	end_close(&x);
}

static void who_has_nothing_to_say_only_asks(void **state)
{
	struct multiaddr a[2];
	struct mdns_self self;
	struct peerid id;

	peer_of(1, &id);
	assert_int_equal(0, mdns_self_init(&self, &id));
	assert_int_equal(0, mdns_self_set(&self, a, 0));
	assert_int_equal(0, multiaddr_parse("/dns4/a.example/tcp/1", 21, &a[0], NULL));
	assert_int_equal(0, mdns_self_set(&self, a, 1));
	assert_true(self.question.len > 0 && self.answer.len == 0 && self.goodbye.len == 0);
	a[1] = address_of(1);
	assert_int_equal(1, mdns_self_set(&self, a, 2));
	assert_int_equal(0, mdns_self_set(&self, a + 1, 1));
	assert_true(self.answer.len > 0 && self.goodbye.len == self.answer.len);
	a[0] = address_of(2);
	assert_int_equal(1, mdns_self_set(&self, a, 2));
	assert_int_equal(1, mdns_self_set(&self, a, 0));
	assert_true(self.answer.len == 0 && self.goodbye.len == 0);
	mdns_self_deinit(&self);
}

/* ---- finding ---- */

static void an_answer_is_a_peer_that_is_found(void **state)
{
	struct end x, y;

	end_open(&x, 1, START);
	end_open(&y, 2, START);
	assert_int_equal(0, hear(&x, &y.self.goodbye, START));
	assert_int_equal(0, x.found[2]);
	assert_int_equal(0, hear(&x, &y.self.answer, START));
	assert_int_equal(0, hear(&x, &y.self.answer, START + 1));
	assert_int_equal(1, x.found[2]);
	assert_int_equal(0, hear(&x, &x.self.answer, START));
	assert_int_equal(0, x.found[1]);
	end_close(&x);
	end_close(&y);
}

static void a_peer_that_is_not_taken_is_found_again(void **state)
{
	struct end x, y;

	end_open(&x, 1, START);
	end_open(&y, 2, START);
	x.takes = false;
	assert_int_equal(0, hear(&x, &y.self.answer, START));
	assert_int_equal(0, hear(&x, &y.self.answer, START + 1));
	x.takes = true;
	assert_int_equal(0, hear(&x, &y.self.answer, START + 2));
	assert_int_equal(0, hear(&x, &y.self.answer, START + 3));
	assert_int_equal(3, x.found[2]);
	end_close(&x);
	end_close(&y);
}

static void a_malformed_message_means_nothing(void **state)
{
	struct buf cut = BUF_INIT(MDNS_SENT_MAX), both = BUF_INIT(0);
	struct end x, y;
	uint64_t now;

	end_open(&x, 1, START);
	end_open(&y, 2, START);
	now = settle(&x);
	/* The peer stands whole in it, before what is malformed. */
	assert_int_equal(0, buf_append(&both, y.self.answer.data, y.self.answer.len));
	both.data[11]++;
	assert_int_equal(-EBADMSG, hear(&x, &both, now));
	assert_int_equal(0, x.found[2]);
	assert_int_equal(0, buf_append(&cut, y.self.question.data, y.self.question.len - 1));
	assert_int_equal(-EBADMSG, hear(&x, &cut, now));
	assert_int_equal(UINT64_MAX, x.link.answer_at);
	buf_deinit(&both);
	buf_deinit(&cut);
	end_close(&x);
	end_close(&y);
}

static void so_many_messages_are_read_and_no_more(void **state)
{
	struct end x, y;

	end_open(&x, 1, START);
	end_open(&y, 2, START);
	for (unsigned i = 0; i < MDNS_HEARD_BURST; i++)
		assert_int_equal(0, hear(&x, &y.self.question, START));
	assert_int_equal(-EBUSY, hear(&x, &y.self.answer, START));
	assert_int_equal(-EBUSY, hear(&x, &y.self.answer, START + MDNS_HEARD_RATE_MS - 1));
	assert_int_equal(0, x.found[2]);
	assert_int_equal(0, hear(&x, &y.self.answer, START + MDNS_HEARD_RATE_MS));
	assert_int_equal(-EBUSY, hear(&x, &y.self.answer, START + MDNS_HEARD_RATE_MS));
	assert_int_equal(1, x.found[2]);
	end_close(&x);
	end_close(&y);
}

/* ---- a network ---- */

/* Every third on the average, and never the same ends by habit. */
static bool is_lost(uint32_t *loss)
{
	*loss = *loss * 1664525u + 1013904223u;
	return (*loss >> 16) % 3 == 0;
}

/* Everybody hears it, the sender too, but for what is lost. */
static void deliver(struct end *ends, const struct buf *m, uint32_t *loss, uint64_t now)
{
	for (unsigned i = 0; i < ENDS; i++)
		if (!is_lost(loss))
			assert_int_equal(0, hear(&ends[i], m, now));
}

static void act(struct end *ends, struct end *x, uint32_t *loss, uint64_t now)
{
	if (mdns_link_asks(&x->link, now)) {
		x->asked++;
		deliver(ends, &x->self.question, loss, now);
	}
	if (mdns_link_answers(&x->link, now)) {
		assert_true(x->answered == 0 || now - x->answered_at >= MDNS_ANSWER_MS);
		x->answered_at = now;
		x->answered++;
		deliver(ends, &x->self.answer, loss, now);
	}
}

static void everybody_finds_everybody_though_messages_are_lost(void **state)
{
	struct end ends[ENDS];
	uint64_t now = START;
	uint32_t loss = 1;

	for (unsigned i = 0; i < ENDS; i++)
		end_open(&ends[i], i, START);
	while (now < START + 10 * 60 * 1000) {
		uint64_t next = UINT64_MAX;

		for (unsigned i = 0; i < ENDS; i++) {
			act(ends, &ends[i], &loss, now);
			if (mdns_link_deadline(&ends[i].link) < next)
				next = mdns_link_deadline(&ends[i].link);
		}
		assert_true(next > now);
		now = next;
	}
	for (unsigned i = 0; i < ENDS; i++) {
		for (unsigned j = 0; j < ENDS; j++)
			assert_in_range(ends[i].found[j], i != j, i != j ? 5 : 0);
		/* Ten minutes have ten questions of each, and some at the beginning. */
		assert_in_range(ends[i].asked, 11, 15);
		assert_in_range(ends[i].answered, 12, 15 * ENDS);
		end_close(&ends[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_come_soon_and_then_more_and_more_seldom),
		cmocka_unit_test(a_new_peer_says_so_twice),
		cmocka_unit_test(a_question_is_answered_soon_and_once_a_second),
		cmocka_unit_test(whoever_knows_the_answer_gets_none),
		cmocka_unit_test(questions_for_the_service_and_for_us_are_answered),
		cmocka_unit_test(who_has_nothing_to_say_only_asks),
		cmocka_unit_test(an_answer_is_a_peer_that_is_found),
		cmocka_unit_test(a_peer_that_is_not_taken_is_found_again),
		cmocka_unit_test(a_malformed_message_means_nothing),
		cmocka_unit_test(so_many_messages_are_read_and_no_more),
		cmocka_unit_test(everybody_finds_everybody_though_messages_are_lost),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
