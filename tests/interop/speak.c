/*
 * A peer that speaks libp2p up to streams, and of protocols identify and ping only: for talking to
 * a real peer.
 *
 *   speak SECRET listen                    waits for a dial
 *   speak SECRET dial IP4 PORT PEERID      dials
 *
 * SECRET is cluster.secret, or "-" for a network without. Prints what it sees, a line each, and
 * ends well when each side has identified the other, three pings came back and then a megabyte of
 * them at once, which is several windows of yamux each way.
 */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "net/conn.h"
#include "net/identify.h"
#include "net/ping.h"
#include "net/stream.h"
#include "types/hash.h"

#define TIME_MS 20000
#define PINGS 3
#define FLOOD (1u << 20)
#define UNKNOWN "/no/such/protocol/1.0.0"

static struct {
	uv_loop_t *loop;
	uv_timer_t timer;
	uv_tcp_t listener;
	struct conn_context ctx;
	struct identity self;
	uint8_t secret[32];
	struct multiaddr at;
	unsigned asked, told, pings, refused; /* identified by the peer, and the peer; ... */
	struct identify_reader reader;
	struct ping_opener ping;
	size_t flooded; /* bytes that came back */
} me;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

static void text_of(const struct peerid *id, char out[PEERID_TEXT_MAX])
{
	peerid_format(id, out);
}

static void finish_when_done(struct conn *c)
{
	if (me.asked > 0 && me.told > 0 && me.flooded == FLOOD && me.refused > 0)
		conn_close(c);
}

/* ---- identify ---- */

static void print_bytes(const char *what, struct identify_bytes b)
{
	if (b.p)
		printf("%s %.*s\n", what, (int)b.n, (const char *)b.p);
}

static void print_address(const char *what, struct identify_bytes b)
{
	struct buf text = BUF_INIT(0);
	struct multiaddr a;

	if (b.p && multiaddr_from_bytes(b.p, b.n, &a, NULL) == 0 &&
	    multiaddr_format(&a, &text) == 0)
		printf("%s %.*s\n", what, (int)text.len, (const char *)text.data);
	buf_deinit(&text);
}

static void on_identify_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct err e = { 0 };

	if (identify_feed(&me.reader, p, n, &e) < 0)
		die("identify: %s", e.msg);
}

static void on_identify_eof(void *arg, struct stream *s)
{
	struct conn *c = stream_conn(s);
	struct err e = { 0 };
	struct identify id;

	if (identify_finish(&me.reader, &id, &e) < 0)
		die("identify: %s", e.msg);
	print_bytes("agent", id.agent);
	for (size_t i = 0; i < id.n_protocols; i++)
		print_bytes("protocol", id.protocols[i]);
	for (size_t i = 0; i < id.n_addrs; i++)
		print_address("address", id.addrs[i]);
	print_address("observed", id.observed);
	identify_clear(&id);
	stream_close(s);
	me.told++;
	finish_when_done(c);
}

static void on_ended(void *arg, struct stream *s, int why)
{
	printf("ended %s: %s\n", (const char *)arg, strerror(-why));
}

static void on_agreed(void *arg, struct stream *s, const char *protocol)
{
	printf("agreed %s\n", protocol);
}

static const struct stream_ops identify_ops = {
	.agreed = on_agreed, .data = on_identify_data, .eof = on_identify_eof, .ended = on_ended
};

/* ---- ping ---- */

static void send_ping(struct stream *s)
{
	struct buf out = BUF_INIT(0);

	if (ping_opener_send(&me.ping, uv_now(me.loop), &out) < 0 ||
	    stream_write(s, out.data, out.len) < 0)
		die("a ping cannot be sent");
	buf_deinit(&out);
}

static uint8_t flood_byte(size_t at)
{
	return (uint8_t)(at * 7 + at / 251);
}

static void flood(struct stream *s)
{
	static uint8_t bytes[FLOOD];

	for (size_t i = 0; i < FLOOD; i++)
		bytes[i] = flood_byte(i);
	if (stream_write(s, bytes, FLOOD) < 0)
		die("the flood cannot be sent");
}

