#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "net/bitswap.h"
#include "tests/lib/vectors.h"
#include "tests/unit/net/bitswap_text.h"
#include "types/hash.h"
#include "util/varint.h"

#define MESSAGE_BYTES 4096

/* ---- as recorded ---- */

/* What a message holds, in the words of the recorded cases. */
struct seen {
	json_t *wantlist, *payload, *presences;
	bool full;
};

static json_t *hex(const uint8_t *p, size_t n)
{
	char text[2 * MESSAGE_BYTES + 1] = "";

	assert_true(n <= MESSAGE_BYTES);
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", p[i]);
	return json_string(text);
}

static void see_full(void *arg)
{
	((struct seen *)arg)->full = true;
}

static void see_entry(void *arg, const struct bitswap_entry *en)
{
	struct seen *s = arg;

	json_array_append_new(s->wantlist,
			      json_pack("{s:b, s:o, s:i, s:b, s:s}", "cancel", en->cancel, "cid",
					hex(en->cid.bytes, en->cid.len), "priority",
					(int)en->priority, "send_dont_have", en->send_dont_have,
					"want_type", en->want_have ? "Have" : "Block"));
}

static void see_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	struct seen *s = arg;
	bool v0 = cid_version(cid) == 0;
	uint8_t prefix[4] = { (uint8_t)cid_version(cid), (uint8_t)cid_codec(cid), 0x12, 0x20 };
	struct cid again;

	/* The CID is the one of the bytes. */
	cid_of_block(cid_codec(cid), p, n, &again);
	assert_int_equal(cid->len, again.len - (v0 ? 2 : 0));
	assert_memory_equal(cid->bytes, again.bytes + (v0 ? 2 : 0), cid->len);
	json_array_append_new(s->payload, json_pack("{s:o, s:o}", "data", hex(p, n), "prefix",
						    hex(prefix, sizeof(prefix))));
}

static void see_presence(void *arg, const struct cid *cid, bool have)
{
	struct seen *s = arg;

	json_array_append_new(s->presences,
			      json_pack("{s:o, s:s}", "cid", hex(cid->bytes, cid->len), "type",
					have ? "Have" : "DontHave"));
}

static void assert_same(json_t *c, const char *key, json_t *got)
{
	json_t *want = json_object_get(c, key);

	if (json_is_null(want) ? json_array_size(got) > 0 : !json_equal(want, got))
		fail_msg("%s: another %s than recorded", vectors_str(c, "note"), key);
	json_decref(got);
}

static const struct bitswap_visitor see = { see_full, see_entry, see_block, see_presence, NULL };

static void recorded_messages_are_read(void **state)
{
	json_t *root = vectors_load("bitswap.json"), *c;
	size_t i;

	assert_int_equal(0, hash_init());
	json_array_foreach (vectors_array(root, "cases"), i, c) {
		struct seen s = { json_array(), json_array(), json_array(), false };
		struct bitswap_visitor v = see;
		uint8_t bytes[MESSAGE_BYTES];
		size_t n = vectors_hex(c, "message", bytes, sizeof(bytes));

		v.arg = &s;
		assert_int_equal(0, bitswap_read(bytes, n, &v, NULL));
		assert_int_equal(json_is_true(json_object_get(c, "full")), s.full);
		assert_same(c, "wantlist", s.wantlist);
		assert_same(c, "payload", s.payload);
		assert_same(c, "block_presences", s.presences);
	}
	json_decref(root);
}

/* What is read is written again. */
struct copy {
	struct buf wantlist, answers;
	bool full;
};

static void copy_full(void *arg)
{
	((struct copy *)arg)->full = true;
}

static void copy_entry(void *arg, const struct bitswap_entry *en)
{
	assert_int_equal(0, bitswap_put_entry(&((struct copy *)arg)->wantlist, en));
}

