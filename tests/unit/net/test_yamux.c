#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/vectors.h"
#include "tests/unit/net/yamux_fixture.h"

/* Frames in hex. */
#define DATA(flags, id, length) "0000" flags "000000" id length
#define WINDOW(flags, id, length) "0001" flags "000000" id length
#define PING(flags, length) "0002" flags "00000000" length
#define AWAY(code) "000300000000000000" code
#define NONE "0000"
#define SYN "0001"
#define ACK "0002"
#define FIN "0004"
#define RST "0008"
#define ZERO "00000000"
#define VIOLATION AWAY("000001")

static void every_recorded_frame_is_read_and_written_to_the_byte(void **state)
{
	json_t *root = vectors_load("yamux.json"), *v;
	size_t i;

	json_array_foreach (vectors_array(root, "cases"), i, v) {
		uint8_t bytes[128], head[YAMUX_HEADER], data[128];
		size_t n = vectors_hex(v, "bytes", bytes, sizeof(bytes));
		size_t n_data = vectors_hex(v, "data", data, sizeof(data));
		struct yamux_frame f;

		assert_int_equal(YAMUX_HEADER + n_data, n);
		yamux_frame_get(bytes, &f);
		assert_int_equal(json_integer_value(json_object_get(v, "version")), f.version);
		assert_int_equal(json_integer_value(json_object_get(v, "type")), f.type);
		assert_int_equal(json_integer_value(json_object_get(v, "flags")), f.flags);
		assert_int_equal(json_integer_value(json_object_get(v, "stream_id")), f.id);
		assert_int_equal(json_integer_value(json_object_get(v, "length")), f.length);
		yamux_frame_put(&f, head);
		assert_memory_equal(bytes, head, YAMUX_HEADER);
	}
	json_decref(root);
}

/* Each is killed as a dialer by what the list says, after the stream that it needs is open. */
static void every_frame_that_kills_the_reference_kills(void **state)
{
	json_t *root = vectors_load("yamux.json"), *v;
	size_t i;

	json_array_foreach (vectors_array(root, "must_kill_session"), i, v) {
		struct machine m;

		machine_start(&m, true);
		assert_int_equal(-EPROTO, feed_hex(&m, vectors_str(v, "bytes")));
		assert_sends(&m, VIOLATION);
		machine_stop(&m);
	}
	json_decref(root);
}

struct script {
	const char *name, *in; /* what a listener sends to us, a dialer that has opened stream 1 */
	int result;
	const char *log, *out;
};

#define OPENED WINDOW(ACK, "02", ZERO)