static void on_flood_data(struct stream *s, const uint8_t *p, size_t n)
{
	struct conn *c = stream_conn(s);

	for (size_t i = 0; i < n; i++, me.flooded++) {
		if (me.flooded == FLOOD || p[i] != flood_byte(me.flooded))
			die("not what was sent comes back, at %zu", me.flooded);
	}
	if (me.flooded < FLOOD)
		return;
	printf("flood came back\n");
	stream_close(s);
	finish_when_done(c);
}

static void on_ping_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct err e = { 0 };
	uint64_t ms;
	int r;

	if (me.pings == PINGS) {
		on_flood_data(s, p, n);
		return;
	}
	r = ping_opener_feed(&me.ping, p, n, uv_now(me.loop), &ms, &e);
	if (r < 0)
		die("ping: %s", e.msg);
	if (r == 0)
		return;
	printf("ping came back\n");
	if (++me.pings < PINGS)
		send_ping(s);
	else
		flood(s);
}

static const struct stream_ops ping_ops = { .agreed = on_agreed,
					    .data = on_ping_data,
					    .ended = on_ended };

/* ---- what is refused ---- */

static void on_no_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	die("data of a protocol that nobody speaks");
}

static void on_refused(void *arg, struct stream *s, int why)
{
	printf("refused %s: %s\n", (const char *)arg, strerror(-why));
	me.refused += why == -EPROTONOSUPPORT;
	finish_when_done(stream_conn(s));
}

static const struct stream_ops unknown_ops = { .data = on_no_data, .ended = on_refused };

/* ---- what we serve ---- */

static void on_echo_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	if (stream_write(s, p, n) < 0)
		stream_reset(s, 0);
}

static void on_echo_eof(void *arg, struct stream *s)
{
	stream_close(s);
}

static const struct stream_ops echo_ops = { .data = on_echo_data,
					    .eof = on_echo_eof,
					    .ended = on_ended };

static void on_ping_accepted(void *arg, struct stream *s)
{
	static char name[] = PING_PROTOCOL;

	stream_own(s, &echo_ops, name);
}

static const struct stream_ops told_ops = { .data = on_no_data, .ended = on_ended };

static void on_identify_accepted(void *arg, struct stream *s)
{
	static const char *const spoken[] = { IDENTIFY_PROTOCOL, PING_PROTOCOL };
	static char name[] = IDENTIFY_PROTOCOL, agent[] = "speak/1";
	uint8_t key[36] = { 0x08, 0x01, 0x12, 0x20 };
	struct identify_bytes protocols[2], at = { me.at.bytes, me.at.len };
	struct identify id = { .public_key = { key, sizeof(key) },
			       .agent = { (const uint8_t *)agent, strlen(agent) },
			       .addrs = &at,
			       .n_addrs = me.at.len > 0,
			       .protocols = protocols,
			       .n_protocols = 2 };
	struct buf out = BUF_INIT(0);

	memcpy(key + 4, me.self.public_key, 32);
	for (size_t i = 0; i < 2; i++)
		protocols[i] =
		    (struct identify_bytes){ (const uint8_t *)spoken[i], strlen(spoken[i]) };
	stream_own(s, &told_ops, name);
	if (identify_write(&id, &out) < 0 || stream_write(s, out.data, out.len) < 0)
		die("identify cannot be sent");
	buf_deinit(&out);
	printf("identified to the peer\n");
	stream_close(s);
	me.asked++;
	finish_when_done(stream_conn(s));
}

/* The peer's pushes are of no interest here, and accepted: it shall not be disturbed. */
static void on_push_accepted(void *arg, struct stream *s)
{
	stream_own(s, &told_ops, NULL);
	stream_close(s);
}

static const struct stream_protocol offers[] = {
	{ IDENTIFY_PROTOCOL, on_identify_accepted, NULL },
	{ IDENTIFY_PUSH_PROTOCOL, on_push_accepted, NULL },
	{ PING_PROTOCOL, on_ping_accepted, NULL },
};

/* ---- the connection ---- */

static void open_stream(struct conn *c, const char *const *protocol, bool lazy,
			const struct stream_ops *ops, struct stream **ret)
{
	static char names[3][32];
	static size_t n;

	snprintf(names[n], sizeof(names[n]), "%s", *protocol);
	if (stream_open(c, protocol, 1, lazy, ops, names[n++], ret) < 0)
		die("a stream cannot be opened");
}