static void copy_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	struct copy *m = arg;

	assert_int_equal(0, bitswap_put_block_head(&m->answers, cid, n));
	assert_int_equal(0, buf_append(&m->answers, p, n));
}

static void copy_presence(void *arg, const struct cid *cid, bool have)
{
	assert_int_equal(0, bitswap_put_presence(&((struct copy *)arg)->answers, cid, have));
}

static void write_again(const uint8_t *p, size_t n, struct buf *out)
{
	struct copy m = { BUF_INIT(0), BUF_INIT(0), false };
	const struct bitswap_visitor v = { copy_full, copy_entry, copy_block, copy_presence, &m };

	assert_int_equal(0, bitswap_read(p, n, &v, NULL));
	assert_int_equal(0, bitswap_put_wantlist(out, &m.wantlist, m.full));
	assert_int_equal(0, buf_append(out, m.answers.data, m.answers.len));
	buf_deinit(&m.wantlist);
	buf_deinit(&m.answers);
}

static void what_is_written_is_as_recorded(void **state)
{
	json_t *root = vectors_load("bitswap.json"), *c;
	size_t i;

	json_array_foreach (vectors_array(root, "cases"), i, c) {
		struct buf out = BUF_INIT(0);
		uint8_t bytes[MESSAGE_BYTES];
		size_t n = vectors_hex(c, "message", bytes, sizeof(bytes));

		write_again(bytes, n, &out);
		/* pending_bytes, in three bytes at the end, is for information and not written. */
		if (json_integer_value(json_object_get(c, "pending_bytes")) > 0)
			n -= 3;
		assert_int_equal(n, out.len);
		assert_memory_equal(bytes, out.data, n);
		buf_deinit(&out);
	}
	json_decref(root);
}

/* ---- what is malformed ---- */

static void never_full(void *arg)
{
	fail_msg("something was visited in a malformed message");
}

static void never_entry(void *arg, const struct bitswap_entry *en)
{
	never_full(arg);
}

static void never_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	never_full(arg);
}

static void never_presence(void *arg, const struct cid *cid, bool have)
{
	never_full(arg);
}

static const struct bitswap_visitor never = { never_full, never_entry, never_block, never_presence,
					      NULL };

static void assert_malformed(const uint8_t *p, size_t n, const char *note)
{
	struct err e = { 0 };
	uint8_t *exact = malloc(n ? n : 1);

	assert_non_null(exact);
	memcpy(exact, p, n);
	if (bitswap_read(exact, n, &never, &e) != -EBADMSG)
		fail_msg("%s: not refused", note);
	assert_int_equal(-EBADMSG, e.code);
	assert_true(e.msg[0]);
	free(exact);
}

static void assert_malformed_hex(const char *text)
{
	uint8_t bytes[MESSAGE_BYTES];
	int n = base16_decode(text, strlen(text), bytes, sizeof(bytes));

	assert_true(n > 0);
	assert_malformed(bytes, (size_t)n, text);
}

static void what_the_reference_refuses_is_refused(void **state)
{
	json_t *root = vectors_load("bitswap.json"), *c;
	size_t i;

	json_array_foreach (vectors_array(root, "invalid"), i, c) {
		uint8_t bytes[MESSAGE_BYTES];
		size_t n = vectors_hex(c, "message", bytes, sizeof(bytes));

		assert_malformed(bytes, n, vectors_str(c, "note"));
	}
	json_decref(root);
}

