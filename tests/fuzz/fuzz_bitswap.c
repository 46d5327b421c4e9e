/*
 * Any messages to a bitswap with two peers: what it sends is well-formed, the blocks that it hands
 * on were wanted and are what their CIDs say, and what it keeps stays within its bounds. An input
 * is a row of actions: a byte, and for a message its length in two bytes and its bytes.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/bitswap_internal.h"
#include "types/hash.h"

#define PEERS 2
#define ACTIONS_MAX 128 /* of an input; the rest of it does not matter */
#define BLOCKS 8        /* "block 0" to "block 7"; it has those below 4 */
#define HERE 4

enum action {
	MESSAGE_0,
	MESSAGE_1,
	WANT,
	CANCEL,
	HAVE,
	TIME,
	UP,
	DOWN,
	WRITABLE,
	LOST,
	PROGRESS,
	ACTIONS
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static struct peerid peers[PEERS];
static struct cid cids[BLOCKS];

struct world {
	struct bitswap *b;
	uint64_t now;
	unsigned sent;
	bool wanted[BLOCKS];
};

static void set_up(void)
{
	if (cids[0].len > 0)
		return;
	check(hash_init() == 0);
	for (uint8_t i = 0; i < PEERS; i++) {
		uint8_t key[32] = { i };

		peerid_from_ed25519(key, &peers[i]);
	}
	for (int i = 0; i < BLOCKS; i++) {
		char text[] = "block 0";

		text[6] = (char)('0' + i);
		cid_of_block(CODEC_DAG_PB, text, 7, &cids[i]);
	}
}

static int number(const struct cid *cid)
{
	for (int i = 0; i < BLOCKS; i++)
		if (cid_equal(&cids[i], cid))
			return i;
	return BLOCKS;
}

static int on_get(void *arg, const struct cid *cid, struct buf *out, size_t *ret_size)
{
	int i = number(cid);
	char text[] = "block 0";

	if (i >= HERE)
		return i == BLOCKS ? 0 : -EIO;
	text[6] = (char)('0' + i);
	*ret_size = i == 3 ? BITSWAP_INLINE_MAX + 1 : 7; /* the last one cannot be read */
	return out && buf_append(out, text, 7) < 0 ? -ENOMEM : 1;
}

static void on_block(void *arg, const struct cid *cid, const struct peerid *from, const uint8_t *p,
		     size_t n)
{
	struct world *w = arg;
	int i = number(cid);

	check(i < BLOCKS && w->wanted[i]);
	check(n == 7 && memcmp(p, "block ", 6) == 0 && p[6] == '0' + i);
	w->wanted[i] = false;
	if (i == 5) { /* it leads to another */
		check(bitswap_want(w->b, &cids[6], from, w->now) == 0);
		w->wanted[6] = true;
	} else if (i == 7) {
		bitswap_peer_down(w->b, &peers[0], w->now);
	}
}

static void on_sent_entry(void *arg, const struct bitswap_entry *en)
{
	check(number(&en->cid) < BLOCKS && (en->cancel || en->send_dont_have));
}

static void on_sent_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	check(number(cid) < HERE - 1);
}

static bool on_send(void *arg, const struct peerid *to, const uint8_t *message, size_t n)
{
	static const struct bitswap_visitor v = { .entry = on_sent_entry, .block = on_sent_block };
	struct world *w = arg;

	check(n > 0 && n <= BITSWAP_MESSAGE_MAX);
	check(bitswap_read(message, n, &v, NULL) == 0);
	return ++w->sent % 5 > 0; /* now and then its queue is full */
}

/* A message: its length and bytes are taken from *p. */
static void feed(struct world *w, unsigned peer, const uint8_t **p, const uint8_t *end)
{
	size_t n;
	int r;

	if (end - *p < 2)
		return;
	n = (size_t)(*p)[0] << 8 | (*p)[1];
	*p += 2;
	if (n > (size_t)(end - *p))
		n = (size_t)(end - *p);
	r = bitswap_feed(w->b, &peers[peer], *p, n, w->now, NULL);
	check(r == 0 || r == -EBADMSG);
	*p += n;
}

static size_t length(const struct list *l)
{
	const struct list *it;
	size_t n = 0;

	list_each (it, l)
		n++;
	return n;
}

static void check_bounds(const struct bitswap *b)
{
	size_t demands = 0;
	struct list *it;

	list_each (it, &b->peers) {
		const struct bpeer *p = container_of(it, struct bpeer, item);

		check(length(&p->due) + length(&p->waiting) == p->n_demands);
		check(p->n_demands <= BITSWAP_PEER_WANTS_MAX);
		check(p->cancels.len <= BITSWAP_CANCELS_MAX);
		demands += p->n_demands;
	}
	check(demands == b->n_demands && length(&b->peers) == b->n_peers);
	check(b->n_wants <= BLOCKS);
}

static void act(struct world *w, uint8_t byte, const uint8_t **p, const uint8_t *end)
{
	unsigned which = byte / ACTIONS, block = which % BLOCKS, peer = which % PEERS;

	switch ((enum action)(byte % ACTIONS)) {
	case MESSAGE_0:
	case MESSAGE_1:
		feed(w, byte % ACTIONS == MESSAGE_1, p, end);
		break;
	case WANT:
		check(bitswap_want(w->b, &cids[block], which < BLOCKS ? NULL : &peers[which % 2],
				   w->now) == 0);
		w->wanted[block] = true;
		break;
	case CANCEL:
		bitswap_cancel(w->b, &cids[block]);
		w->wanted[block] = false;
		break;
	case HAVE:
		bitswap_have(w->b, &cids[block], w->now);
		break;
	case TIME:
		if (bitswap_deadline(w->b) > w->now && bitswap_deadline(w->b) < UINT64_MAX)
			w->now = bitswap_deadline(w->b);
		bitswap_tick(w->b, w->now);
		check(bitswap_deadline(w->b) > w->now);
		break;
	case UP:
		check(bitswap_peer_up(w->b, &peers[peer], w->now) == 0);
		break;
	case DOWN:
		bitswap_peer_down(w->b, &peers[peer], w->now);
		break;
	case WRITABLE:
		bitswap_writable(w->b, &peers[peer], w->now);
		break;
	case LOST:
		bitswap_lost(w->b, &peers[peer], w->now);
		break;
	case PROGRESS:
		bitswap_progress(w->b, &peers[peer], w->now);
		break;
	case ACTIONS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct world w = { .now = 1000 };
	const struct bitswap_config cfg = {
		.get = on_get, .block = on_block, .send = on_send, .arg = &w, .send_arg = &w
	};
	const uint8_t *p = data, *end = data + n;

	set_up();
	check(bitswap_new(&cfg, &w.b) == 0);
	check(bitswap_peer_up(w.b, &peers[0], w.now) == 0);
	for (unsigned acts = 0; p < end && acts < ACTIONS_MAX; acts++) {
		uint8_t byte = *p++;

		act(&w, byte, &p, end);
		check_bounds(w.b);
	}
	bitswap_free(w.b);
	return 0;
}
