/* The folder pins/. */
#include "fs/ops/pins.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "types/name.h"
#include "util/base_enc.h"

#define SCRATCH_COOKIES (1ULL << 55) /* scratch files are listed behind the pins */

/* ---- names ---- */

static bool ends_with(const char *s, size_t n, const char *end)
{
	size_t k = strlen(end);

	return n >= k && memcmp(s + n - k, end, k) == 0;
}

static bool is_alnum_from(const char *s)
{
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

/* Names that editors and tools give to files of their own. */
static bool is_scratch_name(const char *name, size_t n)
{
	const char *json = strstr(name, PIN_SUFFIX);

	if (name[0] == '.' || name[n - 1] == '~' || strcmp(name, "4913") == 0)
		return true;
	if (n == 9 && memcmp(name, "sed", 3) == 0 && is_alnum_from(name + 3))
		return true;
	if (n == 8 && memcmp(name, "XX", 2) == 0 && is_alnum_from(name + 2)) /* perl -pi */
		return true;
	if (name[0] == '#' && name[n - 1] == '#')
		return true;
	return json && json[strlen(PIN_SUFFIX)] != '\0';
}

enum pin_name_kind pin_name_parse(const char *name, struct cid *ret, struct err *e)
{
	size_t n = strlen(name);
	struct err why = { 0 };

	if (ends_with(name, n, PIN_SUFFIX) && name[0] != '.' &&
	    cid_parse(name, n - strlen(PIN_SUFFIX), ret, &why) == 0)
		return PIN_NAME_CID;
	if (n > 0 && is_scratch_name(name, n))
		return PIN_NAME_SCRATCH;
	if (cid_parse(name, n, ret, NULL) == 0)
		err_set(e, -EINVAL, "a pin's file is named <CID>.json: write to pins/%.150s.json",
			name);
	else if (ends_with(name, n, PIN_SUFFIX))
		err_set(e, -EINVAL, "the name is not a CID: %.200s", why.msg);
	else
		err_set(e, -EINVAL, "only pins live here, named <CID>.json");
	return PIN_NAME_BAD;
}

void pin_name_format(const uint8_t *cid, size_t n, char out[256])
{
	char text[CID_TEXT_MAX + 1 + sizeof(PIN_SUFFIX)];
	struct cid c = { .len = (uint16_t)n };
	size_t len;

	memcpy(c.bytes, cid, n);
	len = cid_format(&c, text);
	memcpy(text + len, PIN_SUFFIX, sizeof(PIN_SUFFIX));
	name_cut(text, len + strlen(PIN_SUFFIX), out);
}

/* A cut name: the pins whose text begins like it are looked through. */
static int find_cut(const struct store_txn *t, const char *name, struct pin_row *ret)
{
	const char *tilde = strrchr(name, '~');
	uint8_t bytes[NAME_FOLDER_MAX];
	struct sortkey from;
	struct pinset_iter it;
	int n, r;

	if (strlen(name) != NAME_FOLDER_MAX || !tilde || name[0] != 'b')
		return -ENOENT;
	/* Whole groups of eight characters, so that the bytes are a true start. */
	n = base32_decode(name + 1, (size_t)(tilde - name - 1) / 8 * 8, bytes, sizeof(bytes));
	if (n <= 0)
		return -ENOENT;
	sortkey_of_cid(bytes, (size_t)n, &from);
	r = pinset_iter_keys(t, &from, &it);
	if (r < 0)
		return r;
	while ((r = pinset_next(&it, ret)) == 0) {
		char text[256];

		if (ret->cid_len < (size_t)n || memcmp(ret->cid, bytes, (size_t)n) != 0) {
			r = -ENOENT;
			break;
		}
		pin_name_format(ret->cid, ret->cid_len, text);
		if (strcmp(text, name) == 0)
			break;
	}
	pinset_iter_end(&it);
	return r;
}

int pin_name_find(const struct store_txn *t, const char *name, struct pin_row *ret)
{
	struct cid cid;

	if (pin_name_parse(name, &cid, NULL) == PIN_NAME_CID)
		return pinset_find(t, &cid, ret);
	return find_cut(t, name, ret);
}

/* ---- entries ---- */

void pin_row_stat(struct fs *fs, const struct pin_row *row, struct stat *st)
{
	node_stat(fs, node_id(KIND_PIN, row->serial), CLASS_WRITABLE, row->document_len,
		  row->timestamp * 1000000000, st);
}

void pin_entry(struct fs *fs, const struct pin_row *row, struct node_entry *ret)
{
	pin_name_format(row->cid, row->cid_len, ret->name);
	ret->cookie = row->serial;
	ret->timeout = 1.0;
	pin_row_stat(fs, row, &ret->st);
	if (row->serial > atomic_load(&fs->shown_serial))
		atomic_store(&fs->shown_serial, row->serial);
}

static struct handle *find_new_pin(struct fs *fs, const struct cid *cid)
{
	struct list *it;

	list_each (it, &fs->handles) {
		struct handle *h = container_of(it, struct handle, link);

		if (h->created && !h->poisoned && cid_equal(&h->cid, cid))
			return h;
	}
	return NULL;
}

static int lookup_pin(struct call *c, const char *name, const struct cid *cid,
		      struct node_entry *ret)
{
	struct store_txn *t;
	struct pin_row row;
	struct handle *h;
	int r = call_view(c, &t);

	if (r < 0)
		return r;
	r = cid ? pinset_find(t, cid, &row) : pin_name_find(t, name, &row);
	if (r == 0) {
		pin_entry(c->fs, &row, ret);
		return 0;
	}
	h = r == -ENOENT && cid ? find_new_pin(c->fs, cid) : NULL;
	if (!h)
		return r;
	node_entry_set(ret, name, 0, 0);
	return ops_new_pin.attr(c, h->ino, &ret->st);
}

static int lookup_pins(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	struct scratch *s;
	struct cid cid;

	if (pin_name_parse(name, &cid, NULL) == PIN_NAME_CID)
		return lookup_pin(c, name, &cid, ret);
	s = scratch_find(c->fs, name);
	if (!s)
		return lookup_pin(c, name, NULL, ret);
	scratch_entry(c->fs, s, ret);
	return 0;
}

static int next_scratch(struct call *c, const struct node_list *l, struct node_entry *ret)
{
	uint64_t after = l->cookie >= SCRATCH_COOKIES ? l->cookie - SCRATCH_COOKIES : 0;
	struct scratch *s = scratch_next(c->fs, after);

	if (!s)
		return -ENOENT;
	scratch_entry(c->fs, s, ret);
	ret->cookie = SCRATCH_COOKIES + s->serial;
	return 0;
}

static int next_pins(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	struct store_txn *t;
	struct pin_row row;
	int r = 0;

	if (l->cookie >= SCRATCH_COOKIES)
		return next_scratch(c, l, ret);
	if (!l->iter_open) {
		r = call_view(c, &t);
		if (r == 0)
			r = pinset_iter_serials(t, l->cookie, &l->iter);
		l->iter_open = r == 0;
	}
	if (r == 0)
		r = pinset_next(&l->iter, &row);
	if (r == -ENOENT)
		return next_scratch(c, l, ret);
	if (r == 0)
		pin_entry(c->fs, &row, ret);
	return r;
}

/* ---- changes ---- */

static int create_pins(struct call *c, uint64_t dir, const char *name, struct handle *h,
		       struct node_entry *ret)
{
	struct err e = { 0 };
	struct scratch *s;
	struct cid cid;
	int r;

	switch (pin_name_parse(name, &cid, &e)) {
	case PIN_NAME_CID:
		cid_copy(&h->cid, &cid);
		h->created = h->fresh = true;
		h->ino = node_id(KIND_NEW_PIN, ++c->fs->next_new);
		node_entry_set(ret, name, 0, 0);
		return ops_new_pin.attr(c, h->ino, &ret->st);
	case PIN_NAME_SCRATCH:
		r = scratch_make(c, name, &s);
		if (r < 0)
			return r;
		s->open++;
		h->ino = node_id(KIND_SCRATCH, s->serial);
		scratch_entry(c->fs, s, ret);
		return 0;
	case PIN_NAME_BAD:
		break;
	}
	return call_refuse(c, -EINVAL, "%s", e.msg);
}

static int unpin(struct call *c, const struct cid *cid)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 1);
	struct call_after after = { .reply = REPLY_NOTHING };

	if (!rq)
		return -ENOMEM;
	rq->items[0].unpin = true;
	cid_copy(&rq->items[0].pin.cid, cid);
	return call_post(c, rq, &after);
}