static void malformed_parts_are_refused(void **state)
{
	static const char *const cases[] = {
		"1a021201",                 /* a block cut short */
		"1a03120161",               /* without a prefix */
		"1a050a00120161",           /* with an empty one */
		"1a070a020170120161",       /* with one of two numbers */
		"1a080a03017012120161",     /* of three */
		"1a080a030170ff120161",     /* of a number cut short */
		"1a0a0a0501f0001220120161", /* of one that is not minimal */
		"1a090a0402701220120161",   /* of a version of CIDs that there is not */
		"2200",                     /* a presence of nothing */
		"22020a00",                 /* of an empty CID */
		"22030a0101",               /* of one cut short */
		"0a020a00",                 /* an entry of nothing */
		"0a040a020a00",             /* of an empty CID */
		"0a0210ff",                 /* a wantlist cut short */
		"00",                       /* field 0 */
		"0b",                       /* a group that does not end */
		"0aff",                     /* a length cut short */
		"0affffffffffffffffffff01", /* one beyond 64 bits */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_malformed_hex(cases[i]);
}

/* Everything before the malformed part would be fine. */
static void nothing_is_taken_from_a_message_that_is_malformed_at_its_end(void **state)
{
	struct buf m = BUF_INIT(0);

	text_write("full want 1 have 2 cancel 3 block 4 HAVE 5 DONT 6", &m);
	assert_int_equal(0, buf_append(&m, "\x22\x02\x10\x01", 4));
	assert_malformed(m.data, m.len, "a presence without a CID at the end");
	buf_deinit(&m);
}

static void visit_nothing_full(void *arg)
{
}

static void a_message_cut_anywhere_is_refused_or_shorter(void **state)
{
	struct bitswap_visitor v = { .full = visit_nothing_full };
	struct buf m = BUF_INIT(0);
	size_t taken = 0;

	text_write("full want 1 have 2 cancel 3 block 4 HAVE 5 DONT 6", &m);
	for (size_t n = 0; n <= m.len; n++) {
		uint8_t *exact = malloc(n + !n);
		int r;

		assert_non_null(exact);
		memcpy(exact, m.data, n);
		r = bitswap_read(exact, n, &v, NULL);
		assert_true(r == 0 || r == -EBADMSG);
		taken += r == 0;
		free(exact);
	}
	/* Behind nothing, the wantlist, the block and each presence. */
	assert_int_equal(5, taken);
	buf_deinit(&m);
}

/* ---- what is passed over ---- */

static void put_part(struct buf *m, uint8_t field, const struct buf *inner)
{
	uint8_t head[VARINT_MAX];

	assert_int_equal(0, buf_byte(m, (uint8_t)(field << 3 | 2)));
	assert_int_equal(0, buf_append(m, head, varint_put(head, inner->len)));
	assert_int_equal(0, buf_append(m, inner->data, inner->len));
}

static void put_hex(struct buf *out, const char *text)
{
	uint8_t bytes[64];
	int n = base16_decode(text, strlen(text), bytes, sizeof(bytes));

	assert_true(n > 0);
	assert_int_equal(0, buf_append(out, bytes, (size_t)n));
}

/* A field of bytes, among others that there are not, and one of its number that is none. */
static void put_among_others(struct buf *out, uint8_t field, const void *p, size_t n)
{
	struct buf value = BUF_INIT(0);

	put_hex(out, "78017a01617d010203047901020304050607087b7c");
	assert_int_equal(0, buf_append(&value, p, n));
	put_part(out, field, &value);
	put_hex(out, "7a03616263780c0801");
	buf_deinit(&value);
}

static void say_entry(void *arg, const struct bitswap_entry *en)
{
	assert_false(en->cancel || en->send_dont_have || en->want_have || en->priority);
	assert_int_equal(0, buf_printf(arg, "entry %u;", block_number(&en->cid)));
}

static void say_presence(void *arg, const struct cid *cid, bool have)
{
	assert_true(have);
	assert_int_equal(0, buf_printf(arg, "presence %u;", block_number(cid)));
}

static void say_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	assert_int_equal(0, buf_printf(arg, "block %.*s;", (int)n, (const char *)p));
}

