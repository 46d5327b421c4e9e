#include "tests/unit/net/gorpc_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "net/yamux.h"
#include "tests/lib/forward_clock.h"
#include "util/base_enc.h"

#define GUARD_S 120

/* ---- streams by hand ---- */

static void on_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct raw *r = arg;

	assert_false(r->eof);
	assert_int_equal(0, buf_append(&r->got, p, n));
}

static void on_eof(void *arg, struct stream *s)
{
	struct raw *r = arg;

	r->eof = true;
}

static void on_ended(void *arg, struct stream *s, int why)
{
	struct raw *r = arg;

	r->ended = why;
	r->s = NULL;
}

static const struct stream_ops raw_ops = { .data = on_data, .eof = on_eof, .ended = on_ended };

static void on_accepted(void *arg, struct stream *s)
{
	struct side *side = arg;
	struct raw *r = &side->in[side->n_in++];

	assert_true(side->n_in <= sizeof(side->in) / sizeof(side->in[0]));
	r->s = s;
	stream_own(s, &raw_ops, r);
}

void raw_open(struct pair *p, struct raw *r)
{
	static const char *const protocol[] = { RPC_PROTOCOL };

	*r = (struct raw){ 0 };
	assert_int_equal(0, host_open(p->b.host, &p->a.id.id, protocol, 1, &raw_ops, r, &r->s));
}

void raw_write(struct raw *r, const void *bytes, size_t n)
{
	assert_int_equal(0, stream_write(r->s, bytes, n));
}

void raw_write_hex(struct raw *r, const char *hex)
{
	static uint8_t bytes[65536];
	int n = base16_decode(hex, strlen(hex), bytes, sizeof(bytes));

	assert_true(n >= 0);
	raw_write(r, bytes, (size_t)n);
}

void raw_shut(struct raw *r)
{
	stream_shut(r->s);
}

void raw_reset(struct raw *r)
{
	stream_reset(r->s, YAMUX_RESET_NONE);
	r->s = NULL;
}

void raw_clear(struct raw *r)
{
	if (r->s)
		raw_reset(r);
	buf_deinit(&r->got);
}

bool raw_is(const struct raw *r, const void *bytes, size_t n)
{
	return r->got.len == n && (n == 0 || memcmp(r->got.data, bytes, n) == 0);
}

/* ---- two hosts ---- */

static void side_start(struct pair *p, struct side *s, const struct gorpc_config *cfg, bool by_hand)
{
	static const char address[] = "/ip4/127.0.0.1/tcp/0";
	const struct stream_protocol served = { RPC_PROTOCOL, on_accepted, s };
	struct multiaddr listen;
	struct host_options opt = { .loop = &p->loop,
				    .self = &s->id,
				    .listen = &listen,
				    .n_listen = 1,
				    .agent = "test",
				    .dial_timeout_ms = 5000,
				    .grace_ms = 60000 };

	assert_int_equal(0, multiaddr_parse(address, strlen(address), &listen, NULL));
	assert_int_equal(0, identity_generate(&s->id, NULL));
	assert_int_equal(0, host_new(&opt, &s->host, NULL));
	if (cfg)
		assert_int_equal(0, gorpc_new(s->host, &p->loop, cfg, &s->rpc, NULL));
	else if (by_hand)
		assert_int_equal(0, host_serve(s->host, &served));
}

struct pair *pair_new(const struct gorpc_config *a, const struct gorpc_config *b, bool a_by_hand)
{
	struct pair *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	assert_true(sodium_init() >= 0);
	signal(SIGPIPE, SIG_IGN);
	alarm(GUARD_S);
	assert_int_equal(0, uv_loop_init(&p->loop));
	side_start(p, &p->a, a, a_by_hand);
	side_start(p, &p->b, b, false);
	return p;
}

static void on_connected(void *arg, const struct peerid *peer, int status, const struct err *why)
{
	bool *connected = arg;

	assert_int_equal(0, status);
	*connected = true;
}

void pair_connect(struct pair *p)
{
	const struct multiaddr *at;
	bool connected = false;
	size_t n;

	at = host_addresses(p->a.host, &n);
	assert_true(n > 0);
	assert_int_equal(0, host_learn(p->b.host, &p->a.id.id, &at[0], HOST_TTL_PERMANENT));
	assert_int_equal(0, host_connect(p->b.host, &p->a.id.id, on_connected, &connected));
	until(p, connected && host_agent(p->a.host, &p->b.id.id)[0] != '\0');
}

static void side_close(struct side *s)
{
	if (s->rpc)
		gorpc_close(s->rpc, NULL, NULL);
	if (s->host)
		host_close(s->host, NULL, NULL);
	s->rpc = NULL;
	s->host = NULL;
}

void pair_free(struct pair *p)
{
	side_close(&p->a);
	side_close(&p->b);
	while (uv_run(&p->loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(0, uv_loop_close(&p->loop));
	for (size_t i = 0; i < p->a.n_in; i++)
		raw_clear(&p->a.in[i]);
	identity_clear(&p->a.id);
	identity_clear(&p->b.id);
	free(p);
	alarm(0);
}

void pair_turns(struct pair *p, unsigned turns)
{
	while (turns-- > 0)
		uv_run(&p->loop, UV_RUN_NOWAIT);
}

void pair_time(struct pair *p, uint64_t ms)
{
	forward_clock_ms += (int64_t)ms;
	pair_turns(p, 3);
}

/* ---- calls ---- */

static void on_value(void *arg, const uint8_t *p, size_t n)
{
	struct outcome *o = arg;

	assert_false(o->done);
	assert_int_equal(0, buf_append(&o->values, p, n));
	o->n_values++;
	if (o->cancel_in_value)
		gorpc_cancel(o->cancel_in_value);
}

static void on_done(void *arg, const struct gorpc_result *r)
{
	struct outcome *o = arg;

	assert_false(o->done);
	o->done = true;
	o->status = r->status;
	o->type = r->type;
	assert_non_null(r->text);
	assert_true(strlen(r->text) < sizeof(o->text));
	strcpy(o->text, r->text);
}

struct gorpc_handler outcome_of(struct outcome *o)
{
	*o = (struct outcome){ 0 };
	return (struct gorpc_handler){ on_value, on_done, o };
}

void outcome_clear(struct outcome *o)
{
	buf_deinit(&o->values);
}
