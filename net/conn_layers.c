#include <errno.h>
#include <stdlib.h>

#include "net/conn_internal.h"

static const char *const security[] = { "/noise" };
static const char *const muxer[] = { "/yamux/1.0.0" };

static int begin_dialogue(struct conn *c, const char *const *protocol, struct buf *out)
{
	if (c->dialer)
		return mss_init_opener(c->mss, protocol, 1, out);
	return mss_init_acceptor(c->mss, protocol, 1, out);
}

int layers_start(struct conn *c, struct err *e)
{
	int r = 0;

	c->phase = CONN_SECURITY;
	c->mss = malloc(sizeof(*c->mss));
	if (!c->mss)
		return err_sys(e, -ENOMEM, "a connection");
	if (c->ctx->psk) {
		pnet_init(&c->pnet, c->ctx->psk);
		r = buf_append(&c->wire, c->pnet.out.nonce, PNET_NONCE);
		c->wire_clear = PNET_NONCE;
	}
	if (r == 0)
		r = begin_dialogue(c, security, &c->wire);
	return r < 0 ? err_sys(e, r, "a connection") : 0;
}

/* Feeds the dialogue about security or muxer; 1 when that was agreed on. */
static int agree(struct conn *c, const uint8_t *p, size_t n, size_t *ret_used, struct buf *out,
		 struct err *e)
{
	const char *subject = *c->mss->protocols;
	int r = mss_feed(c->mss, p, n, ret_used, out, e);

	if (r < 0 && !c->mss->header_seen && c->phase == CONN_SECURITY)
		return err_set(e, -ENONET, "a bad first token (another network, or secret)");
	if (r < 0)
		return err_wrap(e, r, "agreeing on %s", subject);
	if (c->mss->state == MSS_REFUSED)
		return err_set(e, -EPROTO, "the peer does not speak %s", subject);
	return c->mss->state == MSS_AGREED;
}

static int begin_handshake(struct conn *c, struct err *e)
{
	const struct peerid *expected = c->expected.len ? &c->expected : NULL;
	int r = noise_new(c->ctx->self, c->dialer, expected, &c->wire, &c->noise);

	c->phase = CONN_HANDSHAKE;
	return r < 0 ? err_sys(e, r, "the handshake") : 0;
}

static int open_muxer(struct conn *c, struct err *e)
{
	struct yamux_events ev;
	int r;

	stream_events(c, &ev);
	r = yamux_new(c->dialer, &ev, uv_now(c->ctx->loop), &c->yamux);
	if (r < 0)
		return err_sys(e, r, "a muxer");
	c->phase = CONN_OPEN;
	c->opened_ms = uv_now(c->ctx->loop);
	free(c->mss);
	c->mss = NULL;
	c->ctx->open(c->ctx->arg, c);
	return 0;
}

/* Encrypts for the peer. */
static int seal(struct conn *c, const struct buf *plain, struct err *e)
{
	int r = plain->len > 0 ? noise_seal(c->noise, plain->data, plain->len, &c->wire) : 0;

	return r < 0 ? err_sys(e, r, "%zu bytes to send", plain->len) : 0;
}

/* The handshake is done. */
static int begin_muxer(struct conn *c, struct err *e)
{
	struct buf tokens = BUF_INIT(0);
	int r;

	if (noise_has_yamux(c->noise))
		return open_muxer(c, e);
	c->phase = CONN_MUXER;
	r = begin_dialogue(c, muxer, &tokens);
	r = r < 0 ? err_sys(e, r, "a muxer") : seal(c, &tokens, e);
	buf_deinit(&tokens);
	return r;
}

static int agree_muxer(struct conn *c, const uint8_t *p, size_t n, size_t *ret_used, struct err *e)
{
	struct buf tokens = BUF_INIT(0);
	int agreed = agree(c, p, n, ret_used, &tokens, e), r = agreed;

	if (r >= 0)
		r = seal(c, &tokens, e);
	buf_deinit(&tokens);
	return r == 0 && agreed ? open_muxer(c, e) : r;
}

/* What has come out of Noise. */
static int take_plain(struct conn *c, const uint8_t *p, size_t n, struct err *e)
{
	size_t used = 0;
	int r;

	if (c->phase == CONN_MUXER) {
		r = agree_muxer(c, p, n, &used, e);
		if (r < 0)
			return r;
	}
	if (used == n || c->phase != CONN_OPEN)
		return 0;
	return yamux_feed(c->yamux, p + used, n - used, uv_now(c->ctx->loop), e);
}

static int take_ciphertext(struct conn *c, const uint8_t *p, size_t n, struct err *e)
{
	struct buf plain = BUF_INIT(0); /* never longer than the ciphertext */
	int r = noise_feed(c->noise, p, n, &c->wire, &plain, e);

	if (r < 0)
		err_wrap(e, r, "Noise");
	else if (c->phase == CONN_HANDSHAKE && noise_state(c->noise) == NOISE_OPEN)
		r = begin_muxer(c, e);
	if (r == 0)
		r = take_plain(c, plain.data, plain.len, e);
	buf_deinit(&plain);
	return r;
}

int layers_in(struct conn *c, uint8_t *p, size_t n, struct err *e)
{
	size_t used = c->ctx->psk ? pnet_decrypt(&c->pnet, p, n) : 0;
	int r;

	p += used;
	n -= used;
	if (c->phase == CONN_SECURITY) {
		r = agree(c, p, n, &used, &c->wire, e);
		if (r > 0)
			r = begin_handshake(c, e);
		if (r < 0 || c->phase == CONN_SECURITY)
			return r;
		p += used;
		n -= used;
	}
	return n > 0 ? take_ciphertext(c, p, n, e) : 0;
}

static int drain(struct conn *c, struct err *e)
{
	struct buf frames = BUF_INIT(CONN_SEND_MAX);
	int r = yamux_drain(c->yamux, &frames);

	r = r < 0 ? err_sys(e, r, "frames to send") : seal(c, &frames, e);
	buf_deinit(&frames);
	return r;
}

int layers_out(struct conn *c, struct buf *out, struct err *e)
{
	struct buf empty = *out;
	int r = c->yamux ? drain(c, e) : 0;

	if (r < 0)
		return r;
	*out = c->wire;
	c->wire = empty;
	if (c->ctx->psk && out->len > 0)
		pnet_encrypt(&c->pnet, out->data + c->wire_clear, out->len - c->wire_clear);
	c->wire_clear = 0;
	return 0;
}

void layers_clear(struct conn *c)
{
	pnet_clear(&c->pnet);
	noise_free(c->noise);
	yamux_free(c->yamux);
	free(c->mss);
	buf_deinit(&c->wire);
}