static void on_open(void *arg, struct conn *c)
{
	static const char *const identify[] = { IDENTIFY_PROTOCOL }, *const ping[] = {
		PING_PROTOCOL
	};
	static const char *const unknown[] = { UNKNOWN };
	char text[PEERID_TEXT_MAX];
	struct stream *s;

	text_of(conn_peer(c), text);
	printf("open %s %s\n", conn_is_dialer(c) ? "to" : "from", text);
	open_stream(c, identify, false, &identify_ops, &s);
	stream_shut(s);
	open_stream(c, ping, true, &ping_ops, &s);
	send_ping(s);
	open_stream(c, unknown, false, &unknown_ops, &s);
}

static void on_inbound(void *arg, struct conn *c, struct stream *s)
{
	if (stream_accept(s, offers, sizeof(offers) / sizeof(offers[0])) < 0)
		die("a stream cannot be accepted");
}

static void on_closed(void *arg, struct conn *c, const struct err *why)
{
	printf("closed: %s (in %llu, out %llu)\n", why->msg, (unsigned long long)conn_bytes_in(c),
	       (unsigned long long)conn_bytes_out(c));
	uv_close((uv_handle_t *)&me.timer, NULL);
	if (me.listener.loop)
		uv_close((uv_handle_t *)&me.listener, NULL);
	if (why->code != -ECANCELED)
		exit(1);
}

static void on_time(uv_timer_t *t)
{
	die("not done within %d s", TIME_MS / 1000);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct err e = { 0 };
	struct conn *c;

	if (status < 0 || conn_accept(&me.ctx, listener, &c, &e) < 0)
		die("accepting: %s", e.msg);
}

/* On a free port of 127.0.0.1. */
static void listen_there(void)
{
	char text[128], id[PEERID_TEXT_MAX];
	struct sockaddr_in at;
	int n, len = sizeof(at);

	uv_ip4_addr("127.0.0.1", 0, &at);
	uv_tcp_init(me.loop, &me.listener);
	if (uv_tcp_bind(&me.listener, (struct sockaddr *)&at, 0) < 0 ||
	    uv_listen((uv_stream_t *)&me.listener, 4, on_connection) < 0)
		die("cannot listen");
	uv_tcp_getsockname(&me.listener, (struct sockaddr *)&at, &len);
	n = snprintf(text, sizeof(text), "/ip4/127.0.0.1/tcp/%u", ntohs(at.sin_port));
	multiaddr_parse(text, (size_t)n, &me.at, NULL);
	text_of(&me.self.id, id);
	printf("listening %s/p2p/%s\n", text, id);
}

static void dial(const char *ip, const char *port, const char *id)
{
	struct sockaddr_in to;
	struct peerid peer;
	struct err e = { 0 };
	struct conn *c;

	if (uv_ip4_addr(ip, atoi(port), &to) < 0 || peerid_parse(id, strlen(id), &peer, &e) < 0)
		die("no address: %s", e.msg);
	if (conn_dial(&me.ctx, (struct sockaddr *)&to, &peer, TIME_MS, &c, &e) < 0)
		die("dialling: %s", e.msg);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3 || hash_init() < 0 || identity_generate(&me.self, &e) < 0)
		die("usage: speak SECRET listen | dial IP4 PORT PEERID");
	me.loop = uv_default_loop();
	uv_timer_init(me.loop, &me.timer);
	uv_timer_start(&me.timer, on_time, TIME_MS, 0);
	me.ctx = (struct conn_context){ .loop = me.loop,
					.self = &me.self,
					.open = on_open,
					.inbound = on_inbound,
					.closed = on_closed };
	if (strcmp(argv[1], "-") != 0) {
		if (sodium_hex2bin(me.secret, 32, argv[1], strlen(argv[1]), NULL, NULL, NULL) < 0)
			die("no secret: %s", argv[1]);
		me.ctx.psk = me.secret;
	}
	identify_reader_init(&me.reader);
	ping_opener_init(&me.ping);
	if (argc == 6 && strcmp(argv[2], "dial") == 0)
		dial(argv[3], argv[4], argv[5]);
	else
		listen_there();
	uv_run(me.loop, UV_RUN_DEFAULT);
	identify_reader_clear(&me.reader);
	identity_clear(&me.self);
	return 0;
}