static const struct script scripts[] = {
	/* What is right. */
	{ "ping", PING(SYN, "00000007"), 0, "", PING(ACK, "00000007") },
	{ "accept", WINDOW(SYN, "02", ZERO), 0, "open 2;", OPENED },
	{ "accept with data", DATA(SYN, "02", "00000003") "616263", 0, "open 2;data 2 616263;",
	  OPENED },
	{ "answer", WINDOW(ACK, "01", ZERO) DATA(NONE, "01", "00000002") "6162", 0, "data 1 6162;",
	  "" },
	{ "half close", WINDOW(FIN, "01", ZERO), 0, "eof 1;", "" },
	{ "data with FIN", DATA(FIN, "01", "00000003") "656e64", 0, "data 1 656e64;eof 1;", "" },
	{ "open and close", DATA(SYN, "02", ZERO) DATA(FIN, "02", ZERO), 0, "open 2;eof 2;",
	  OPENED },
	{ "all in one",
	  "00000005"
	  "00000002"
	  "00000001"
	  "61",
	  0, "open 2;data 2 61;eof 2;", OPENED },
	{ "reset", WINDOW(RST, "01", "00001001"), 0, "reset 1 1001;", "" },
	{ "reset of no reason", WINDOW(RST, "01", ZERO), 0, "reset 1 0;", "" },
	{ "reset on data", DATA(RST, "01", "00000002") "6162" PING(SYN, ZERO), 0, "reset 1 0;",
	  PING(ACK, ZERO) },
	{ "credit that nobody waits for", WINDOW(NONE, "01", "00020000"), 0, "", "" },
	/* What the reference takes, too. */
	{ "FIN again", WINDOW(FIN, "01", ZERO) WINDOW(FIN, "01", ZERO) DATA(FIN, "01", ZERO), 0,
	  "eof 1;", "" },
	{ "opened and reset at once",
	  "00010009"
	  "00000002"
	  "00001004",
	  0, "open 2;reset 2 1004;", OPENED },
	{ "unknown stream",
	  WINDOW(NONE, "04", "00000009") WINDOW(FIN, "04", ZERO) WINDOW(RST, "03", ZERO)
	      DATA(NONE, "05", "00000003") "616263" DATA(NONE, "00",
							 "00000001") "61" PING(SYN, "0000000a"),
	  0, "", PING(ACK, "0000000a") },
	{ "data behind a reset", WINDOW(RST, "01", ZERO) DATA(NONE, "01", "00000002") "6162", 0,
	  "reset 1 0;", "" },
	{ "id used again", WINDOW(SYN, "02", ZERO) WINDOW(RST, "02", ZERO) WINDOW(SYN, "02", ZERO),
	  0, "open 2;reset 2 0;open 2;", OPENED OPENED },
	{ "pong of nothing", PING(ACK, "00000005") PING(NONE, "00000005"), 0, "", "" },
	{ "no data", DATA(NONE, "01", ZERO), 0, "", "" },
	/* What breaks the rules of a stream. */
	{ "credit past 2^32", WINDOW(NONE, "01", "ffffffff") PING(SYN, ZERO), 0, "reset 1 1004;",
	  PING(ACK, ZERO) WINDOW(RST, "01", "00001004") },
	{ "credit past 2^32 by one", WINDOW(NONE, "01", "fffbffff") WINDOW(NONE, "01", "00000001"),
	  0, "reset 1 1004;", WINDOW(RST, "01", "00001004") },
	{ "credit of 2^32 - 1", WINDOW(NONE, "01", "fffbffff"), 0, "", "" },
	{ "data behind FIN", WINDOW(FIN, "01", ZERO) DATA(NONE, "01", "00000002") "6162", 0,
	  "eof 1;reset 1 1004;", WINDOW(RST, "01", "00001004") },
	/* What ends the connection. */
	{ "version", "010100010000000200000000", -EPROTO, "", VIOLATION },
	{ "type", "000400000000000100000000", -EPROTO, "", VIOLATION },
	{ "last type", "00ff00000000000100000000", -EPROTO, "", VIOLATION },
	{ "id of ours", WINDOW(SYN, "03", ZERO), -EPROTO, "", VIOLATION },
	{ "id of ours with data", DATA(SYN, "05", "00000001") "61", -EPROTO, "", VIOLATION },
	{ "our open stream", WINDOW(SYN, "01", ZERO), -EPROTO, "", VIOLATION },
	{ "stream 0", WINDOW(SYN, "00", ZERO), -EPROTO, "", VIOLATION },
	{ "opened twice", WINDOW(SYN, "02", ZERO) WINDOW(SYN, "02", ZERO), -EPROTO, "open 2;",
	  VIOLATION },
	{ "opened twice with data",
	  DATA(SYN, "02", "00000001") "61" DATA(SYN, "02", "00000001") "61", -EPROTO,
	  "open 2;data 2 61;", VIOLATION },
	{ "more than credit", DATA(NONE, "01", "00040001") "61", -EPROTO, "", VIOLATION },
	{ "more than credit with a reset", DATA(RST, "01", "ffffffff"), -EPROTO, "", VIOLATION },
	{ "more than is left", DATA(NONE, "01", "00000001") "61" DATA(NONE, "01", "00040000"),
	  -EPROTO, "data 1 61;", VIOLATION },
	{ "more than credit at once", DATA(SYN, "02", "ffffffff"), -EPROTO, "open 2;", VIOLATION },
	{ "go-away", AWAY("000000") PING(SYN, ZERO), -ECONNRESET, "", "" },
	{ "go-away of an error", PING(SYN, ZERO) AWAY("000001"), -ECONNRESET, "", PING(ACK, ZERO) },
	{ "go-away of collected garbage", AWAY("001005"), -ECONNRESET, "", "" },
};