static void fields_that_are_unknown_or_of_another_kind_are_passed_over(void **state)
{
	struct buf m = BUF_INIT(0), inner = BUF_INIT(0), list = BUF_INIT(0), text = BUF_INIT(0);
	const struct bitswap_visitor v = { never_full, say_entry, say_block, say_presence, &text };
	const struct cid *cid = block_cid(1);

	put_among_others(&inner, 1, cid->bytes, cid->len);
	put_hex(&inner, "1201611a01612201612a0161"); /* all that are numbers, as bytes */
	put_among_others(&list, 1, inner.data, inner.len);
	put_hex(&list, "120161"); /* full, as bytes */
	put_among_others(&m, 1, list.data, list.len);
	buf_reset(&inner);
	put_among_others(&inner, 1, cid->bytes, cid->len);
	put_hex(&inner, "120161"); /* a type, as bytes */
	put_part(&m, 4, &inner);
	buf_reset(&inner);
	put_hex(&inner, "78010a040170122008011001"); /* its prefix and bytes, as numbers, too */
	put_hex(&inner, "12036162637a0161");
	put_part(&m, 3, &inner);
	/* A block of bitswap 1.0, a block and a presence as numbers, and what is pending. */
	put_hex(&m, "12036f6c64180120012801");
	assert_int_equal(0, bitswap_read(m.data, m.len, &v, NULL));
	assert_int_equal(0, buf_terminate(&text));
	assert_string_equal("entry 1;presence 1;block abc;", (char *)text.data);
	buf_deinit(&m);
	buf_deinit(&inner);
	buf_deinit(&list);
	buf_deinit(&text);
}

static void assert_nothing_in(const struct buf *m)
{
	assert_int_equal(0, bitswap_read(m->data, m->len, &never, NULL));
}

/* An entry and a presence of a CID of @n bytes, whose digest takes what is left. */
static void put_cid_of(size_t n, uint64_t hash, struct buf *m)
{
	struct bitswap_entry en = { .priority = 1 };
	struct buf wantlist = BUF_INIT(0);
	size_t at = 0, head;

	en.cid.bytes[at++] = 1;
	en.cid.bytes[at++] = CODEC_RAW;
	at += varint_put(en.cid.bytes + at, hash);
	head = at + varint_len(n - at - 1);
	at += varint_put(en.cid.bytes + at, n - head);
	assert_int_equal(at, head);
	memset(en.cid.bytes + at, 'x', n - at);
	en.cid.len = (uint16_t)n;
	assert_int_equal(0, bitswap_put_entry(&wantlist, &en));
	assert_int_equal(0, bitswap_put_wantlist(m, &wantlist, false));
	assert_int_equal(0, bitswap_put_presence(m, &en.cid, true));
	buf_deinit(&wantlist);
}

static void count_entry(void *arg, const struct bitswap_entry *en)
{
	++*(unsigned *)arg;
}

static void count_presence(void *arg, const struct cid *cid, bool have)
{
	++*(unsigned *)arg;
}

static void cids_that_are_too_long_are_passed_over(void **state)
{
	static const struct {
		size_t n;
		uint64_t hash;
		unsigned seen;
	} cases[] = {
		{ BITSWAP_CID_MAX, 0x13, 2 },
		{ BITSWAP_CID_MAX + 1, 0x13, 0 },
		{ CID_BYTES_MAX, 0x13, 0 },
		{ 40, MULTIHASH_IDENTITY, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned seen = 0;
		const struct bitswap_visitor v = { .entry = count_entry,
						   .presence = count_presence,
						   .arg = &seen };
		struct buf m = BUF_INIT(0);

		put_cid_of(cases[i].n, cases[i].hash, &m);
		assert_int_equal(0, bitswap_read(m.data, m.len, &v, NULL));
		assert_int_equal(cases[i].seen, seen);
		buf_deinit(&m);
	}
}

static void put_block_of(struct buf *m, const char *prefix, const void *p, size_t n)
{
	struct buf block = BUF_INIT(0), pre = BUF_INIT(0), data = BUF_INIT(0);
	uint8_t bytes[64];
	int k = base16_decode(prefix, strlen(prefix), bytes, sizeof(bytes));

	assert_int_equal(0, buf_append(&pre, bytes, (size_t)k));
	assert_int_equal(0, buf_append(&data, p, n));
	put_part(&block, 1, &pre);
	put_part(&block, 2, &data);
	put_part(m, 3, &block);
	buf_deinit(&block);
	buf_deinit(&pre);
	buf_deinit(&data);
}

static void blocks_that_cannot_be_checked_are_passed_over(void **state)
{
	static const char *const prefixes[] = {
		"01701340",                                 /* sha2-512 */
		"01700005",                                 /* identity */
		"0170121f",         "01701221", "01701200", /* sha2-256 cut, too long, empty */
		"017016ffffffff0f",                         /* another hash, of a great length */
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		struct buf m = BUF_INIT(0);

		put_block_of(&m, prefixes[i], "hello", 5);
		assert_nothing_in(&m);
		buf_deinit(&m);
	}
}

static void count_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	++*(unsigned *)arg;
}

