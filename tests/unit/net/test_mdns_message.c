#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/mdns_message.h"
#include "tests/lib/vectors.h"

#define LABEL "abcdef0123456789"
#define SERVICE "\x17_ipfs-cluster-discovery\x04_udp\x05local"
#define QUESTION "\0\x0c\0\x01"           /* PTR, IN */
#define RECORD "\0\x0c\0\x01\0\0\0\x78\0" /* PTR, IN, 120 s, and half of the length */

/* ---- the reference's ---- */

static size_t recorded(json_t *root, const char *what, uint8_t out[MDNS_MESSAGE_MAX])
{
	json_t *m;
	size_t i;

	json_array_foreach (vectors_array(root, "messages"), i, m)
		if (strcmp(vectors_str(m, "what"), what) == 0)
			return vectors_hex(m, "bytes", out, MDNS_MESSAGE_MAX);
	fail_msg("no message \"%s\"", what);
	return 0;
}

/* The strings are those of the recorded addresses. */
static void assert_texts(json_t *root, const struct mdns_entry *en)
{
	size_t at = 0, i, n;
	const char *text;
	json_t *a;

	json_array_foreach (vectors_array(root, "addresses"), i, a) {
		char want[256];

		snprintf(want, sizeof(want), MDNS_TEXT "%s/p2p/%s", json_string_value(a),
			 vectors_str(root, "peer"));
		assert_true(mdns_text(en, &at, &text, &n));
		assert_int_equal(strlen(want), n);
		assert_memory_equal(want, text, n);
	}
	assert_false(mdns_text(en, &at, &text, &n));
}

static void a_question_of_the_reference_is_read(void **state)
{
	json_t *root = vectors_load("mdns.json");
	uint8_t m[MDNS_MESSAGE_MAX];
	size_t n = recorded(root, "question", m);
	struct mdns_reader r;
	struct mdns_entry en;

	assert_int_equal(0, mdns_read(m, n, &r));
	assert_false(r.response);
	assert_int_equal(1, mdns_next(&r, &en));
	assert_int_equal(MDNS_QUESTIONS, en.part);
	assert_int_equal(MDNS_PTR, en.type);
	assert_true(mdns_is_service(&en.name));
	assert_false(mdns_is_instance(&en.name));
	assert_int_equal(0, mdns_next(&r, &en));
	json_decref(root);
}

/* Goes over an answer; returns a bit for each type of record that it has of the instance. */
static uint64_t read_answer(json_t *root, const char *what, uint32_t ttl)
{
	const char *label = vectors_str(root, "label");
	uint8_t m[MDNS_MESSAGE_MAX];
	size_t n = recorded(root, what, m);
	struct mdns_reader r;
	struct mdns_entry en;
	struct mdns_name target;
	uint64_t seen = 0;
	int more;

	assert_int_equal(0, mdns_read(m, n, &r));
	while ((more = mdns_next(&r, &en)) > 0) {
		if (en.type == MDNS_TXT) {
			assert_true(mdns_is_instance_of(&en.name, label));
			assert_texts(root, &en);
		} else if (en.type == MDNS_PTR && mdns_is_service(&en.name) && en.data) {
			assert_int_equal(0, mdns_target(&r, &en, &target));
			assert_true(mdns_is_instance_of(&target, label));
			assert_false(mdns_is_instance_of(&target, "another"));
		} else {
			continue;
		}
		assert_int_equal(ttl, en.ttl);
		seen |= 1ull << en.type;
	}
	assert_int_equal(0, more);
	return seen;
}

static void answers_of_the_reference_are_read(void **state)
{
	const uint64_t both = 1ull << MDNS_TXT | 1ull << MDNS_PTR;
	json_t *root = vectors_load("mdns.json");

	assert_int_equal(both, read_answer(root, "answer", MDNS_TTL_S));
	assert_int_equal(both, read_answer(root, "announcement", MDNS_TTL_S));
	assert_int_equal(both, read_answer(root, "goodbye", 0));
	assert_int_equal(1ull << MDNS_TXT, read_answer(root, "probe", MDNS_TTL_S));
	json_decref(root);
}

static int read_all(const uint8_t *p, size_t n)
{
	struct mdns_reader r;
	struct mdns_entry en;
	int more = mdns_read(p, n, &r);

	if (more == 0)
		while ((more = mdns_next(&r, &en)) > 0)
			;
	return more;
}

