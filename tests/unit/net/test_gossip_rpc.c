#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/vectors.h"
#include "tests/unit/net/gossip_text.h"
#include "util/container.h"

#define CAP 4096
#define ALICE_1 "00240801122022b260c2af68828134b30000000000000001"

static struct gossip_bytes text_bytes(const char *s)
{
	return (struct gossip_bytes){ (const uint8_t *)s, strlen(s) };
}

static void assert_reads(const uint8_t *p, size_t n, const char *want)
{
	struct buf text = BUF_INIT(0);

	assert_int_equal(0, fixture_read(p, n, &text));
	assert_string_equal(want, (char *)text.data);
	buf_deinit(&text);
}

static int read_silently(const uint8_t *p, size_t n)
{
	struct buf text = BUF_INIT(0);
	int r = fixture_read(p, n, &text);

	if (r < 0)
		assert_string_equal("", (char *)text.data); /* nothing was reported */
	buf_deinit(&text);
	return r;
}

/* In the order of the file. */
static const char *const samples[] = {
	"+" METRICS " +" HEADS,
	"+" METRICS " +" HEADS,
	"-" METRICS,
	"graft " METRICS " graft " HEADS,
	"prune " METRICS " 60",
	"prune " METRICS " 10",
	"prune " METRICS " 60",
	"have " METRICS " " ALICE_1,
	"want " ALICE_1,
	"dontwant " ALICE_1,
};

static void the_recorded_frames_are_read(void **state)
{
	json_t *root = vectors_load("gossipsub.json"), *v;
	uint8_t bytes[CAP];
	size_t i;

	json_array_foreach (vectors_array(root, "rpc_samples"), i, v) {
		size_t n = vectors_hex(v, "rpc", bytes, sizeof(bytes));

		assert_true(i < ARRAY_LEN(samples));
		assert_reads(bytes, n, samples[i]);
	}
	assert_int_equal(ARRAY_LEN(samples), i);
	json_decref(root);
}

static void assert_sample(json_t *root, size_t i, struct buf *out)
{
	json_t *v = json_array_get(vectors_array(root, "rpc_samples"), i);
	uint8_t want[CAP];
	size_t n = vectors_hex(v, "rpc", want, sizeof(want));

	assert_int_equal(n, out->len);
	assert_memory_equal(want, out->data, n);
	buf_reset(out);
}

static void the_recorded_frames_are_written(void **state)
{
	json_t *root = vectors_load("gossipsub.json");
	struct gossip_bytes topics[] = { text_bytes(METRICS), text_bytes(HEADS) };
	struct gossip_rpc_control graft = { .graft = { topics[0], topics[1] }, .n_graft = 2 };
	struct gossip_rpc_control prune = { .prune = { topics[0] }, .n_prune = 1 };
	struct gossip_rpc_control have = { .n_ihave = 1 }, want = { .n_iwant = 1 };
	struct gossip_rpc_control dontwant = { .n_idontwant = 1 };
	struct buf out = BUF_INIT(0);
	struct gossip_id id;

	base16_decode(ALICE_1, strlen(ALICE_1), id.bytes, sizeof(id.bytes));
	assert_int_equal(0, gossip_rpc_subscriptions(topics, 2, &out));
	assert_sample(root, 1, &out);
	assert_int_equal(0, gossip_rpc_control(&graft, &out));
	assert_sample(root, 3, &out);
	prune.backoff_s = 60;
	assert_int_equal(0, gossip_rpc_control(&prune, &out));
	assert_sample(root, 4, &out);
	have.ihave[0].topic = topics[0];
	have.ihave[0].ids = want.iwant = dontwant.idontwant = &id;
	have.ihave[0].n = 1;
	assert_int_equal(0, gossip_rpc_control(&have, &out));
	assert_sample(root, 7, &out);
	assert_int_equal(0, gossip_rpc_control(&want, &out));
	assert_sample(root, 8, &out);
	assert_int_equal(0, gossip_rpc_control(&dontwant, &out));
	assert_sample(root, 9, &out);
	buf_deinit(&out);
	json_decref(root);
}

/* Each recorded frame has one field, so that no cut is at the end of one; hellos have two. */
static void every_cut_of_a_frame_is_refused(void **state)
{
	json_t *root = vectors_load("gossipsub.json"), *v;
	uint8_t bytes[CAP];
	size_t i;

	json_array_foreach (vectors_array(root, "rpc_samples"), i, v) {
		size_t n = vectors_hex(v, "rpc", bytes, sizeof(bytes));
		size_t first = 2 + (size_t)bytes[1]; /* where the first field ends */

		for (size_t at = 1; at < n; at++)
			assert_int_equal(at == first ? 0 : -EBADMSG, read_silently(bytes, at));
	}
	json_decref(root);
}

static void joined_frames_say_both(void **state)
{
	struct buf frame = BUF_INIT(0);

	fixture_write("graft a prune b 7 +c -d want 1.5 have e 2.6 dontwant 3.7 graft f", &frame);
	assert_reads(frame.data, frame.len,
		     "+c -d have e 2.6 want 1.5 graft a graft f prune b 7 dontwant 3.7");
	buf_deinit(&frame);
}

static void an_empty_frame_says_nothing(void **state)
{
	assert_reads((const uint8_t *)"", 0, "");
	assert_reads((const uint8_t *)"\x1a\x00", 2, "");
}