static void a_block_that_is_too_large_is_passed_over(void **state)
{
	for (unsigned more = 0; more < 2; more++) {
		size_t n = BITSWAP_BLOCK_MAX + more;
		uint8_t *p = calloc(1, n);
		unsigned seen = 0;
		const struct bitswap_visitor v = { .block = count_block, .arg = &seen };
		struct buf m = BUF_INIT(0);

		assert_non_null(p);
		put_block_of(&m, "01701220", p, n);
		assert_int_equal(0, bitswap_read(m.data, m.len, &v, NULL));
		assert_int_equal(!more, seen);
		buf_deinit(&m);
		free(p);
	}
}

static void the_head_of_a_block_is_bounded(void **state)
{
	struct cid cid = { 0 };
	struct buf head = BUF_INIT(0);

	/* The largest codec that fits, under a hash and of a length that both take nine bytes. */
	cid.bytes[cid.len++] = 1;
	for (int i = 0; i < 3; i++)
		cid.len = (uint16_t)(cid.len + varint_put(cid.bytes + cid.len, INT64_MAX));
	assert_int_equal(0, bitswap_put_block_head(&head, &cid, BITSWAP_BLOCK_MAX));
	assert_in_range(head.len, 28, BITSWAP_BLOCK_HEAD_MAX);
	buf_deinit(&head);
}

static void what_is_written_as_text_is_read_as_text(void **state)
{
	static const char *const cases[] = {
		"",
		"full",
		"want 1",
		"have- 2",
		"full want- 1 have 2 cancel 3 block 4 HAVE 5 DONT 6",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf m = BUF_INIT(0), text = BUF_INIT(0);

		text_write(cases[i], &m);
		assert_int_equal(0, text_read(m.data, m.len, &text));
		assert_string_equal(cases[i], (char *)text.data);
		buf_deinit(&m);
		buf_deinit(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_messages_are_read),
		cmocka_unit_test(what_is_written_is_as_recorded),
		cmocka_unit_test(what_the_reference_refuses_is_refused),
		cmocka_unit_test(malformed_parts_are_refused),
		cmocka_unit_test(nothing_is_taken_from_a_message_that_is_malformed_at_its_end),
		cmocka_unit_test(a_message_cut_anywhere_is_refused_or_shorter),
		cmocka_unit_test(fields_that_are_unknown_or_of_another_kind_are_passed_over),
		cmocka_unit_test(cids_that_are_too_long_are_passed_over),
		cmocka_unit_test(blocks_that_cannot_be_checked_are_passed_over),
		cmocka_unit_test(a_block_that_is_too_large_is_passed_over),
		cmocka_unit_test(the_head_of_a_block_is_bounded),
		cmocka_unit_test(what_is_written_as_text_is_read_as_text),
	};

	return cmocka_run_group_tests_name("bitswap_message", tests, NULL, NULL);
}