static void a_message_that_is_cut_is_malformed(void **state)
{
	json_t *root = vectors_load("mdns.json"), *m;
	size_t i;

	json_array_foreach (vectors_array(root, "messages"), i, m) {
		uint8_t bytes[MDNS_MESSAGE_MAX];
		size_t n = vectors_hex(m, "bytes", bytes, sizeof(bytes));

		assert_int_equal(0, read_all(bytes, n));
		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(-EBADMSG, read_all(bytes, cut));
	}
	json_decref(root);
}

/* ---- what is written ---- */

static struct multiaddr address(const char *text)
{
	struct peerid peer;
	struct multiaddr a;
	uint8_t key[32] = { 7 };

	peerid_from_ed25519(key, &peer);
	assert_int_equal(0, multiaddr_parse(text, strlen(text), &a, NULL));
	assert_int_equal(0, multiaddr_add_peerid(&a, &peer));
	return a;
}

static void a_question_names_our_own_answer_as_known(void **state)
{
	struct buf out = BUF_INIT(MDNS_SENT_MAX);
	struct mdns_name target;
	struct mdns_reader r;
	struct mdns_entry en;

	assert_int_equal(0, mdns_write_question(LABEL, &out));
	assert_int_equal(0, mdns_read(out.data, out.len, &r));
	assert_false(r.response);
	assert_int_equal(1, mdns_next(&r, &en));
	assert_true(en.part == MDNS_QUESTIONS && en.type == MDNS_PTR && mdns_is_service(&en.name));
	assert_int_equal(1, mdns_next(&r, &en));
	assert_true(en.part == MDNS_ANSWERS && en.type == MDNS_PTR && mdns_is_service(&en.name));
	assert_int_equal(MDNS_TTL_S, en.ttl);
	assert_int_equal(0, mdns_target(&r, &en, &target));
	assert_true(mdns_is_instance_of(&target, LABEL));
	assert_int_equal(0, mdns_next(&r, &en));
	assert_int_equal(out.len, r.at);
	buf_deinit(&out);
}

/* But for the id, which is 0 as RFC 6762 has it. */
static void a_question_without_an_answer_is_that_of_the_reference(void **state)
{
	json_t *root = vectors_load("mdns.json");
	struct buf out = BUF_INIT(MDNS_SENT_MAX);
	uint8_t m[MDNS_MESSAGE_MAX];
	size_t n = recorded(root, "question", m);

	assert_int_equal(0, mdns_write_question(NULL, &out));
	assert_int_equal(n, out.len);
	assert_memory_equal(m + 2, out.data + 2, n - 2);
	buf_deinit(&out);
	json_decref(root);
}

static void next_is(struct mdns_reader *r, enum mdns_part part, enum mdns_type type, uint32_t ttl,
		    struct mdns_entry *ret)
{
	assert_int_equal(1, mdns_next(r, ret));
	assert_int_equal(part, ret->part);
	assert_int_equal(type, ret->type);
	assert_int_equal(ttl, ret->ttl);
}