static int unlink_pins(struct call *c, uint64_t dir, const char *name)
{
	struct store_txn *t;
	struct pin_row row;
	struct scratch *s;
	struct cid cid;
	struct handle *h;
	int r;

	s = scratch_find(c->fs, name);
	if (s) {
		scratch_remove(c->fs, s);
		return 0;
	}
	r = call_view(c, &t);
	if (r == 0)
		r = pin_name_find(t, name, &row);
	if (r == 0)
		r = cid_from_bytes(row.cid, row.cid_len, &cid, NULL);
	if (r == 0)
		return unpin(c, &cid);
	if (r != -ENOENT || pin_name_parse(name, &cid, NULL) != PIN_NAME_CID)
		return r;
	h = find_new_pin(c->fs, &cid);
	if (!h)
		return -ENOENT;
	h->poisoned = true; /* created and taken away again, before it was a pin */
	h->poison = -ESTALE;
	return 0;
}

static void rename_then(struct handle *h, struct cluster_request *rq,
			int status) /* loop's thread */
{
	if (status == 0)
		atomic_store(&h->committed, true);
}

/* A complete document gets its name: the best case of all, atomic and with an error to report. */
static int rename_to_pin(struct call *c, struct scratch *s, const struct cid *cid)
{
	struct call_after after = { .reply = REPLY_NOTHING, .then = rename_then };
	struct handle *h = handle_new(c->fs, node_id(KIND_SCRATCH, s->serial), 0);
	int r;

	if (!h)
		return -ENOMEM;
	list_del(&h->link);
	after.handle = h;
	after.then = rename_then;
	r = document_commit(c, cid, s->data.data, s->data.len, &after);
	/* The loop answers; the scratch file goes when it is looked at next, once that succeeded.
	 */
	if (r == CALL_LATER)
		scratch_watch(c->fs, s, h);
	handle_unref(h);
	return r;
}

