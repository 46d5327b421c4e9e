#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/unit/net/yamux_fixture.h"
#include "util/base_enc.h"

#define text(m, ...)                                                                               \
	do {                                                                                       \
		struct machine *to = (m);                                                          \
		if (!to->quiet)                                                                    \
			assert_int_equal(0, buf_printf(&to->log, __VA_ARGS__));                    \
	} while (0)

static void act(struct machine *m, const char *event, struct yamux_stream *s)
{
	bool release = strcmp(event, "reset") == 0;

	m->last = s;
	if (strcmp(event, "data") != 0)
		m->data_id = 0;
	if (m->release_at && strcmp(event, m->release_at) == 0)
		release = true;
	if (m->act)
		m->act(m, event, s);
	if (release)
		yamux_stream_release(s);
}

static void opened(void *arg, struct yamux_stream *s)
{
	text(arg, "open %u;", s->id);
	act(arg, "open", s);
}

static void data(void *arg, struct yamux_stream *s, const uint8_t *p, size_t n)
{
	struct machine *m = arg;

	assert_true(n > 0);
	if (m->quiet) {
		act(m, "data", s);
		return;
	}
	if (m->data_id == s->id)
		m->log.len--;
	else
		text(m, "data %u ", s->id);
	for (size_t i = 0; i < n; i++)
		text(m, "%02x", p[i]);
	text(m, ";");
	m->data_id = s->id;
	act(m, "data", s);
}

static void eof(void *arg, struct yamux_stream *s)
{
	text(arg, "eof %u;", s->id);
	act(arg, "eof", s);
}

static void reset(void *arg, struct yamux_stream *s, uint32_t code)
{
	text(arg, "reset %u %x;", s->id, code);
	act(arg, "reset", s);
}

static void writable(void *arg, struct yamux_stream *s)
{
	text(arg, "writable %u;", s->id);
	act(arg, "writable", s);
}

void machine_start(struct machine *m, bool dialer)
{
	struct yamux_events ev = { opened, data, eof, reset, writable, m };

	memset(m, 0, sizeof(*m));
	assert_int_equal(0, yamux_new(dialer, &ev, 0, &m->y));
}

void machine_stop(struct machine *m)
{
	yamux_free(m->y);
	buf_deinit(&m->log);
}

const char *machine_log(struct machine *m)
{
	assert_int_equal(0, buf_terminate(&m->log));
	buf_reset(&m->log);
	m->data_id = 0;
	return (const char *)m->log.data;
}

void assert_sends(struct machine *m, const char *hex)
{
	struct buf out = BUF_INIT(0), text = BUF_INIT(0);

	assert_int_equal(0, yamux_drain(m->y, &out));
	for (size_t i = 0; i < out.len; i++)
		assert_int_equal(0, buf_printf(&text, "%02x", out.data[i]));
	assert_int_equal(0, buf_terminate(&text));
	assert_string_equal(hex, (const char *)text.data);
	buf_deinit(&out);
	buf_deinit(&text);
}

int feed_steps(struct machine *m, const uint8_t *p, size_t n, size_t step)
{
	int r = 0;

	if (step == 0)
		step = n;
	for (size_t used = 0; used < n && r == 0; used += step) {
		struct err e = { 0 };

		r = yamux_feed(m->y, p + used, n - used < step ? n - used : step, 1, &e);
		assert_int_equal(r, e.code);
	}
	return r;
}

int feed_hex(struct machine *m, const char *hex)
{
	uint8_t bytes[4096];
	int n = base16_decode(hex, strlen(hex), bytes, sizeof(bytes));

	assert_true(n > 0);
	return feed_steps(m, bytes, (size_t)n, 0);
}

int feed_frame(struct machine *m, unsigned type, unsigned flags, uint32_t id, uint32_t length)
{
	struct yamux_frame f = { .type = (uint8_t)type, .flags = (uint16_t)flags, .id = id };
	uint8_t head[YAMUX_HEADER];

	f.length = length;
	yamux_frame_put(&f, head);
	return yamux_feed(m->y, head, sizeof(head), 1, NULL);
}