static void an_answer_has_what_the_reference_looks_for(void **state)
{
	static const uint8_t srv[] = "\0\0\0\0\x0f\xa1\x10" LABEL "\x05local";
	const struct multiaddr v[] = { address("/ip4/10.1.2.3/tcp/9096"),
				       address("/ip4/10.1.2.4/tcp/9096"),
				       address("/ip6/fd00::7/tcp/9096") };
	struct buf out = BUF_INIT(MDNS_SENT_MAX), want = BUF_INIT(0);
	struct mdns_name target;
	struct mdns_reader r;
	struct mdns_entry en;
	const char *text;
	size_t at = 0, n;

	assert_int_equal(3, mdns_write_answer(LABEL, v, 3, true, &out));
	assert_int_equal(0, mdns_read(out.data, out.len, &r));
	assert_true(r.response);
	next_is(&r, MDNS_ANSWERS, MDNS_PTR, MDNS_TTL_S, &en);
	assert_true(mdns_is_service(&en.name));
	assert_int_equal(0, mdns_target(&r, &en, &target));
	assert_true(mdns_is_instance_of(&target, LABEL));
	next_is(&r, MDNS_ADDITIONAL, MDNS_SRV, MDNS_TTL_S, &en);
	assert_true(mdns_is_instance_of(&en.name, LABEL));
	assert_int_equal(sizeof(srv), en.n);
	assert_memory_equal(srv, en.data, sizeof(srv));
	next_is(&r, MDNS_ADDITIONAL, MDNS_A, MDNS_HOST_TTL_S, &en);
	assert_int_equal(sizeof(srv) - 6, en.name.len);
	assert_memory_equal(srv + 6, en.name.bytes, en.name.len);
	assert_int_equal(4, en.n);
	assert_memory_equal("\x0a\x01\x02\x03", en.data, 4);
	next_is(&r, MDNS_ADDITIONAL, MDNS_AAAA, MDNS_HOST_TTL_S, &en);
	assert_int_equal(16, en.n);
	next_is(&r, MDNS_ADDITIONAL, MDNS_TXT, MDNS_TTL_S, &en);
	assert_true(mdns_is_instance_of(&en.name, LABEL));
	for (size_t i = 0; i < 3; i++) {
		buf_reset(&want);
		assert_int_equal(0, buf_str(&want, MDNS_TEXT));
		assert_int_equal(0, multiaddr_format(&v[i], &want));
		assert_true(mdns_text(&en, &at, &text, &n));
		assert_int_equal(want.len, n);
		assert_memory_equal(want.data, text, n);
	}
	assert_int_equal(0, mdns_next(&r, &en));
	assert_int_equal(out.len, r.at);
	buf_deinit(&want);
	buf_deinit(&out);
}

static void a_goodbye_is_the_answer_without_time(void **state)
{
	const struct multiaddr v[] = { address("/ip4/10.1.2.3/tcp/9096") };
	struct buf out = BUF_INIT(MDNS_SENT_MAX);
	struct mdns_reader r;
	struct mdns_entry en;
	unsigned records = 0;

	assert_int_equal(1, mdns_write_answer(LABEL, v, 1, false, &out));
	assert_int_equal(0, mdns_read(out.data, out.len, &r));
	while (mdns_next(&r, &en) > 0) {
		assert_int_equal(0, en.ttl);
		records++;
	}
	assert_int_equal(4, records);
	buf_deinit(&out);
}

static void an_answer_has_as_many_addresses_as_there_is_room_for(void **state)
{
	struct buf out = BUF_INIT(MDNS_SENT_MAX);
	struct multiaddr v[64];
	char text[300];
	int n;

	for (unsigned i = 0; i < 64; i++) {
		snprintf(text, sizeof(text), "/ip4/10.1.2.%u/tcp/9096", i);
		v[i] = address(text);
	}
	n = mdns_write_answer(LABEL, v, 64, true, &out);
	assert_in_range(n, 10, 20);
	assert_in_range(out.len, MDNS_SENT_MAX - 100, MDNS_SENT_MAX);
	assert_int_equal(0, read_all(out.data, out.len));
	/* One that is longer than a string can be is left out. */
	snprintf(text, sizeof(text), "/dns4/%0200d.local/tcp/9096", 1);
	v[1] = address(text);
	buf_reset(&out);
	assert_int_equal(2, mdns_write_answer(LABEL, v, 3, true, &out));
	buf_deinit(&out);
}

/* ---- what is not one ---- */

/* A header with these counts, then @n bytes. Returns the length. */
static size_t message(uint8_t *out, uint8_t questions, uint8_t answers, const void *p, size_t n)
{
	const uint8_t header[12] = { [2] = answers ? 0x84 : 0, [5] = questions, [7] = answers };

	memcpy(out, header, sizeof(header));
	memcpy(out + sizeof(header), p, n);
	return sizeof(header) + n;
}

static void names_are_compared_without_case(void **state)
{
	static const char name[] = "\x03"
				   "Foo\x17_IPFS-Cluster-DISCOVERY\x04_Udp\x05LOCAL\0" QUESTION;
	uint8_t m[128];
	size_t n = message(m, 1, 0, name, sizeof(name) - 1);
	struct mdns_reader r;
	struct mdns_entry en;

	assert_int_equal(0, mdns_read(m, n, &r));
	assert_int_equal(1, mdns_next(&r, &en));
	assert_true(mdns_is_instance_of(&en.name, "foo"));
}

