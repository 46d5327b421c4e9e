#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net/bitswap_text.h"
#include "types/hash.h"

#define GREAT_BYTES 1048632
#define PEERS 1000

#define put(b, ...) assert_int_equal(0, buf_printf((b), __VA_ARGS__))

/* ---- blocks and peers ---- */

static struct cid cids[BLOCKS_END];
static uint64_t ends[BLOCKS_END]; /* of their digests */

static uint64_t end_of(const struct cid *cid)
{
	uint64_t end;

	memcpy(&end, cid->bytes + cid->len - sizeof(end), sizeof(end));
	return end;
}

size_t block_size(unsigned block)
{
	return block < LARGE ? 100 : block < GREAT ? 5000 : GREAT_BYTES;
}

const uint8_t *block_bytes(unsigned block, size_t *ret_n)
{
	static uint8_t bytes[GREAT_BYTES];

	assert_true(block < BLOCKS_END);
	memcpy(bytes, &block, sizeof(block));
	*ret_n = block_size(block);
	return bytes;
}

const struct cid *block_cid(unsigned block)
{
	const uint8_t *p;
	size_t n;

	assert_true(block < BLOCKS_END);
	if (!cid_defined(&cids[block])) {
		assert_int_equal(0, hash_init());
		p = block_bytes(block, &n);
		cid_of_block(CODEC_DAG_PB, p, n, &cids[block]);
		ends[block] = end_of(&cids[block]);
	}
	return &cids[block];
}

unsigned block_number(const struct cid *cid)
{
	uint64_t end = end_of(cid);

	for (unsigned i = 0; i < BLOCKS_END; i++)
		if (ends[i] == end && cid_defined(&cids[i]))
			return i;
	fail_msg("a CID of no block");
	return 0;
}

static struct peerid peers[PEERS];

const struct peerid *peer_id(unsigned peer)
{
	uint8_t key[32] = { (uint8_t)(peer >> 8), (uint8_t)peer };

	assert_true(peer < PEERS);
	if (peers[peer].len == 0)
		peerid_from_ed25519(key, &peers[peer]);
	return &peers[peer];
}

unsigned peer_number(const struct peerid *id)
{
	for (unsigned i = 0; i < PEERS; i++)
		if (peers[i].len > 0 && peerid_equal(&peers[i], id))
			return i;
	fail_msg("a peer that is none");
	return 0;
}

/* ---- reading ---- */

static void text_full(void *arg)
{
	put(arg, "full ");
}

static void text_entry(void *arg, const struct bitswap_entry *en)
{
	put(arg, "%s%s %u ",
	    en->cancel      ? "cancel"
	    : en->want_have ? "have"
			    : "want",
	    en->cancel || en->send_dont_have ? "" : "-", block_number(&en->cid));
}

static void text_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	assert_int_equal(n, block_size(block_number(cid)));
	put(arg, "block %u ", block_number(cid));
}

static void text_presence(void *arg, const struct cid *cid, bool have)
{
	put(arg, "%s %u ", have ? "HAVE" : "DONT", block_number(cid));
}

int text_read(const uint8_t *message, size_t n, struct buf *text)
{
	const struct bitswap_visitor v = { .full = text_full,
					   .entry = text_entry,
					   .block = text_block,
					   .presence = text_presence,
					   .arg = text };
	size_t before = text->len;
	struct err e = { 0 };
	int r = bitswap_read(message, n, &v, &e);

	assert_int_equal(r, e.code);
	if (text->len > before)
		text->len--; /* the last space */
	assert_int_equal(0, buf_terminate(text));
	return r;
}

/* ---- writing ---- */

struct parts {
	struct buf wantlist, answers;
	bool full;
};

static void add_block(struct parts *m, unsigned block)
{
	size_t n;
	const uint8_t *p = block_bytes(block, &n);

	assert_int_equal(0, bitswap_put_block_head(&m->answers, block_cid(block), n));
	assert_int_equal(0, buf_append(&m->answers, p, n));
}

static void add_entry(struct parts *m, const char *word, unsigned block, const char *priority)
{
	struct bitswap_entry en = { .cancel = strcmp(word, "cancel") == 0,
				    .want_have = strncmp(word, "have", 4) == 0 };

	assert_true(en.cancel || en.want_have || strncmp(word, "want", 4) == 0);
	en.send_dont_have = !en.cancel && word[4] != '-';
	en.priority = *priority == ':' ? atoi(priority + 1) : !en.cancel;
	cid_copy(&en.cid, block_cid(block));
	assert_int_equal(0, bitswap_put_entry(&m->wantlist, &en));
}

void text_write(const char *text, struct buf *message)
{
	char *copy = strdup(text), *save = NULL, *word, *rest;
	struct parts m = { BUF_INIT(0), BUF_INIT(0), false };

	assert_non_null(copy);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		unsigned block;

		if (strcmp(word, "full") == 0) {
			m.full = true;
			continue;
		}
		block = (unsigned)strtoul(strtok_r(NULL, " ", &save), &rest, 10);
		if (strcmp(word, "block") == 0)
			add_block(&m, block);
		else if (strcmp(word, "HAVE") == 0 || strcmp(word, "DONT") == 0)
			assert_int_equal(
			    0, bitswap_put_presence(&m.answers, block_cid(block), *word == 'H'));
		else
			add_entry(&m, word, block, rest);
	}
	assert_int_equal(0, bitswap_put_wantlist(message, &m.wantlist, m.full));
	assert_int_equal(0, buf_append(message, m.answers.data, m.answers.len));
	buf_deinit(&m.wantlist);
	buf_deinit(&m.answers);
	free(copy);
}
