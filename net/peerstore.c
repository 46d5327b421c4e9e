#include "net/peerstore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/path.h"

static int line_parse(const char *s, size_t n, struct multiaddr *ret, struct err *e)
{
	struct peerid id;
	int r;

	r = multiaddr_parse(s, n, ret, e);
	if (r < 0)
		return r;
	if (multiaddr_peerid(ret, &id) < 0)
		return err_set(e, -EINVAL, "the address has no /p2p part");
	return 0;
}

static int entry_add(struct peerstore *p, const struct multiaddr *a)
{
	struct multiaddr *v;

	if (p->n >= PEERSTORE_ENTRIES_MAX)
		return -EFBIG;
	if ((p->n & (p->n - 1)) == 0) { /* full at every power of two */
		v = realloc(p->v, (p->n ? 2 * p->n : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		p->v = v;
	}
	p->v[p->n++] = *a;
	return 0;
}

int peerstore_parse(const char *text, size_t len, peerstore_bad bad, void *arg,
		    struct peerstore *ret, struct err *e)
{
	const char *s = text, *end = text + len;
	struct peerstore p = { 0 };
	size_t line = 0;
	int r = 0;

	while (s < end && r == 0) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((nl ? nl : end) - s);
		struct err why = { 0 };
		struct multiaddr a;

		line++;
		if (n > 0 && s[n - 1] == '\r')
			n--;
		if (n > 0 && s[0] == '/') {
			if (line_parse(s, n, &a, &why) == 0)
				r = entry_add(&p, &a);
			else if (bad)
				bad(arg, line, &why);
		}
		s = nl ? nl + 1 : end;
	}
	if (r < 0) {
		peerstore_clear(&p);
		return r == -EFBIG ? err_set(e, r, "more than %d addresses", PEERSTORE_ENTRIES_MAX)
				   : err_sys(e, r, "line %zu", line);
	}
	*ret = p;
	return 0;
}

int peerstore_read(const char *path, peerstore_bad bad, void *arg, struct peerstore *ret,
		   struct err *e)
{
	struct buf text = BUF_INIT(2 * PEERSTORE_BYTES_MAX);
	int r;

	r = path_read(path, PEERSTORE_BYTES_MAX, &text, e);
	if (r == 0 || r == -ENOENT) {
		r = peerstore_parse(text.data ? (char *)text.data : "", text.len, bad, arg, ret, e);
		if (r < 0)
			err_wrap(e, r, "%s", path);
	}
	buf_deinit(&text);
	return r;
}

void peerstore_clear(struct peerstore *p)
{
	free(p->v);
	p->v = NULL;
	p->n = 0;
}

int peerstore_write(const char *path, const struct multiaddr *v, size_t n, struct err *e)
{
	struct buf text = BUF_INIT(2 * PEERSTORE_BYTES_MAX);
	size_t i;
	int r = 0;

	for (i = 0; i < n && r == 0; i++) {
		r = multiaddr_format(&v[i], &text);
		if (r == 0)
			r = buf_byte(&text, '\n');
	}
	if (r < 0)
		err_sys(e, r, "%s", path);
	else
		r = path_write_atomic(path, text.data, text.len, 0644, e);
	buf_deinit(&text);
	return r;
}
