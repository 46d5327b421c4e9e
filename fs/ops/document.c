/*
 * A document on its way to become a pin.
 *
 * The WRITE that completes the JSON object commits, whoever writes it, and carries the error: it is
 * the only request whose error a shell's `echo` shows. After it only white space may come. A file
 * that was opened without truncation is changed in place instead, and commits when its opener
 * closes it or asks for a sync.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ops/pins.h"
#include "fs/waiting.h"

/* ---- is it whole? ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

enum document_shape document_shape(const char *p, size_t n, const char **reason)
{
	bool in_string = false, escaped = false, seen = false;
	int depth = 0;

	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		if (in_string) {
			in_string = escaped || c != '"';
			escaped = !escaped && c == '\\';
			continue;
		}
		if (is_space(c))
			continue;
		if (depth == 0 && (seen || c != '{')) {
			*reason = seen ? "there is something behind the pin's document"
				       : "a pin's document is a JSON object, it begins with {";
			return DOCUMENT_BAD;
		}
		seen = true;
		in_string = c == '"';
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
	}
	return seen && depth == 0 ? DOCUMENT_WHOLE : DOCUMENT_CUT;
}

/* ---- what does it say? ---- */

static int check_keys(const struct pin_json_keys *keys, struct err *e)
{
	/* A newer version's pin has all the keys of today, and more. */
	if (keys->unknown == 0 || keys->given == PIN_KEY_ALL)
		return 0;
	if (keys->nearest[0])
		return err_set(e, -EINVAL, "unknown key \"%s\": did you mean \"%s\"?",
			       keys->first_unknown, keys->nearest);
	return err_set(e, -EINVAL, "unknown key \"%s\"", keys->first_unknown);
}

int document_parse(const struct cid *cid, const void *text, size_t n, struct cluster_item *item,
		   struct err *e)
{
	int r = pin_json_decode(text, n, &item->pin, &item->mode, &item->keys, e);

	if (r == 0)
		r = check_keys(&item->keys, e);
	if (r < 0)
		return r;
	if (cid_defined(&item->pin.cid) && !cid_equal(&item->pin.cid, cid))
		return err_set(e, -EINVAL,
			       "the cid in the document is not the one of the file's name");
	cid_copy(&item->pin.cid, cid);
	return 0;
}

static struct cluster_request *request_of(const struct cid *cid, const void *text, size_t n, int *r,
					  struct err *e)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 1);

	*r = rq ? document_parse(cid, text, n, &rq->items[0], e) : -ENOMEM;
	if (*r == 0)
		return rq;
	cluster_request_free(rq);
	return NULL;
}

int document_commit(struct call *c, const struct cid *cid, const void *text, size_t n,
		    const struct call_after *after)
{
	struct err e = { 0 };
	struct cluster_request *rq;
	const char *reason = "the document is cut: its object does not end";
	int r;

	if (n > PIN_BYTES_MAX)
		return call_refuse(c, -EFBIG, "a pin's document has at most 1 MiB");
	if (document_shape(text, n, &reason) != DOCUMENT_WHOLE)
		return call_refuse(c, -EINVAL, "%s", reason);
	rq = request_of(cid, text, n, &r, &e);
	return rq ? call_post(c, rq, after) : call_refuse(c, r, "%s", e.msg);
}

/* ---- the open file ---- */

static int poison(struct handle *h, int code)
{
	h->poisoned = true;
	h->poison = code;
	h->dirty = false;
	return code;
}

static void commit_then(struct handle *h, struct cluster_request *rq,
			int status) /* loop's thread */
{
	if (status == 0)
		atomic_store(&h->committed, true);
	atomic_store(&h->busy, false);
}

static int commit(struct call *c, struct handle *h, enum call_reply reply, size_t written)
{
	struct call_after after = {
		.reply = reply, .written = written, .handle = h, .then = commit_then
	};
	int r;

	h->dirty = false;
	atomic_store(&h->busy, true);
	r = document_commit(c, &h->cid, h->text.data, h->text.len, &after);
	if (r < 0) {
		atomic_store(&h->busy, false);
		poison(h, r);
	}
	return r;
}

/* Another open file of this pin with bytes that are not committed. */
static bool conflicts(struct handle *h)
{
	struct list *it;

	list_each (it, &h->fs->handles) {
		struct handle *o = container_of(it, struct handle, link);

		if (o != h && (o->dirty || atomic_load(&o->busy)) && !o->poisoned &&
		    o->cid.len > 0 && cid_equal(&o->cid, &h->cid))
			return true;
	}
	return false;
}

