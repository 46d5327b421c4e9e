/* How a stream comes to speak one protocol: multistream on top of yamux. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "net/conn_internal.h"

struct dialogue {
	struct mss mss;
	const struct stream_protocol *offers; /* the acceptor's */
	const char *names[];                  /* theirs */
};

static int dialogue_new(struct stream *s, size_t n_names, struct dialogue **ret)
{
	struct dialogue *d = malloc(sizeof(*d) + n_names * sizeof(d->names[0]));

	if (!d)
		return -ENOMEM;
	*ret = d;
	return 0;
}

/* The first tokens are in @out, if @r is 0. */
static int begin(struct stream *s, struct dialogue *d, struct buf *out, int r)
{
	if (r == 0)
		r = sendq_append(&s->tokens, out->data, out->len);
	buf_deinit(out);
	if (r < 0) {
		free(d);
		return r;
	}
	s->dialogue = d;
	stream_set_deadline(s, STREAM_NEGOTIATE_MS);
	stream_pump(s);
	return 0;
}

int dialogue_open(struct stream *s, const char *const *protocols, size_t n)
{
	struct buf out = BUF_INIT(0);
	struct dialogue *d;
	int r = dialogue_new(s, 0, &d);

	if (r < 0)
		return r;
	return begin(s, d, &out, mss_init_opener(&d->mss, protocols, n, &out));
}

int dialogue_accept(struct stream *s, const struct stream_protocol *offers, size_t n)
{
	struct buf out = BUF_INIT(0);
	struct dialogue *d;
	int r = dialogue_new(s, n, &d);

	if (r < 0)
		return r;
	d->offers = offers;
	for (size_t i = 0; i < n; i++)
		d->names[i] = offers[i].name;
	return begin(s, d, &out, mss_init_acceptor(&d->mss, d->names, n, &out));
}

void dialogue_free(struct stream *s)
{
	free(s->dialogue);
	s->dialogue = NULL;
}

/* What the acceptor agreed to goes to its owner. */
static void hand_over(struct stream *s, const struct stream_protocol *offer)
{
	offer->accepted(offer->arg, s);
	if (s->y && !s->ops && !s->let_go)
		stream_reset(s, YAMUX_RESET_NEGOTIATION);
}

static void agreed(struct stream *s)
{
	const struct dialogue *d = s->dialogue;
	const struct stream_protocol *offer = NULL;

	s->protocol = d->mss.agreed;
	for (size_t i = 0; !s->opener && !offer; i++) {
		if (d->names[i] == d->mss.agreed)
			offer = &d->offers[i];
	}
	dialogue_free(s);
	stream_no_deadline(s);
	stream_pump(s);
	if (offer)
		hand_over(s, offer);
	else if (s->ops && s->ops->agreed)
		s->ops->agreed(s->arg, s, s->protocol);
}

/* What a lazy opener sent behind its first proposal was read as the next one. What it did not send
 * yet can wait for the agreement. */
static void first_refused(struct stream *s)
{
	s->lazy = false;
	if (s->spoke || s->sent_fin)
		stream_fail(s, YAMUX_RESET_NEGOTIATION, -EPROTONOSUPPORT);
}

size_t dialogue_feed(struct stream *s, const uint8_t *p, size_t n)
{
	struct mss *m = &s->dialogue->mss;
	struct buf out = BUF_INIT(0);
	size_t used;
	int r = mss_feed(m, p, n, &used, &out, NULL);

	assert(s->busy);
	if (r == 0)
		r = sendq_append(&s->tokens, out.data, out.len);
	buf_deinit(&out);
	if (r < 0)
		stream_fail(s, YAMUX_RESET_NEGOTIATION, r);
	else if (m->state == MSS_REFUSED)
		stream_fail(s, YAMUX_RESET_NEGOTIATION, -EPROTONOSUPPORT);
	else if (m->state == MSS_AGREED)
		agreed(s);
	else if (s->lazy && m->proposal > 0)
		first_refused(s);
	if (s->y)
		stream_pump(s);
	return used;
}
