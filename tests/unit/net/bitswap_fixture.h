/*
 * A bitswap among peers that are played by the test: what it sends and the blocks that it gets are
 * written down as text. Include after cmocka.h.
 */
#pragma once

#include "net/bitswap_internal.h"
#include "tests/unit/net/bitswap_text.h"

struct swap {
	struct bitswap *b;
	uint64_t now;
	struct buf sent;        /* "2:want 7;": a message for peer 2 */
	struct buf got;         /* "7 of 2;" */
	bool here[BLOCKS_END];  /* blocks that it has */
	bool lost[BLOCKS_END];  /* blocks that it seems to have and cannot read */
	unsigned full;          /* the queue to this peer takes nothing; 0: none */
	size_t n_sent, largest; /* messages; bytes of the largest */
	bool quiet;             /* only counted */
	/* What else is done when a block comes. */
	void (*on_block)(struct swap *s, unsigned block);
};

void swap_start(struct swap *s);
void swap_stop(struct swap *s);
/* Peers 1 to @peers are up. */
void swap_start_among(struct swap *s, unsigned peers);
void swap_up(struct swap *s, unsigned peer);
void swap_down(struct swap *s, unsigned peer);
void swap_want(struct swap *s, unsigned block, unsigned hint); /* hint 0: none */
int swap_feed_bytes(struct swap *s, unsigned peer, const void *p, size_t n);
/* A well-formed message. */
void swap_feed(struct swap *s, unsigned peer, const char *text);
/* @ms pass, and what is due in them is done in its time. */
void swap_pass(struct swap *s, uint64_t ms);

/* What was sent since the last call, what is due now included; what was got. */
const char *swap_sent(struct swap *s);
const char *swap_got(struct swap *s);
struct bitswap_counts swap_counts(const struct swap *s);
