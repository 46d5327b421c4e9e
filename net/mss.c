#include "net/mss.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "util/varint.h"

#define HEADER "/multistream/1.0.0"
#define HEADER_TOKEN "\x13" HEADER "\n"
#define REFUSAL "na"
#define LENGTH_MAX 2 /* bytes of an encoded length up to MSS_TOKEN_MAX */

/* The text of a token, without its newline; not terminated. */
struct text {
	const char *p;
	size_t n;
};

static bool text_is(struct text t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

int mss_token(const char *text, struct buf *out)
{
	size_t n = strlen(text);
	uint8_t length[VARINT_MAX];
	size_t length_len = varint_put(length, n + 1);
	int r;

	if (n + 1 > MSS_TOKEN_MAX)
		return -EINVAL;
	r = buf_reserve(out, length_len + n + 1);
	if (r < 0)
		return r;
	buf_append(out, length, length_len);
	buf_append(out, text, n);
	return buf_byte(out, '\n');
}

static void init(struct mss *m, bool opener, const char *const *protocols, size_t n)
{
	m->opener = opener;
	m->state = MSS_RUNNING;
	m->protocols = protocols;
	m->n_protocols = n;
	m->agreed = NULL;
	m->header_seen = false;
	m->proposal = 0;
	m->token_len = 0;
}

int mss_init_opener(struct mss *m, const char *const *protocols, size_t n, struct buf *out)
{
	int r;

	assert(n > 0 && n <= MSS_PROPOSALS_MAX);
	init(m, true, protocols, n);
	r = mss_token(HEADER, out);
	return r < 0 ? r : mss_token(protocols[0], out);
}

int mss_init_acceptor(struct mss *m, const char *const *protocols, size_t n, struct buf *out)
{
	init(m, false, protocols, n);
	return mss_token(HEADER, out);
}

static int answered(struct mss *m, struct text t, struct buf *out, struct err *e)
{
	if (text_is(t, m->protocols[m->proposal])) {
		m->agreed = m->protocols[m->proposal];
		m->state = MSS_AGREED;
		return 0;
	}
	if (!text_is(t, REFUSAL))
		return err_set(e, -EPROTO, "an answer to another protocol than the proposed");
	if (++m->proposal < m->n_protocols)
		return mss_token(m->protocols[m->proposal], out);
	m->state = MSS_REFUSED;
	return 0;
}

static int proposed(struct mss *m, struct text t, struct buf *out, struct err *e)
{
	if (m->proposal++ == MSS_PROPOSALS_MAX)
		return err_set(e, -EPROTO, "more than %d protocols proposed", MSS_PROPOSALS_MAX);
	for (size_t i = 0; i < m->n_protocols; i++) {
		if (text_is(t, m->protocols[i])) {
			m->agreed = m->protocols[i];
			m->state = MSS_AGREED;
			return mss_token(m->agreed, out);
		}
	}
	return mss_token(REFUSAL, out);
}

static int take_token(struct mss *m, struct text t, struct buf *out, struct err *e)
{
	if (!m->header_seen) {
		m->header_seen = true;
		return 0;
	}
	return m->opener ? answered(m, t, out, e) : proposed(m, t, out, e);
}

/* Bytes of the length, and of the whole token that has begun; 0 while the length is not complete.
 * A length that is wrong is refused at its first byte that shows it. */
static int token_size(const struct mss *m, size_t *ret_length, size_t *ret)
{
	uint64_t n = 0;
	int r;

	*ret_length = 0;
	*ret = 0;
	if (m->token_len == 0 || (m->token_len < LENGTH_MAX && m->token[0] & 0x80))
		return 0;
	r = varint_get(m->token, m->token_len < LENGTH_MAX ? m->token_len : LENGTH_MAX, 1, &n);
	if (r < 0 || n == 0 || n > MSS_TOKEN_MAX)
		return -EPROTO;
	*ret_length = (size_t)r;
	*ret = (size_t)r + (size_t)n;
	return 0;
}

/* A peer that speaks something else, or with another secret, is known by its first wrong byte: the
 * length that it seems to announce may never come. */
static bool can_be_header(const struct mss *m)
{
	return m->token_len < sizeof(HEADER_TOKEN) &&
	       memcmp(m->token, HEADER_TOKEN, m->token_len) == 0;
}

/* Takes bytes up to the end of a token or of its length. */
static int take_bytes(struct mss *m, const uint8_t *p, size_t n, size_t *used, struct buf *out,
		      struct err *e)
{
	size_t length, size, want;

	if (token_size(m, &length, &size) < 0)
		return err_set(e, -EPROTO, "a token of a wrong length");
	want = size ? size - m->token_len : 1;
	if (want > n)
		want = n;
	memcpy(m->token + m->token_len, p, want);
	m->token_len += want;
	*used += want;
	if (!m->header_seen && !can_be_header(m))
		return err_set(e, -EPROTO, "not multistream-select 1.0");
	if (token_size(m, &length, &size) < 0)
		return err_set(e, -EPROTO, "a token of a wrong length");
	if (!size || m->token_len < size)
		return 0;
	if (m->token[size - 1] != '\n')
		return err_set(e, -EPROTO, "a token without its newline");
	m->token_len = 0;
	return take_token(m, (struct text){ (const char *)m->token + length, size - length - 1 },
			  out, e);
}

int mss_feed(struct mss *m, const uint8_t *p, size_t n, size_t *ret_used, struct buf *out,
	     struct err *e)
{
	size_t used = 0;
	int r = 0;

	while (r == 0 && m->state == MSS_RUNNING && used < n)
		r = take_bytes(m, p + used, n - used, &used, out, e);
	*ret_used = used;
	return r;
}