static void run_script(const struct script *c, size_t first, size_t step)
{
	uint8_t in[256];
	int n = base16_decode(c->in, strlen(c->in), in, sizeof(in)), r = 0;
	struct yamux_stream *s;
	struct machine m;

	assert_true(n > 0);
	machine_start(&m, true);
	assert_int_equal(0, yamux_open(m.y, &s));
	assert_sends(&m, WINDOW(SYN, "01", ZERO));
	if (first > 0)
		r = feed_steps(&m, in, first, step);
	if (r == 0 && first < (size_t)n)
		r = feed_steps(&m, in + first, (size_t)n - first, step);
	if (r != c->result)
		fail_msg("%s: %d", c->name, r);
	if (r < 0) { /* stays so */
		assert_int_equal(r, feed_frame(&m, YAMUX_PING, YAMUX_SYN, 0, 9));
		assert_int_equal(r, yamux_tick(m.y, 1000000));
		assert_int_equal(r, yamux_open(m.y, &s));
		assert_true(yamux_deadline(m.y) == UINT64_MAX);
	}
	assert_string_equal(c->log, machine_log(&m));
	assert_sends(&m, c->out);
	machine_stop(&m);
}

static void every_script_has_its_answer_however_it_is_split(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		size_t n = strlen(scripts[i].in) / 2;

		for (size_t at = 0; at <= n; at++)
			run_script(&scripts[i], at, 0);
		run_script(&scripts[i], 0, 1);
	}
}

static void a_listener_has_even_ids_and_takes_odd_ones(void **state)
{
	struct yamux_stream *s;
	struct machine m;

	machine_start(&m, false);
	assert_int_equal(0, yamux_open(m.y, &s));
	assert_int_equal(0, yamux_open(m.y, &s));
	assert_sends(&m, WINDOW(SYN, "02", ZERO) WINDOW(SYN, "04", ZERO));
	assert_int_equal(0, feed_hex(&m, WINDOW(SYN, "01", ZERO)));
	assert_string_equal("open 1;", machine_log(&m));
	assert_int_equal(3, yamux_streams(m.y));
	assert_int_equal(-EPROTO, feed_hex(&m, WINDOW(SYN, "06", ZERO)));
	machine_stop(&m);
}

static void our_side_of_a_stream_is_written_as_the_reference_does(void **state)
{
	struct yamux_stream *s;
	struct machine m;

	machine_start(&m, true);
	assert_int_equal(0, yamux_open(m.y, &s));
	yamux_stream_set_arg(s, &m);
	assert_ptr_equal(&m, yamux_stream_arg(s));
	assert_int_equal(3, yamux_write(s, "abc", 3));
	assert_int_equal(0, yamux_write(s, "", 0));
	yamux_shut(s);
	yamux_shut(s);
	assert_int_equal(0, yamux_write(s, "d", 1));
	assert_sends(&m, WINDOW(SYN, "01", ZERO)
			     DATA(NONE, "01", "00000003") "616263" WINDOW(FIN, "01", ZERO));
	/* The other direction lives on. */
	assert_int_equal(0, feed_hex(&m, DATA(FIN, "01", "00000001") "78"));
	assert_string_equal("data 1 78;eof 1;", machine_log(&m));
	yamux_reset(s, YAMUX_RESET_PROTOCOL); /* over already */
	yamux_stream_release(s);
	assert_sends(&m, "");
	assert_int_equal(0, yamux_streams(m.y));

	assert_int_equal(0, yamux_open(m.y, &s));
	yamux_reset(s, YAMUX_RESET_NEGOTIATION);
	yamux_reset(s, YAMUX_RESET_LIMIT);
	assert_int_equal(0, yamux_write(s, "d", 1));
	yamux_shut(s);
	yamux_stream_release(s);
	assert_sends(&m, WINDOW(SYN, "03", ZERO) WINDOW(RST, "03", "00001001"));
	machine_stop(&m);
}