static void an_instance_is_one_label_of_the_service(void **state)
{
	static const char deeper[] = "\x01x\x03"
				     "foo" SERVICE "\0" QUESTION;
	static const char other[] = "\x03"
				    "foo\x04_udp\x05local\0" QUESTION;
	uint8_t m[128];
	struct mdns_reader r;
	struct mdns_entry en;

	assert_int_equal(0, mdns_read(m, message(m, 1, 0, deeper, sizeof(deeper) - 1), &r));
	assert_int_equal(1, mdns_next(&r, &en));
	assert_false(mdns_is_instance(&en.name) || mdns_is_service(&en.name));
	assert_int_equal(0, mdns_read(m, message(m, 1, 0, other, sizeof(other) - 1), &r));
	assert_int_equal(1, mdns_next(&r, &en));
	assert_false(mdns_is_instance(&en.name) || mdns_is_service(&en.name));
}

/* A question whose name is at the end of @jumps pointers, all but the first behind it. */
static int read_jumps(unsigned jumps)
{
	uint8_t m[128], body[100] = { 0xc0, 18 };
	size_t n = 6;

	memcpy(body + 2, QUESTION, 4);
	for (unsigned i = 1; i < jumps; i++) {
		body[n++] = 0xc0;
		body[n] = (uint8_t)(12 + n + 1);
		n++;
	}
	body[n++] = 0;
	return read_all(m, message(m, 1, 0, body, n));
}

static void so_many_pointers_are_followed_and_no_more(void **state)
{
	assert_int_equal(0, read_jumps(1));
	assert_int_equal(0, read_jumps(2));
	assert_int_equal(0, read_jumps(MDNS_JUMPS_MAX));
	assert_int_equal(-EBADMSG, read_jumps(MDNS_JUMPS_MAX + 1));
}

static void pointers_that_lead_nowhere_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} bad[] = {
		{ "\xc0\x0c" QUESTION, 6 },      /* at itself */
		{ "\x01x\xc0\x0c" QUESTION, 8 }, /* before itself */
		{ "\xc0\xff" QUESTION, 6 },      /* beyond the end */
		{ "\xff\xff" QUESTION, 6 },      /* far beyond */
		{ "\xc0", 1 },                   /* half of one */
		{ "\x40" QUESTION, 5 },          /* labels that are not in use */
		{ "\x80" QUESTION, 5 },
		{ "\x3f"
		  "abc" QUESTION,
		  8 }, /* longer than the message */
	};
	uint8_t m[64];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(-EBADMSG, read_all(m, message(m, 1, 0, bad[i].bytes, bad[i].n)));
}

/* A question with a name of so many bytes. */
static int read_long_name(size_t len)
{
	uint8_t body[400] = { 0 }, m[420];
	size_t at = 0;

	while (len - 1 > at) {
		size_t label = len - 1 - at - 1 < 60 ? len - 1 - at - 1 : 60;

		body[at++] = (uint8_t)label;
		memset(body + at, 'x', label);
		at += label;
	}
	body[at++] = 0;
	memcpy(body + at, QUESTION, 4);
	return read_all(m, message(m, 1, 0, body, at + 4));
}

static void a_name_has_so_many_bytes_and_no_more(void **state)
{
	assert_int_equal(0, read_long_name(1));
	assert_int_equal(0, read_long_name(MDNS_NAME_MAX));
	assert_int_equal(-EBADMSG, read_long_name(MDNS_NAME_MAX + 1));
}

static void a_message_has_so_many_entries_and_no_more(void **state)
{
	uint8_t body[5 * (MDNS_ENTRIES_MAX + 1)], m[sizeof(body) + 12];

	for (size_t i = 0; i <= MDNS_ENTRIES_MAX; i++) {
		body[5 * i] = 0;
		memcpy(body + 5 * i + 1, QUESTION, 4);
	}
	assert_int_equal(0, read_all(m, message(m, MDNS_ENTRIES_MAX, 0, body, sizeof(body))));
	assert_int_equal(-EBADMSG,
			 read_all(m, message(m, MDNS_ENTRIES_MAX + 1, 0, body, sizeof(body))));
	assert_int_equal(-EBADMSG, read_all(m, message(m, MDNS_ENTRIES_MAX, 1, body, 5)));
}