static bool only_space(const char *p, size_t n)
{
	while (n > 0 && is_space(*p))
		p++, n--;
	return n == 0;
}

static int take_bytes(struct handle *h, const void *p, size_t n, uint64_t off)
{
	int r = 0;

	if (off + n > h->text.len)
		r = buf_reserve(&h->text, off + n - h->text.len);
	if (r < 0)
		return r;
	memcpy(h->text.data + off, p, n);
	if (off + n > h->text.len)
		h->text.len = off + n;
	h->dirty = true;
	h->cut = false;
	return 0;
}

int document_write(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off)
{
	const char *reason = "";
	int r;

	if (h->poisoned)
		return call_refuse(c, h->poison, "what was written before was refused");
	if (h->fresh && !h->dirty && h->text.len > 0) { /* the document is in */
		if (only_space(p, n))
			return 0;
		return call_refuse(c, poison(h, -EINVAL),
				   "there is something behind the pin's document");
	}
	if (conflicts(h))
		return call_refuse(c, -EBUSY, "another program is writing this pin");
	if (off > PIN_BYTES_MAX || n > PIN_BYTES_MAX - off)
		return call_refuse(c, poison(h, -EFBIG), "a pin's document has at most 1 MiB");
	if (off > h->text.len || (!h->fresh && off == h->text.len && !only_space(p, n)))
		return call_refuse(c, poison(h, -EINVAL),
				   "nothing can be put behind a pin's document");
	r = take_bytes(h, p, n, off);
	if (r < 0 || !h->fresh)
		return r;
	switch (document_shape((const char *)h->text.data, h->text.len, &reason)) {
	case DOCUMENT_CUT:
		return 0;
	case DOCUMENT_BAD:
		return call_refuse(c, poison(h, -EINVAL), "%s", reason);
	case DOCUMENT_WHOLE:
		break;
	}
	return commit(c, h, REPLY_WRITTEN, n);
}

int document_truncate(struct call *c, uint64_t ino, struct handle *h, uint64_t size)
{
	struct stat st;
	int r;

	if (!h) {
		r = node_ops(ino)->attr(c, ino, &st);
		if (r < 0 || (uint64_t)st.st_size == size)
			return r;
		return call_refuse(c, -EINVAL, "a pin cannot be cut: write the whole document");
	}
	if (size == 0) {
		h->cut = h->text.len > 0;
		buf_reset(&h->text);
		h->fresh = true;
		h->dirty = false;
		return 0;
	}
	if (size > h->text.len)
		return call_refuse(c, -EINVAL, "a pin's document cannot have holes");
	if (size < h->text.len) {
		h->text.len = size;
		h->dirty = true;
	}
	return 0;
}

int document_flush(struct call *c, struct handle *h)
{
	struct err e = { 0 };
	struct cluster_request *rq;
	int r;

	if (h->cut && c->opener && !c->killed) {
		h->cut = false;
		return call_refuse(c, -EINVAL, "an emptied file is no pin, and unpins nothing");
	}
	if (h->poisoned || !h->dirty)
		return 0;
	if (c->killed) {
		poison(h, -EINTR);
		return 0;
	}
	/* Of a new document only the start came so far: the shell closes a copy of the descriptor
	 * after each command, and more may come (it says nothing of the error); cp and cat have
	 * nothing more, and say it. */
	if (h->fresh)
		return call_refuse(c, -EINVAL, "the document is cut: its object does not end");
	if (c->opener)
		return commit(c, h, REPLY_NOTHING, 0);
	rq = request_of(&h->cid, h->text.data, h->text.len, &r, &e);
	cluster_request_free(rq);
	return r < 0 ? call_refuse(c, poison(h, r), "%s", e.msg) : 0;
}

int document_fsync(struct call *c, struct handle *h)
{
	if (h->poisoned)
		return h->poison;
	return h->dirty ? commit(c, h, REPLY_NOTHING, 0) : 0;
}

/* Whole bytes that no close could commit (a descriptor handed on, an opener that is gone). */
void document_release(struct handle *h)
{
	char name[256], path[300];
	struct cluster_request *rq;
	const char *reason;
	int r;

	if (h->poisoned || !h->dirty || atomic_load(&h->fs->frozen) ||
	    document_shape((const char *)h->text.data, h->text.len, &reason) != DOCUMENT_WHOLE)
		return;
	rq = request_of(&h->cid, h->text.data, h->text.len, &r, NULL);
	if (!rq)
		return;
	pin_name_format(h->cid.bytes, h->cid.len, name);
	snprintf(path, sizeof(path), "pins/%s", name);
	waiting_post_late(h, rq, path);
}
