/* peers/add: a multiaddress that is written here is dialled, and the write says what came of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/text.h"
#include "types/multiaddr.h"

#define ADDRESS_TEXT_MAX 1024

static int attr_peer_add(struct call *c, uint64_t ino, struct stat *st)
{
	node_stat(c->fs, ino, CLASS_WRITE_ONLY, 0, c->fs->started_ns, st);
	return 0;
}

static int open_peer_add(struct call *c, uint64_t ino, struct handle *h)
{
	return 0;
}

static int refuse(struct call *c, struct handle *h, const char *why)
{
	h->poisoned = true;
	h->dirty = false;
	return call_refuse(c, -EINVAL, "%s", why);
}

static int add(struct call *c, struct handle *h, enum call_reply reply, size_t written)
{
	struct call_after after = { .reply = reply, .written = written, .handle = h };
	const char *text = (const char *)h->text.data;
	size_t n = h->text.len;
	struct cluster_request *rq;
	struct multiaddr a;
	struct peerid peer;
	struct err e = { 0 };

	while (n > 0 && strchr(" \t\r\n", text[n - 1]))
		n--;
	if (multiaddr_parse(text, n, &a, &e) < 0)
		return refuse(c, h, e.msg);
	if (multiaddr_peerid(&a, &peer) < 0)
		return refuse(c, h, "there is no /p2p/ with the peer's ID in the address");
	rq = cluster_request_new(CLUSTER_PEER_ADD, 0);
	if (rq)
		rq->text = calloc(1, n + 1);
	if (!rq || !rq->text) {
		cluster_request_free(rq);
		return -ENOMEM;
	}
	memcpy(rq->text, text, n);
	h->dirty = false;
	h->text.len = 0;
	return call_post(c, rq, &after);
}

/* A line that is whole counts at once, so that the shell sees its error. */
static int write_peer_add(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off)
{
	int r;

	if (h->poisoned || n > ADDRESS_TEXT_MAX - h->text.len)
		return refuse(c, h, "one multiaddress with /p2p/ is written here, nothing else");
	r = buf_append(&h->text, p, n);
	if (r < 0)
		return r;
	h->dirty = true;
	return memchr(h->text.data, '\n', h->text.len) ? add(c, h, REPLY_WRITTEN, n) : 0;
}

static int truncate_peer_add(struct call *c, uint64_t ino, struct handle *h, uint64_t size)
{
	return 0;
}

/* An address without a newline behind it counts when the file is closed. */
static int flush_peer_add(struct call *c, struct handle *h)
{
	if (!h->dirty || c->killed || !c->opener)
		return 0;
	return add(c, h, REPLY_NOTHING, 0);
}

const struct node_ops ops_peer_add = {
	.attr = attr_peer_add,
	.open = open_peer_add,
	.write = write_peer_add,
	.truncate = truncate_peer_add,
	.flush = flush_peer_add,
};