static void a_release_resets_unless_both_sides_had_ended(void **state)
{
	struct yamux_stream *s;
	struct machine m;

	machine_start(&m, true);
	assert_int_equal(0, yamux_open(m.y, &s));
	yamux_shut(s);
	yamux_stream_release(s);
	assert_sends(&m, WINDOW(SYN, "01", ZERO) WINDOW(FIN, "01", ZERO) WINDOW(RST, "01", ZERO));
	assert_int_equal(0, feed_hex(&m, WINDOW(ACK, "01", ZERO) WINDOW(FIN, "01", ZERO)));
	assert_string_equal("", machine_log(&m));

	/* Neither stays one open that the peer still holds when the connection is freed. */
	assert_int_equal(0, yamux_open(m.y, &s));
	machine_stop(&m);
}

static void a_stream_can_be_released_in_its_first_event(void **state)
{
	struct machine m;

	machine_start(&m, true);
	m.release_at = "open";
	assert_int_equal(0, feed_hex(&m, "00000005"
					 "00000002"
					 "00000003"
					 "616263"));
	assert_string_equal("open 2;", machine_log(&m));
	assert_sends(&m, OPENED WINDOW(RST, "02", ZERO));
	assert_int_equal(0, feed_hex(&m, DATA(NONE, "02", "00000001") "61" PING(SYN, ZERO)));
	assert_sends(&m, PING(ACK, ZERO));
	machine_stop(&m);
}

static void a_stream_can_be_released_within_its_data(void **state)
{
	uint8_t in[YAMUX_HEADER + 8] = { 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 8 };
	struct machine m;

	for (size_t at = YAMUX_HEADER + 1; at < sizeof(in); at++) {
		machine_start(&m, true);
		m.release_at = "data";
		assert_int_equal(0, feed_steps(&m, in, at, 0));
		assert_int_equal(0, feed_steps(&m, in + at, sizeof(in) - at, 0));
		assert_true(strncmp("open 2;data 2 00", machine_log(&m), 16) == 0);
		assert_int_equal(0, yamux_streams(m.y));
		assert_sends(&m, OPENED WINDOW(RST, "02", ZERO));
		machine_stop(&m);
	}
}

static void finish(struct machine *m, const char *event, struct yamux_stream *s)
{
	struct yamux_stream *another;

	if (strcmp(event, "open") == 0)
		assert_int_equal(2, yamux_write(s, "hi", 2));
	if (strcmp(event, "eof") != 0)
		return;
	assert_int_equal(0, yamux_open(m->y, &another));
	yamux_shut(s);
	yamux_stream_release(s);
}

static void events_may_open_write_and_shut(void **state)
{
	struct machine m;

	machine_start(&m, true);
	m.act = finish;
	assert_int_equal(0, feed_hex(&m, "00010005"
					 "00000002"
					 "00000000"));
	assert_sends(&m, OPENED DATA(NONE, "02", "00000002") "6869" WINDOW(SYN, "01", ZERO)
			     WINDOW(FIN, "02", ZERO));
	assert_int_equal(1, yamux_streams(m.y));
	machine_stop(&m);
}

static void ids_run_out_without_being_used_again(void **state)
{
	struct yamux_stream *s;
	struct machine m;

	machine_start(&m, true);
	m.y->next_id = UINT32_MAX - 2;
	assert_int_equal(0, yamux_open(m.y, &s));
	assert_int_equal(0, yamux_open(m.y, &s));
	assert_true(s->id == UINT32_MAX);
	assert_int_equal(-EMFILE, yamux_open(m.y, &s));
	machine_stop(&m);
}

