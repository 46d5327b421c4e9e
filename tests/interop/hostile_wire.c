#include "tests/interop/hostile.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536
#define HEADER "\x13/multistream/1.0.0\n"
#define NOISE "\x07/noise\n"
#define TOKENS (sizeof(HEADER NOISE) - 1)

bool wire_dial(struct wire *w, const struct target *t, const uint8_t *secret)
{
	*w = (struct wire){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	if (w->fd < 0)
		die("no socket: %s", strerror(errno));
	if (t->from.sin_addr.s_addr != 0 &&
	    bind(w->fd, (const struct sockaddr *)&t->from, sizeof(t->from)) < 0)
		die("no source address: %s", strerror(errno));
	if (connect(w->fd, (const struct sockaddr *)&t->to, sizeof(t->to)) < 0) {
		close(w->fd);
		w->fd = -1;
		w->over = true;
		return false;
	}
	pnet_init(&w->pnet, secret);
	identity_named(t->name, &w->self);
	wire_raw(w, w->pnet.out.nonce, PNET_NONCE);
	return true;
}

void wire_close(struct wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	noise_free(w->noise);
	identity_clear(&w->self);
	buf_deinit(&w->in);
	*w = (struct wire){ .fd = -1, .over = true };
}

void wire_raw(struct wire *w, const void *p, size_t n)
{
	const uint8_t *at = p;

	while (n > 0 && !w->over) {
		ssize_t r = send(w->fd, at, n, MSG_NOSIGNAL);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			w->over = true;
		else
			at += r, n -= (size_t)r;
	}
}

void wire_send(struct wire *w, const void *p, size_t n)
{
	struct buf out = BUF_INIT(0);

	must(buf_append(&out, p, n), "sending");
	pnet_encrypt(&w->pnet, out.data, n);
	wire_raw(w, out.data, n);
	buf_deinit(&out);
}

void wire_seal(struct wire *w, const void *p, size_t n)
{
	struct buf out = BUF_INIT(0);

	must(noise_seal(w->noise, p, n, &out), "encrypting");
	wire_send(w, out.data, out.len);
	buf_deinit(&out);
}

/* What Noise makes of it: handshake messages are answered. */
static void take(struct wire *w, const uint8_t *p, size_t n)
{
	struct buf answer = BUF_INIT(0);
	struct err e = { 0 };

	w->got += n;
	if (!w->noise)
		must(buf_append(&w->in, p, n), "receiving");
	else if (noise_feed(w->noise, p, n, &answer, &w->in, &e) < 0)
		die("Noise: %s", e.msg);
	if (answer.len > 0)
		wire_send(w, answer.data, answer.len);
	buf_deinit(&answer);
}

bool wire_read(struct wire *w, int64_t until)
{
	static uint8_t bytes[READ_SIZE];
	struct pollfd fd = { .fd = w->fd, .events = POLLIN };
	int64_t left = until - now_ms();
	size_t used;
	ssize_t n;

	if (w->fd < 0 || poll(&fd, 1, left > 0 ? (int)left : 0) <= 0)
		return false;
	n = recv(w->fd, bytes, sizeof(bytes), 0);
	if (n <= 0) {
		w->over = true;
		return false;
	}
	used = pnet_decrypt(&w->pnet, bytes, (size_t)n);
	if ((size_t)n > used)
		take(w, bytes + used, (size_t)n - used);
	return true;
}

void wire_drop(struct wire *w, size_t n)
{
	memmove(w->in.data, w->in.data + n, w->in.len - n);
	w->in.len -= n;
}

void wire_agree(struct wire *w)
{
	int64_t until = patience(PATIENCE);

	wire_send(w, HEADER NOISE, TOKENS);
	while (w->in.len < TOKENS && !w->over && now_ms() < until)
		wire_read(w, until);
	if (w->in.len != TOKENS || memcmp(w->in.data, HEADER NOISE, TOKENS) != 0)
		die("no agreement on Noise");
	buf_reset(&w->in);
}

void wire_open(struct wire *w, const struct target *t)
{
	int64_t until = patience(PATIENCE);
	struct buf first = BUF_INIT(0);

	if (!wire_dial(w, t, t->secret))
		die("no connection");
	wire_agree(w);
	must(noise_new(&w->self, true, &t->peer, &first, &w->noise), "Noise");
	wire_send(w, first.data, first.len);
	buf_deinit(&first);
	while (noise_state(w->noise) != NOISE_OPEN && !w->over && now_ms() < until)
		wire_read(w, until);
	if (noise_state(w->noise) != NOISE_OPEN || !noise_has_yamux(w->noise))
		die("the handshake failed");
}

void wire_expect_end(struct wire *w, int64_t ms)
{
	int64_t until = patience(ms);

	while (!w->over && now_ms() < until)
		wire_read(w, until);
	if (!w->over)
		die("the connection goes on");
}

void wire_expect_silent_end(struct wire *w, int64_t ms)
{
	size_t got = w->got;

	wire_expect_end(w, ms);
	if (w->got != got)
		die("%zu more bytes were said to a stranger", w->got - got);
}
