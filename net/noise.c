#include "net/noise.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "net/noise_handshake.h"

#define LENGTH 2 /* bytes of it before each message, the high one first */

struct noise {
	bool dialer;
	enum noise_state state;
	unsigned awaited; /* number of the handshake message that is to come */
	struct peerid expected;
	struct noise_handshake handshake;
	struct noise_secrets *secrets; /* NULL after a failure */
	struct buf in;                 /* a message that has come in part, its length before it */
};

static size_t length_get(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

/* Appends the message that @write makes, with its length before it. */
static int send_message(struct noise *n, int (*write)(struct noise_handshake *h, struct buf *out),
			struct buf *out)
{
	static const uint8_t unknown[LENGTH];
	size_t at = out->len, size;
	int r = buf_append(out, unknown, sizeof(unknown));

	if (r == 0)
		r = write(&n->handshake, out);
	if (r < 0) {
		out->len = at;
		return r;
	}
	size = out->len - at - LENGTH;
	out->data[at] = (uint8_t)(size >> 8);
	out->data[at + 1] = (uint8_t)size;
	return 0;
}

int noise_new(const struct identity *self, bool dialer, const struct peerid *expected,
	      struct buf *out, struct noise **ret)
{
	struct noise *n = calloc(1, sizeof(*n));
	int r = 0;

	if (!n)
		return -ENOMEM;
	n->secrets = sodium_malloc(sizeof(*n->secrets));
	if (!n->secrets) {
		r = -ENOMEM;
		goto out_free;
	}
	n->dialer = dialer;
	n->state = NOISE_HANDSHAKE;
	n->awaited = dialer ? 2 : 1;
	if (expected)
		n->expected = *expected;
	buf_init(&n->in, LENGTH + NOISE_MESSAGE_MAX);
	noise_handshake_init(&n->handshake, self, n->secrets);
	if (dialer)
		r = send_message(n, noise_write_1, out);
	if (r < 0)
		goto out_free;
	*ret = n;
	return 0;
out_free:
	noise_free(n);
	return r;
}

void noise_free(struct noise *n)
{
	if (!n)
		return;
	sodium_free(n->secrets); /* wipes them */
	buf_deinit(&n->in);
	free(n);
}

enum noise_state noise_state(const struct noise *n)
{
	return n->state;
}

static int check_expected(const struct noise *n, struct err *e)
{
	char want[PEERID_TEXT_MAX], got[PEERID_TEXT_MAX];

	if (n->expected.len == 0 || peerid_equal(&n->expected, &n->handshake.peer))
		return 0;
	peerid_format(&n->expected, want);
	peerid_format(&n->handshake.peer, got);
	return err_set(e, -EACCES, "%s was expected and %s is there", want, got);
}

static void open_channel(struct noise *n)
{
	noise_handshake_finish(&n->handshake, n->dialer);
	n->state = NOISE_OPEN;
}

static int answer(struct noise *n, int (*write)(struct noise_handshake *h, struct buf *out),
		  struct buf *out, struct err *e)
{
	int r = send_message(n, write, out);

	return r < 0 ? err_sys(e, r, "the answer in the handshake") : 0;
}

static int take_handshake(struct noise *n, const uint8_t *p, size_t len, struct buf *out,
			  struct err *e)
{
	int r;

	switch (n->awaited) {
	case 1:
		r = noise_read_1(&n->handshake, p, len, e);
		n->awaited = 3;
		return r < 0 ? r : answer(n, noise_write_2, out, e);
	case 2:
		r = noise_read_2(&n->handshake, p, len, e);
		if (r == 0)
			r = check_expected(n, e);
		if (r == 0)
			r = answer(n, noise_write_3, out, e);
		break;
	default:
		r = noise_read_3(&n->handshake, p, len, e);
		if (r == 0)
			r = check_expected(n, e);
		break;
	}
	if (r == 0)
		open_channel(n);
	return r;
}

static int take_message(struct noise *n, const uint8_t *p, size_t len, struct buf *out,
			struct buf *plain, struct err *e)
{
	int r;

	if (n->state == NOISE_HANDSHAKE)
		return take_handshake(n, p, len, out, e);
	r = noise_cipher_open(&n->secrets->receive, NULL, 0, p, len, plain);
	if (r == -EPROTO)
		return err_set(e, r, "a message does not decrypt");
	return r < 0 ? err_sys(e, r, "a message of %zu bytes", len) : 0;
}

/* Whether the message that is to come can have that length. */
static int check_length(const struct noise *n, size_t len, struct err *e)
{
	size_t min = NOISE_TAG, max = NOISE_MESSAGE_MAX;

	if (n->state == NOISE_HANDSHAKE) {
		if (n->awaited == 1)
			min = max = NOISE_MESSAGE_1;
		else
			min = n->awaited == 2 ? NOISE_MESSAGE_2_MIN : NOISE_MESSAGE_3_MIN;
	}
	if (len < min || len > max)
		return err_set(e, -EPROTO, "a message of %zu bytes", len);
	return 0;
}

/* Adds to the message that has begun, up to its end or that of its length. */
static int gather(struct noise *n, const uint8_t *p, size_t len, size_t *used, struct buf *out,
		  struct buf *plain, struct err *e)
{
	size_t whole = LENGTH, part;
	int r;

	if (n->in.len >= LENGTH)
		whole += length_get(n->in.data);
	part = whole - n->in.len < len ? whole - n->in.len : len;
	r = buf_append(&n->in, p, part);
	if (r < 0)
		return err_sys(e, r, "a message of %zu bytes", whole);
	*used += part;
	if (n->in.len < whole)
		return 0;
	if (whole == LENGTH)
		return check_length(n, length_get(n->in.data), e);
	r = take_message(n, n->in.data + LENGTH, whole - LENGTH, out, plain, e);
	buf_reset(&n->in);
	return r;
}

/* A message that lies whole in the input is taken from there. */
static int take(struct noise *n, const uint8_t *p, size_t len, size_t *used, struct buf *out,
		struct buf *plain, struct err *e)
{
	int r;

	if (n->in.len > 0 || len < LENGTH || len - LENGTH < length_get(p))
		return gather(n, p, len, used, out, plain, e);
	*used += LENGTH + length_get(p);
	r = check_length(n, length_get(p), e);
	return r < 0 ? r : take_message(n, p + LENGTH, length_get(p), out, plain, e);
}

int noise_feed(struct noise *n, const uint8_t *p, size_t len, struct buf *out, struct buf *plain,
	       struct err *e)
{
	size_t before = out->len, used = 0;
	int r = 0;

	if (n->state == NOISE_FAILED)
		return err_set(e, -EPROTO, "the channel has failed");
	while (r == 0 && used < len)
		r = take(n, p + used, len - used, &used, out, plain, e);
	if (r == 0)
		return 0;
	n->state = NOISE_FAILED;
	out->len = before;
	sodium_free(n->secrets);
	n->secrets = NULL;
	return r;
}

static int seal_one(struct noise *n, const uint8_t *p, size_t len, struct buf *out)
{
	uint8_t length[LENGTH] = { (uint8_t)((len + NOISE_TAG) >> 8), (uint8_t)(len + NOISE_TAG) };
	int r = buf_append(out, length, sizeof(length));

	return r < 0 ? r : noise_cipher_seal(&n->secrets->send, NULL, 0, p, len, out);
}

int noise_seal(struct noise *n, const void *p, size_t len, struct buf *out)
{
	size_t messages = len / NOISE_PLAIN_MAX + 1;
	const uint8_t *from = p;
	int r;

	if (n->state != NOISE_OPEN)
		return -EPROTO;
	/* All or nothing: a counter that has moved on without its message would end the channel. */
	r = buf_reserve(out, len + messages * (LENGTH + NOISE_TAG));
	while (r == 0 && len > 0) {
		size_t part = len < NOISE_PLAIN_MAX ? len : NOISE_PLAIN_MAX;

		r = seal_one(n, from, part, out);
		from += part;
		len -= part;
	}
	return r;
}

const struct peerid *noise_peer(const struct noise *n)
{
	return &n->handshake.peer;
}

bool noise_has_yamux(const struct noise *n)
{
	return n->handshake.yamux;
}