static void what_is_left_out_is_nothing(void **state)
{
	/* A subscription, a graft, a prune and a message of no field. */
	static const char bytes[] = "\x0a\x00\x12\x00\x1a\x04\x1a\x00\x22\x00";

	assert_reads((const uint8_t *)bytes, sizeof(bytes) - 1, "- msg = graft  prune  0");
}

static void unknown_fields_are_passed_over(void **state)
{
	/* Partial messages (10), the test extension (6492434), extensions in control (6). */
	static const char bytes[] = "\x52\x02\x0a\x00"
				    "\x92\x91\xe2\x18\x00"
				    "\x1a\x07\x32\x02\x50\x01\x1a\x01\x12";
	static const char good[] = "\x52\x02\x0a\x00"
				   "\x92\x92\xe2\x18\x00"
				   "\x1a\x09\x32\x02\x50\x01\x1a\x03\x0a\x01t";

	assert_int_equal(-EBADMSG, read_silently((const uint8_t *)bytes, sizeof(bytes) - 1));
	assert_reads((const uint8_t *)good, sizeof(good) - 1, "graft t");
}

static void malformed_frames_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{ "\x00", 1 },                     /* field 0 */
		{ "\x0a", 1 },                     /* no length */
		{ "\x0a\x05\x08\x01", 4 },         /* too short */
		{ "\x0a\xff\xff\xff\xff\x0f", 6 }, /* 4 GiB */
		{ "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
		{ "\x08\x01", 2 },                 /* a number for a subscription */
		{ "\x0a\x02\x10\x01", 4 },         /* a number for its topic */
		{ "\x1a\x02\x08\x01", 4 },         /* a number for an IHAVE */
		{ "\x1a\x04\x22\x02\x1a\x00", 6 }, /* bytes for a backoff */
		{ "\x0c\x0b", 2 },                 /* an end of no group */
		{ "\x12\x02\x0a\x05", 4 },         /* a message cut in its author */
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(-EBADMSG,
				 read_silently((const uint8_t *)cases[i].bytes, cases[i].n));
}

static void ids_of_another_length_are_left_out(void **state)
{
	uint8_t bytes[] = "\x1a\x20\x12\x1e\x0a\x00\x0a\x1a"
			  "aaaaaaaaaaaaaaaaaaaaaaaaaa";

	assert_reads(bytes, sizeof(bytes) - 1, ""); /* of 0 and 26 bytes */
	bytes[1] = 0x1e;
	bytes[3] = 0x1c;
	bytes[7] = 0x18;
	assert_reads(bytes, sizeof(bytes) - 3,
		     "want 616161616161616161616161616161616161616161616161");
}

static void count_id(void *arg, const struct gossip_id *id)
{
	++*(size_t *)arg;
}

static void a_frame_full_of_ids_is_read(void **state)
{
	struct gossip_rpc_events events = { .iwant = count_id };
	static struct gossip_id ids[40000];
	struct gossip_rpc_control c = { .iwant = ids, .n_iwant = ARRAY_LEN(ids) };
	struct buf frame = BUF_INIT(GOSSIP_RPC_MAX);
	size_t n = 0;

	assert_int_equal(0, gossip_rpc_control(&c, &frame));
	assert_true(frame.len > GOSSIP_RPC_MAX - 10000);
	assert_int_equal(0, gossip_rpc_read(frame.data, frame.len, &events, &n, NULL));
	assert_int_equal(ARRAY_LEN(ids), n);
	buf_deinit(&frame);
}

static void a_frame_that_would_take_much_memory_is_refused(void **state)
{
	struct buf frame = BUF_INIT(0);

	for (size_t i = 0; i < GOSSIP_RPC_MAX / 2; i++)
		assert_int_equal(0, buf_append(&frame, "\x12", 2)); /* an empty message */
	assert_int_equal(-EBADMSG, read_silently(frame.data, frame.len));
	/* One byte more than a frame may have. */
	buf_reset(&frame);
	assert_int_equal(0, buf_append(&frame, "\x52\xfd\xff\x3f", 4));
	while (frame.len <= GOSSIP_RPC_MAX)
		assert_int_equal(0, buf_byte(&frame, 0));
	assert_int_equal(-EBADMSG, read_silently(frame.data, frame.len));
	frame.data[1] = 0xfc;
	assert_int_equal(0, read_silently(frame.data, frame.len - 1));
	buf_deinit(&frame);
}

static void what_does_not_fit_is_not_written(void **state)
{
	struct buf out = BUF_INIT(20);
	struct gossip_bytes topic = text_bytes(METRICS);

	assert_int_equal(-EFBIG, gossip_rpc_subscriptions(&topic, 1, &out));
	assert_int_equal(0, out.len);
	topic.n--;
	topic.n--;
	assert_int_equal(0, gossip_rpc_subscriptions(&topic, 1, &out));
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_recorded_frames_are_read),
		cmocka_unit_test(the_recorded_frames_are_written),
		cmocka_unit_test(every_cut_of_a_frame_is_refused),
		cmocka_unit_test(joined_frames_say_both),
		cmocka_unit_test(an_empty_frame_says_nothing),
		cmocka_unit_test(what_is_left_out_is_nothing),
		cmocka_unit_test(unknown_fields_are_passed_over),
		cmocka_unit_test(malformed_frames_are_refused),
		cmocka_unit_test(ids_of_another_length_are_left_out),
		cmocka_unit_test(a_frame_full_of_ids_is_read),
		cmocka_unit_test(a_frame_that_would_take_much_memory_is_refused),
		cmocka_unit_test(what_does_not_fit_is_not_written),
	};

	return cmocka_run_group_tests_name("gossip_rpc", tests, NULL, NULL);
}