/* A pin moved to a scratch name is an editor's backup: the pin stays, the name gets its text. */
static int rename_to_scratch(struct call *c, const struct cid *cid, const char *newname)
{
	struct buf text = BUF_INIT(0);
	struct store_txn *t;
	struct pin_row row;
	struct scratch *s;
	struct pin pin;
	int r = call_view(c, &t);

	if (r == 0)
		r = pinset_find(t, cid, &row);
	if (r < 0)
		return r;
	pin_init(&pin);
	r = pinset_decode(&row, &pin, NULL);
	if (r == 0)
		r = pin_json_document(&pin, &text);
	pin_deinit(&pin);
	if (r == 0)
		r = scratch_make(c, newname, &s);
	if (r == 0)
		r = scratch_fill(c, s, text.data, text.len);
	buf_deinit(&text);
	return r;
}

static int rename_scratch(struct call *c, struct scratch *s, const char *newname)
{
	struct scratch *old = scratch_find(c->fs, newname);

	if (old == s)
		return 0;
	if (old)
		scratch_remove(c->fs, old);
	snprintf(s->name, sizeof(s->name), "%s", newname);
	return 0;
}

static int rename_pins(struct call *c, uint64_t dir, const char *name, const char *newname)
{
	struct cid from, to;
	struct err e = { 0 };
	struct scratch *s = scratch_find(c->fs, name);
	enum pin_name_kind kind = pin_name_parse(name, &from, NULL);
	enum pin_name_kind newkind = pin_name_parse(newname, &to, &e);

	if (newkind == PIN_NAME_BAD)
		return call_refuse(c, -EINVAL, "%s", e.msg);
	if (s && newkind == PIN_NAME_SCRATCH)
		return rename_scratch(c, s, newname);
	if (s)
		return rename_to_pin(c, s, &to);
	if (kind != PIN_NAME_CID)
		return -ENOENT;
	if (newkind == PIN_NAME_SCRATCH)
		return rename_to_scratch(c, &from, newname);
	if (cid_equal(&from, &to))
		return 0;
	return call_refuse(c, -EINVAL,
			   "a pin's name is its CID and cannot become another's: "
			   "copy the file, then remove the old one");
}

static int symlink_pins(struct call *c, uint64_t dir, const char *name, const char *target,
			struct node_entry *ret)
{
	struct err e = { 0 };
	struct scratch *s;
	struct cid cid;
	int r;

	if (pin_name_parse(name, &cid, &e) != PIN_NAME_SCRATCH)
		return call_refuse(c, -EPERM, "a pin cannot be a link");
	r = scratch_make(c, name, &s);
	if (r == 0)
		r = scratch_fill(c, s, target, strlen(target));
	if (r < 0)
		return r;
	s->is_link = true;
	scratch_entry(c->fs, s, ret);
	return 0;
}

const struct node_ops ops_pins = {
	.attr = fixed_attr,
	.lookup = lookup_pins,
	.next = next_pins,
	.create = create_pins,
	.unlink = unlink_pins,
	.rename = rename_pins,
	.symlink = symlink_pins,
};