static void data_that_is_longer_than_the_message_is_malformed(void **state)
{
	static const char whole[] = "\0" RECORD "\x01\0";
	static const char cut[] = "\0" RECORD "\x02\0";
	uint8_t m[64];

	assert_int_equal(0, read_all(m, message(m, 0, 1, whole, sizeof(whole) - 1)));
	assert_int_equal(-EBADMSG, read_all(m, message(m, 0, 1, cut, sizeof(cut) - 1)));
}

/* The name in the data ends before it, or behind it. */
static void a_target_fills_its_record(void **state)
{
	static const char shorter[] = "\0" RECORD "\x02\0\0";
	static const char longer[] = "\0" RECORD "\x02\x03xyz\0";
	uint8_t m[64];
	struct mdns_name target;
	struct mdns_reader r;
	struct mdns_entry en;

	assert_int_equal(0, mdns_read(m, message(m, 0, 1, shorter, sizeof(shorter) - 1), &r));
	assert_int_equal(1, mdns_next(&r, &en));
	assert_int_equal(-EBADMSG, mdns_target(&r, &en, &target));
	assert_int_equal(0, mdns_read(m, message(m, 0, 1, longer, sizeof(longer) - 1), &r));
	assert_int_equal(1, mdns_next(&r, &en));
	assert_int_equal(-EBADMSG, mdns_target(&r, &en, &target));
}

static void other_kinds_of_messages_and_classes_are_passed_over(void **state)
{
	static const char chaos[] = "\0\0\x0c\0\x03";
	uint8_t m[64];
	size_t n = message(m, 1, 0, chaos, sizeof(chaos) - 1);
	struct mdns_reader r;
	struct mdns_entry en;

	assert_int_equal(0, mdns_read(m, n, &r));
	assert_int_equal(0, mdns_next(&r, &en));
	m[2] = 0x08; /* an opcode */
	assert_int_equal(-EBADMSG, mdns_read(m, n, &r));
	m[2] = 0;
	m[3] = 3; /* an error */
	assert_int_equal(-EBADMSG, mdns_read(m, n, &r));
}

static void a_message_has_so_many_bytes_and_no_more(void **state)
{
	static uint8_t m[MDNS_MESSAGE_MAX + 1];
	struct mdns_reader r;

	assert_int_equal(0, mdns_read(m, MDNS_MESSAGE_MAX, &r));
	assert_int_equal(-EBADMSG, mdns_read(m, MDNS_MESSAGE_MAX + 1, &r));
}

static void strings_end_where_the_record_does(void **state)
{
	static const uint8_t data[] = "\x02hi\0\x03yo";
	const struct mdns_entry en = { .data = data, .n = sizeof(data) - 1 };
	const char *text;
	size_t at = 0, n;

	assert_true(mdns_text(&en, &at, &text, &n));
	assert_int_equal(2, n);
	assert_true(mdns_text(&en, &at, &text, &n));
	assert_int_equal(0, n);
	assert_false(mdns_text(&en, &at, &text, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_of_the_reference_is_read),
		cmocka_unit_test(answers_of_the_reference_are_read),
		cmocka_unit_test(a_message_that_is_cut_is_malformed),
		cmocka_unit_test(a_question_names_our_own_answer_as_known),
		cmocka_unit_test(a_question_without_an_answer_is_that_of_the_reference),
		cmocka_unit_test(an_answer_has_what_the_reference_looks_for),
		cmocka_unit_test(a_goodbye_is_the_answer_without_time),
		cmocka_unit_test(an_answer_has_as_many_addresses_as_there_is_room_for),
		cmocka_unit_test(names_are_compared_without_case),
		cmocka_unit_test(an_instance_is_one_label_of_the_service),
		cmocka_unit_test(so_many_pointers_are_followed_and_no_more),
		cmocka_unit_test(pointers_that_lead_nowhere_are_refused),
		cmocka_unit_test(a_name_has_so_many_bytes_and_no_more),
		cmocka_unit_test(a_message_has_so_many_entries_and_no_more),
		cmocka_unit_test(data_that_is_longer_than_the_message_is_malformed),
		cmocka_unit_test(a_target_fills_its_record),
		cmocka_unit_test(other_kinds_of_messages_and_classes_are_passed_over),
		cmocka_unit_test(a_message_has_so_many_bytes_and_no_more),
		cmocka_unit_test(strings_end_where_the_record_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