static void a_keepalive_is_sent_and_its_answer_awaited(void **state)
{
	struct machine m;

	machine_start(&m, true);
	assert_true(yamux_deadline(m.y) == YAMUX_KEEPALIVE_MS);
	assert_int_equal(0, yamux_tick(m.y, YAMUX_KEEPALIVE_MS - 1));
	assert_sends(&m, "");
	assert_int_equal(0, yamux_tick(m.y, YAMUX_KEEPALIVE_MS));
	assert_sends(&m, PING(SYN, "00000001"));
	assert_true(yamux_deadline(m.y) == YAMUX_KEEPALIVE_MS + YAMUX_PONG_MS);
	assert_int_equal(0, yamux_tick(m.y, YAMUX_KEEPALIVE_MS + YAMUX_PONG_MS - 1));
	assert_sends(&m, "");

	/* The right answer counts, from the time when it came. */
	assert_int_equal(0, feed_hex(&m, PING(ACK, "00000002")));
	assert_true(yamux_deadline(m.y) == YAMUX_KEEPALIVE_MS + YAMUX_PONG_MS);
	assert_int_equal(0, feed_hex(&m, PING(ACK, "00000001")));
	assert_true(yamux_deadline(m.y) == 1 + YAMUX_KEEPALIVE_MS);

	/* A clock that jumps gives one ping, and the peer its time. */
	assert_int_equal(0, yamux_tick(m.y, 9000000));
	assert_sends(&m, PING(SYN, "00000002"));
	assert_int_equal(0, yamux_tick(m.y, 9000000 + YAMUX_PONG_MS - 1));
	assert_int_equal(-ETIMEDOUT, yamux_tick(m.y, 9000000 + YAMUX_PONG_MS));
	assert_int_equal(-ETIMEDOUT, feed_hex(&m, PING(ACK, "00000002")));
	assert_sends(&m, "");
	machine_stop(&m);
}

static void a_keepalive_measures_the_round_trip(void **state)
{
	static const uint8_t pong[] = { 0, YAMUX_PING, 0, YAMUX_ACK, 0, 0, 0, 0, 0, 0, 0, 1 };
	const uint64_t sent = YAMUX_KEEPALIVE_MS + 5;
	struct machine m;

	machine_start(&m, true);
	assert_int_equal(0, yamux_tick(m.y, sent));
	assert_int_equal(0, yamux_rtt_ms(m.y));
	assert_int_equal(0, yamux_feed(m.y, pong, sizeof(pong), sent + 42, NULL));
	assert_int_equal(42, yamux_rtt_ms(m.y));
	machine_stop(&m);
}

static void an_end_of_ours_is_a_go_away_behind_what_is_queued(void **state)
{
	struct yamux_stream *s;
	struct machine m;

	machine_start(&m, true);
	assert_int_equal(0, yamux_open(m.y, &s));
	yamux_end(m.y, 0x1006);
	assert_int_equal(0, yamux_write(s, "a", 1));
	yamux_stream_release(s);
	assert_sends(&m, WINDOW(SYN, "01", ZERO) AWAY("001006"));
	assert_int_equal(-ECANCELED, feed_hex(&m, PING(SYN, ZERO)));
	assert_int_equal(-ECANCELED, yamux_tick(m.y, 0));
	assert_sends(&m, "");
	machine_stop(&m);
}

static void other_traffic_is_no_answer_to_a_keepalive(void **state)
{
	struct machine m;

	machine_start(&m, false);
	assert_int_equal(0, yamux_tick(m.y, YAMUX_KEEPALIVE_MS));
	assert_int_equal(0, feed_hex(&m, WINDOW(SYN, "01", ZERO) PING(SYN, ZERO)));
	assert_int_equal(-ETIMEDOUT, yamux_tick(m.y, YAMUX_KEEPALIVE_MS + YAMUX_PONG_MS));
	machine_stop(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_recorded_frame_is_read_and_written_to_the_byte),
		cmocka_unit_test(every_frame_that_kills_the_reference_kills),
		cmocka_unit_test(every_script_has_its_answer_however_it_is_split),
		cmocka_unit_test(a_listener_has_even_ids_and_takes_odd_ones),
		cmocka_unit_test(our_side_of_a_stream_is_written_as_the_reference_does),
		cmocka_unit_test(a_release_resets_unless_both_sides_had_ended),
		cmocka_unit_test(a_stream_can_be_released_in_its_first_event),
		cmocka_unit_test(a_stream_can_be_released_within_its_data),
		cmocka_unit_test(events_may_open_write_and_shut),
		cmocka_unit_test(ids_run_out_without_being_used_again),
		cmocka_unit_test(a_keepalive_is_sent_and_its_answer_awaited),
		cmocka_unit_test(a_keepalive_measures_the_round_trip),
		cmocka_unit_test(an_end_of_ours_is_a_go_away_behind_what_is_queued),
		cmocka_unit_test(other_traffic_is_no_answer_to_a_keepalive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
