#include "net/noise_handshake.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "net/noise_payload.h"

#define SEALED_KEY (NOISE_KEY + NOISE_TAG)

static struct noise_symmetric *symmetric(struct noise_handshake *h)
{
	return &h->secrets->handshake.symmetric;
}

void noise_handshake_init(struct noise_handshake *h, const struct identity *self,
			  struct noise_secrets *secrets)
{
	*h = (struct noise_handshake){ .self = self, .secrets = secrets };
	memset(secrets, 0, sizeof(*secrets));
	noise_symmetric_init(symmetric(h));
	crypto_box_keypair(h->fixed, secrets->handshake.fixed);
	crypto_box_keypair(h->ephemeral, secrets->handshake.ephemeral);
}

static int write_ephemeral(struct noise_handshake *h, struct buf *out)
{
	noise_mix_hash(symmetric(h), h->ephemeral, sizeof(h->ephemeral));
	return buf_append(out, h->ephemeral, sizeof(h->ephemeral));
}

static void read_ephemeral(struct noise_handshake *h, const uint8_t *p)
{
	memcpy(h->peer_ephemeral, p, sizeof(h->peer_ephemeral));
	noise_mix_hash(symmetric(h), p, sizeof(h->peer_ephemeral));
}

static int mix_ephemerals(struct noise_handshake *h, struct err *e)
{
	if (noise_mix_dh(symmetric(h), h->secrets->handshake.ephemeral, h->peer_ephemeral) < 0)
		return err_set(e, -EPROTO, "the peer's ephemeral key is a weak one");
	return 0;
}

/* Our static key, the DH of it with the peer's ephemeral one, and the payload. */
static int write_identity(struct noise_handshake *h, struct buf *out)
{
	struct buf payload = BUF_INIT(0);
	int r;

	r = noise_seal_and_hash(symmetric(h), h->fixed, sizeof(h->fixed), out);
	if (r < 0)
		return r;
	r = noise_mix_dh(symmetric(h), h->secrets->handshake.fixed, h->peer_ephemeral);
	if (r < 0)
		return r;
	r = noise_payload_write(h->self, h->fixed, &payload);
	if (r == 0)
		r = noise_seal_and_hash(symmetric(h), payload.data, payload.len, out);
	buf_deinit(&payload);
	return r;
}

static int open_part(struct noise_handshake *h, const uint8_t *p, size_t n, struct buf *out,
		     struct err *e)
{
	int r = noise_open_and_hash(symmetric(h), p, n, out);

	if (r == -EPROTO)
		return err_set(e, r, "the handshake does not decrypt");
	return r < 0 ? err_sys(e, r, "the handshake") : 0;
}

/* The counterpart of write_identity. */
static int read_identity(struct noise_handshake *h, const uint8_t *p, size_t n, struct err *e)
{
	struct buf plain = BUF_INIT(0);
	int r;

	r = open_part(h, p, SEALED_KEY, &plain, e);
	if (r < 0)
		goto out_free;
	memcpy(h->peer_fixed, plain.data, sizeof(h->peer_fixed));
	if (noise_mix_dh(symmetric(h), h->secrets->handshake.ephemeral, h->peer_fixed) < 0) {
		r = err_set(e, -EPROTO, "the peer's static key is a weak one");
		goto out_free;
	}
	buf_reset(&plain);
	r = open_part(h, p + SEALED_KEY, n - SEALED_KEY, &plain, e);
	if (r == 0)
		r = noise_payload_read(plain.data, plain.len, h->peer_fixed, &h->peer, &h->yamux,
				       e);
out_free:
	buf_deinit(&plain);
	return r;
}

int noise_write_1(struct noise_handshake *h, struct buf *out)
{
	int r = write_ephemeral(h, out);

	noise_mix_hash(symmetric(h), NULL, 0); /* the payload, which is empty and not encrypted */
	return r;
}

int noise_read_1(struct noise_handshake *h, const uint8_t *p, size_t n, struct err *e)
{
	if (n != NOISE_MESSAGE_1)
		return err_set(e, -EPROTO, "a first message of %zu bytes", n);
	read_ephemeral(h, p);
	noise_mix_hash(symmetric(h), NULL, 0);
	/* A step of message 2, which depends on nothing that comes between. */
	return mix_ephemerals(h, e);
}

int noise_write_2(struct noise_handshake *h, struct buf *out)
{
	int r = write_ephemeral(h, out);

	return r < 0 ? r : write_identity(h, out);
}

int noise_read_2(struct noise_handshake *h, const uint8_t *p, size_t n, struct err *e)
{
	int r;

	if (n < NOISE_MESSAGE_2_MIN)
		return err_set(e, -EPROTO, "a second message of %zu bytes", n);
	read_ephemeral(h, p);
	r = mix_ephemerals(h, e);
	return r < 0 ? r : read_identity(h, p + NOISE_KEY, n - NOISE_KEY, e);
}

int noise_write_3(struct noise_handshake *h, struct buf *out)
{
	return write_identity(h, out);
}

int noise_read_3(struct noise_handshake *h, const uint8_t *p, size_t n, struct err *e)
{
	if (n < NOISE_MESSAGE_3_MIN)
		return err_set(e, -EPROTO, "a third message of %zu bytes", n);
	return read_identity(h, p, n, e);
}

void noise_handshake_finish(struct noise_handshake *h, bool dialer)
{
	struct noise_secrets *s = h->secrets;

	if (dialer)
		noise_split(symmetric(h), &s->send, &s->receive);
	else
		noise_split(symmetric(h), &s->receive, &s->send);
	sodium_memzero(&s->handshake, sizeof(s->handshake));
}
