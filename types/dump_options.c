#include "types/dump_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "types/json_scan.h"
#include "util/container.h"

#define KEY "import"
#define TEXT_MAX 256 /* bytes of a text in here, as it is written */

static bool token_is(const struct scan_token *t, const char *s)
{
	return t->plain && t->n == strlen(s) && memcmp(t->p, s, t->n) == 0;
}

bool dump_options_here(const char *text, size_t n)
{
	struct scan s = { .text = text, .n = n, .line = 1, .column = 1 };
	struct scan_token key;
	bool first = true;

	return scan_member(&s, &first, &key) > 0 && token_is(&key, KEY);
}

/* One of the words of a list that ends in NULL, into @to. */
static int read_word(struct scan *s, const char *const *words, char *to, size_t cap)
{
	struct scan_token t;
	size_t at = s->at;
	int r = scan_string(s, &t);

	if (r < 0)
		return r;
	for (; *words; words++) {
		if (!token_is(&t, *words))
			continue;
		memcpy(to, t.p, t.n < cap ? t.n : 0);
		to[t.n < cap ? t.n : 0] = 0;
		return 0;
	}
	return scan_fail(s, -EINVAL, at, "import: unknown word \"%.*s\"",
			 (int)(t.n < 32 ? t.n : 32), t.p);
}

/* A replication factor: -1 or up to 5 digits. */
static int read_factor(struct scan *s, int32_t *ret)
{
	struct scan_token t;
	size_t at = s->at;
	int32_t v = 0;
	int r = scan_number(s, &t);

	if (r < 0)
		return r;
	if (t.n == 2 && memcmp(t.p, "-1", 2) == 0) {
		*ret = -1;
		return 0;
	}
	for (size_t i = 0; i < t.n; i++) {
		if (t.n > 5 || t.p[i] < '0' || t.p[i] > '9')
			return scan_fail(s, -EINVAL, at, "import: bad replication factor");
		v = v * 10 + (t.p[i] - '0');
	}
	*ret = v;
	return 0;
}

static int read_peer(struct scan *s, struct dump_options *o)
{
	struct err reason = { 0 };
	struct peerid *grown;
	struct scan_token t;
	size_t at = s->at;
	int r = scan_string(s, &t);

	if (r < 0)
		return r;
	if (o->n_allocations == PIN_LIST_MAX)
		return scan_fail(s, -EFBIG, at, "import: too many allocations");
	grown = realloc(o->allocations, (o->n_allocations + 1) * sizeof(*grown));
	if (!grown)
		return err_set(s->e, -ENOMEM, "out of memory");
	o->allocations = grown;
	if (peerid_parse(t.p, t.n, &grown[o->n_allocations], &reason) < 0)
		return scan_fail(s, -EINVAL, at, "import: allocations: %s", reason.msg);
	o->n_allocations++;
	return 0;
}

static int read_allocations(struct scan *s, struct dump_options *o)
{
	bool first = true;
	int r;

	o->n_allocations = 0;
	o->has_allocations = true;
	while ((r = scan_element(s, &first)) > 0) {
		scan_peek(s);
		r = read_peer(s, o);
		if (r < 0)
			return r;
	}
	return r;
}

static int read_option(struct scan *s, const struct scan_token *key, struct dump_options *o)
{
	static const char *const methods[] = { "replace", "update", "merge", NULL };
	static const char *const peersets[] = { "keep", "single", NULL };
	size_t at = s->at;

	scan_peek(s);
	if (token_is(key, "method"))
		return read_word(s, methods, o->method, sizeof(o->method));
	if (token_is(key, "peerset"))
		return read_word(s, peersets, o->peerset, sizeof(o->peerset));
	if (token_is(key, "replication_factor_min"))
		return read_factor(s, &o->replication_min);
	if (token_is(key, "replication_factor_max"))
		return read_factor(s, &o->replication_max);
	if (token_is(key, "allocations"))
		return read_allocations(s, o);
	return scan_fail(s, -EINVAL, at, "import: unknown key \"%.*s\"",
			 (int)(key->n < 32 ? key->n : 32), key->p);
}

int dump_options_parse(const char *text, size_t n, const struct dump_pos *pos,
		       struct dump_options *ret, struct err *e)
{
	struct scan s = { .text = text, .n = n, .line = pos->line, .column = pos->column, .e = e };
	bool first = true, first_inner = true;
	struct scan_token key;
	int r;

	r = scan_member(&s, &first, &key);
	if (r < 0)
		return r;
	while ((r = scan_member(&s, &first_inner, &key)) > 0) {
		r = read_option(&s, &key, ret);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	r = scan_member(&s, &first, &key);
	if (r > 0)
		r = scan_fail(&s, -EINVAL, s.at, "a key beside \"" KEY "\"");
	return r < 0 ? r : scan_finish(&s);
}

void dump_options_clear(struct dump_options *o)
{
	free(o->allocations);
	*o = (struct dump_options){ 0 };
}
