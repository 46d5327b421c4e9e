/* Every allocation of our own code is counted, and can be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "net/bitswap_internal.h"
#include "tests/unit/net/bitswap_text.h"

#define KB 1024u

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static size_t live;
static unsigned allocations, fail_at; /* fail_at: which one fails, 0: none */

static void *counted(void *p)
{
	live += p ? malloc_usable_size(p) : 0;
	return p;
}

static bool refused(void)
{
	return ++allocations == fail_at;
}

void *__wrap_malloc(size_t n)
{
	return refused() ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
	if (refused())
		return NULL;
	live -= p ? malloc_usable_size(p) : 0;
	return counted(__real_realloc(p, n));
}

void __wrap_free(void *p)
{
	live -= p ? malloc_usable_size(p) : 0;
	__real_free(p);
}

/* Peer 1 gives block 20, and cannot give 21; peer 2 wants 7, 5000 and 8, which is not here. */
struct seen {
	bool asked[3], cancelled[3]; /* by peers: for 20, and told that 21 is over */
	bool gave_small, gave_large, said_not_here, got;
	unsigned to;
};

static int on_get(void *arg, const struct cid *cid, struct buf *out, size_t *ret_size)
{
	const uint8_t *p = block_bytes(block_number(cid), ret_size);

	if (block_number(cid) != 7 && block_number(cid) != LARGE)
		return 0;
	return out && buf_append(out, p, *ret_size) < 0 ? -ENOMEM : 1;
}

static void on_block(void *arg, const struct cid *cid, const struct peerid *from, const uint8_t *p,
		     size_t n)
{
	struct seen *s = arg;

	s->got = true;
}

static void see_entry(void *arg, const struct bitswap_entry *en)
{
	struct seen *s = arg;

	if (block_number(&en->cid) == 20)
		s->asked[s->to] = s->asked[s->to] || !en->cancel;
	else
		s->cancelled[s->to] = s->cancelled[s->to] || en->cancel;
}

/* What it does not name is over. */
static void see_full(void *arg)
{
	struct seen *s = arg;

	s->cancelled[s->to] = true;
}

static void see_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	struct seen *s = arg;

	s->gave_small = s->gave_small || block_number(cid) == 7;
	s->gave_large = s->gave_large || block_number(cid) == LARGE;
}

static void see_presence(void *arg, const struct cid *cid, bool have)
{
	struct seen *s = arg;

	s->said_not_here = s->said_not_here || (!have && block_number(cid) == 8);
}

static bool on_send(void *arg, const struct peerid *to, const uint8_t *message, size_t n)
{
	const struct bitswap_visitor v = { see_full, see_entry, see_block, see_presence, arg };
	struct seen *s = arg;

	s->to = peer_number(to);
	assert_int_equal(0, bitswap_read(message, n, &v, NULL));
	return true;
}

static uint64_t now;

static void pass(struct bitswap *b, uint64_t ms)
{
	uint64_t until = now + ms;

	while (bitswap_deadline(b) <= until) {
		if (bitswap_deadline(b) > now)
			now = bitswap_deadline(b);
		bitswap_tick(b, now);
	}
	now = until;
}

static struct buf wants = BUF_INIT(0), gives = BUF_INIT(0);

static void retry(int r, int *again)
{
	assert_true(r == 0 || r == -ENOMEM);
	*again = r;
}

/* Whoever misses something asks for it again, as peers do. */
static void play(struct seen *s)
{
	const struct bitswap_config cfg = { on_get, on_block, on_send, s, s };
	struct bitswap *b;
	int again;

	now = 1000;
	do {
		retry(bitswap_new(&cfg, &b), &again);
	} while (again);
	for (unsigned p = 1; p <= 2; p++)
		do {
			retry(bitswap_peer_up(b, peer_id(p), now), &again);
		} while (again);
	for (unsigned block = 20; block <= 21; block++)
		do {
			retry(bitswap_want(b, block_cid(block), peer_id(1), now), &again);
		} while (again);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(0, bitswap_feed(b, peer_id(2), wants.data, wants.len, now, NULL));
		pass(b, 1000);
	}
	assert_int_equal(0, bitswap_feed(b, peer_id(1), gives.data, gives.len, now, NULL));
	bitswap_cancel(b, block_cid(21));
	pass(b, 2 * BITSWAP_RETRY_MS);
	bitswap_free(b);
}

static void set_up_texts(void)
{
	if (wants.len > 0)
		return;
	text_write("want 7 want 5000 want 8", &wants);
	text_write("block 20", &gives);
	peer_id(1);
	peer_id(2);
	block_cid(21);
}

static void no_refused_allocation_loses_anything(void **state)
{
	unsigned n = 0;

	set_up_texts();
	do {
		struct seen s = { .got = false };
		size_t before = live;

		allocations = 0;
		fail_at = ++n;
		play(&s);
		fail_at = 0;
		assert_int_equal(before, live);
		assert_true(s.gave_small && s.gave_large && s.said_not_here);
		assert_true(s.asked[1] && s.got && s.cancelled[1]);
	} while (allocations >= n);
	assert_in_range(n, 20, 1000);
}

/* ---- how much ---- */

static void peers_and_their_wants_are_small(void **state)
{
	struct seen s = { .got = false };
	const struct bitswap_config cfg = { on_get, on_block, on_send, &s, &s };
	size_t before = live, one;
	struct bitswap *b;

	set_up_texts();
	before = live;
	assert_int_equal(0, bitswap_new(&cfg, &b));
	assert_in_range(live - before, 1, 160 * KB);
	one = live;
	assert_int_equal(0, bitswap_peer_up(b, peer_id(1), 0));
	assert_in_range(live - one, 1, 3 * KB);
	one = live;
	for (unsigned i = 0; i < BITSWAP_PEER_WANTS_MAX; i++) {
		struct bitswap_entry en = { .priority = 1 };
		struct bpeer *p = container_of(b->peers.next, struct bpeer, item);

		cid_copy(&en.cid, block_cid(i));
		ledger_entry(b, p, &en);
	}
	assert_in_range(live - one, 1, BITSWAP_PEER_WANTS_MAX * 160);
	bitswap_free(b);
	assert_int_equal(before, live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_refused_allocation_loses_anything),
		cmocka_unit_test(peers_and_their_wants_are_small),
	};

	return cmocka_run_group_tests_name("bitswap_memory", tests, NULL, NULL);
}
