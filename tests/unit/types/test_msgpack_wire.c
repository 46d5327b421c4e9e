#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/vectors.h"
#include "types/msgpack_wire.h"

#define PEER_HEX "0024080112208b7fa1c62fc88c8717b18ec4482262ae5726cd5d799a9c3cd3f5fca864a498f3"
#define CID_HEX "01551220fb5152e8e341db2eebdf15e76874fefe6d75c7adfa823b4273142acc19c20295"

static void begin(struct buf *out, struct mp_writer *w)
{
	buf_init(out, 0);
	mp_writer_init(w, out);
}

static void check_written(struct buf *out, const char *want)
{
	struct buf hex = BUF_INIT(0);

	assert_int_equal(0, base16_encode(&hex, out->data, out->len));
	assert_int_equal(0, buf_terminate(&hex));
	assert_string_equal(want, (const char *)hex.data);
	buf_deinit(&hex);
	buf_deinit(out);
}

/* "int -129", "uint64 256", "str32": what the names of the cases say. */
static bool write_case(struct mp_writer *w, const char *name)
{
	char text[64];

	memset(text, 'a', sizeof(text));
	if (strncmp(name, "int ", 4) == 0)
		mp_int(w, strtoll(name + 4, NULL, 10));
	else if (strncmp(name, "uint64 ", 7) == 0)
		mp_uint(w, strtoull(name + 7, NULL, 10));
	else if (strncmp(name, "str", 3) == 0)
		mp_raw(w, text, strtoull(name + 3, NULL, 10));
	else
		return false;
	return true;
}

static void numbers_and_texts_have_the_bytes_of_the_reference(void **state)
{
	json_t *root = vectors_load("cluster-metrics.json"), *v;
	struct mp_writer w;
	struct buf out;
	unsigned seen = 0;
	size_t i;

	json_array_foreach (vectors_array(root, "int_encodings"), i, v) {
		begin(&out, &w);
		if (!write_case(&w, vectors_str(v, "value")))
			continue;
		assert_int_equal(0, w.error);
		check_written(&out, vectors_str(v, "hex"));
		seen++;
	}
	assert_int_equal(26, seen);
	json_decref(root);
}

static void times_take_the_shortest_form(void **state)
{
	static const struct {
		int64_t s;
		uint32_t ns;
		const char *hex;
	} cases[] = {
		{ 0, 0, "a400000000" },
		{ 1700000000, 0, "a46553f100" },
		{ UINT32_MAX, 0, "a4ffffffff" },
		{ INT64_C(1) << 32, 0, "a80000000100000000" },
		{ 1700000000, 123456789, "a81d6f34546553f100" },
		{ (INT64_C(1) << 34) - 1, 0, "a800000003ffffffff" },
		{ INT64_C(1) << 34, 0, "ac000000000000000400000000" },
		{ -1, 500000000, "ac1dcd6500ffffffffffffffff" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mp_writer w;
		struct mp_document d;
		struct buf out;
		uint32_t ns;
		int64_t s;
		bool set;

		begin(&out, &w);
		mp_time(&w, cases[i].s, cases[i].ns);
		assert_int_equal(0, w.error);
		assert_int_equal(0, mp_decode(out.data, out.len, &d, NULL));
		assert_int_equal(0, mp_get_time(mp_root(&d), &set, &s, &ns));
		assert_true(set && s == cases[i].s && ns == cases[i].ns);
		mp_document_clear(&d);
		check_written(&out, cases[i].hex);
	}
}

static void what_is_undefined_is_written_as_nil(void **state)
{
	static const struct multiaddr no_address;
	static const struct peerid no_peer;
	static const struct cid no_cid;
	struct mp_writer w;
	struct buf out;

	begin(&out, &w);
	mp_array(&w, 5);
	mp_cid(&w, &no_cid);
	mp_peerid(&w, &no_peer);
	mp_multiaddr(&w, &no_address);
	mp_bool(&w, true);
	mp_bool(&w, false);
	assert_int_equal(0, w.error);
	check_written(&out, "95c0c0c0c3c2");
}

static void a_failed_append_sticks(void **state)
{
	struct buf out = BUF_INIT(3);
	struct mp_writer w;

	mp_writer_init(&w, &out);
	mp_str(&w, "abcdef");
	assert_int_equal(-EFBIG, w.error);
	mp_nil(&w);
	assert_int_equal(-EFBIG, w.error);
	buf_deinit(&out);
}

/* ---- reading ---- */

static uint8_t input[512];

static const msgpack_object *open_hex(const char *hex, struct mp_document *d)
{
	int n = base16_decode(hex, strlen(hex), input, sizeof(input));

	assert_true(n >= 0);
	assert_int_equal(0, mp_decode(input, (size_t)n, d, NULL));
	return mp_root(d);
}

static int decode_hex(const char *hex)
{
	struct mp_document d;
	int n = base16_decode(hex, strlen(hex), input, sizeof(input));
	int r = mp_decode(input, (size_t)n, &d, NULL);

	if (r == 0)
		mp_document_clear(&d);
	return r;
}

static void only_one_whole_object_is_decoded(void **state)
{
	assert_int_equal(0, decode_hex("80"));
	assert_int_equal(-EBADMSG, decode_hex(""));
	assert_int_equal(-EBADMSG, decode_hex("8000"));
	assert_int_equal(-EBADMSG, decode_hex("81a161"));
	assert_int_equal(-EBADMSG, decode_hex("c1"));
	/* 2^32 entries in ten bytes. */
	assert_int_equal(-EBADMSG, decode_hex("ddffffffff0000000000"));
	assert_int_equal(-EBADMSG, decode_hex("dfffffffff0000000000"));
}

static void many_small_objects_are_refused(void **state)
{
	const size_t n = 4 * MSGPACK_ITEMS_SPARE;
	uint8_t *p = calloc(1, n);
	struct mp_document d;

	assert_non_null(p);
	p[0] = 0xdd;
	p[3] = (uint8_t)((n - 5) >> 8);
	p[4] = (uint8_t)(n - 5);
	assert_int_equal(-EBADMSG, mp_decode(p, n, &d, NULL));
	free(p);
}

static int int_of(const char *hex, int64_t *ret)
{
	struct mp_document d;
	int r = mp_get_int(open_hex(hex, &d), ret);

	mp_document_clear(&d);
	return r;
}

static int uint_of(const char *hex, uint64_t *ret)
{
	struct mp_document d;
	int r = mp_get_uint(open_hex(hex, &d), ret);

	mp_document_clear(&d);
	return r;
}

static void integers_of_any_width_are_read(void **state)
{
	static const struct {
		const char *hex;
		int64_t v;
	} cases[] = {
		{ "05", 5 },
		{ "ff", -1 },
		{ "cc05", 5 },
		{ "cd0005", 5 },
		{ "ce00000005", 5 },
		{ "cf0000000000000005", 5 },
		{ "d005", 5 },
		{ "d10005", 5 },
		{ "d200000005", 5 },
		{ "d30000000000000005", 5 },
		{ "d0ff", -1 },
		{ "d38000000000000000", INT64_MIN },
		{ "d37fffffffffffffff", INT64_MAX },
		{ "cb40b3880000000000", 5000 },
		{ "cac0a00000", -5 },
		{ "c0", 0 },
	};
	uint64_t u;
	int64_t v;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(0, int_of(cases[i].hex, &v));
		assert_true(v == cases[i].v);
		assert_int_equal(cases[i].v < 0 ? -EBADMSG : 0, uint_of(cases[i].hex, &u));
		assert_true(u == (cases[i].v < 0 ? 0 : (uint64_t)cases[i].v));
	}
	assert_int_equal(0, uint_of("cfffffffffffffffff", &u));
	assert_true(u == UINT64_MAX);
	assert_int_equal(-EBADMSG, int_of("cfffffffffffffffff", &v));
	assert_int_equal(-EBADMSG, int_of("cb3ff8000000000000", &v));  /* 1.5 */
	assert_int_equal(-EBADMSG, int_of("cb43e0000000000000", &v));  /* 2^63 */
	assert_int_equal(-EBADMSG, int_of("cb7ff8000000000000", &v));  /* not a number */
	assert_int_equal(-EBADMSG, uint_of("cb43f0000000000000", &u)); /* 2^64 */
	assert_int_equal(-EBADMSG, uint_of("cbfff0000000000000", &u)); /* -infinity */
	assert_int_equal(-EBADMSG, int_of("a135", &v));
	assert_int_equal(-EBADMSG, int_of("c3", &v));
	assert_int_equal(-EBADMSG, uint_of("90", &u));
}

static void bools_may_be_zero_and_one(void **state)
{
	static const struct {
		const char *hex;
		int r;
		bool v;
	} cases[] = {
		{ "c2", 0, false },        { "c3", 0, true },           { "00", 0, false },
		{ "01", 0, true },         { "c0", 0, false },          { "02", -EBADMSG, false },
		{ "ff", -EBADMSG, false }, { "a101", -EBADMSG, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mp_document d;
		bool v = true;

		assert_int_equal(cases[i].r, mp_get_bool(open_hex(cases[i].hex, &d), &v));
		assert_int_equal(cases[i].v, v);
		mp_document_clear(&d);
	}
}

static void times_are_read_in_all_forms(void **state)
{
	static const struct {
		const char *hex;
		int r;
		bool set;
		int64_t s;
		uint32_t ns;
	} cases[] = {
		{ "a46553f100", 0, true, 1700000000, 0 },
		{ "d9046553f100", 0, true, 1700000000, 0 },
		{ "c4046553f100", 0, true, 1700000000, 0 },
		{ "d6ff6553f100", 0, true, 1700000000, 0 },
		{ "a81d6f34546553f100", 0, true, 1700000000, 123456789 },
		{ "d7ff1d6f34546553f100", 0, true, 1700000000, 123456789 },
		{ "ac1dcd6500ffffffffffffffff", 0, true, -1, 500000000 },
		{ "c70cff1dcd6500ffffffffffffffff", 0, true, -1, 500000000 },
		{ "c0", 0, false, 0, 0 },
		{ "a400000000", 0, true, 0, 0 },
		/* The first moment of year 1 is Go's unset time. */
		{ "ac00000000fffffff1886e0900", 0, false, 0, 0 },
		{ "ac00000001fffffff1886e0900", 0, true, -62135596800, 1 },
		/* Nanoseconds that are a second, as Go adds them. */
		{ "ac3b9aca000000000000000001", 0, true, 2, 0 },
		/* Before year 1, after 9999, another length, another extension, other kinds. */
		{ "ac00000000fffffff1886e08ff", -EBADMSG, false, 0, 0 },
		{ "ac000000000000003afff44180", -EBADMSG, false, 0, 0 },
		{ "ac000000007fffffffffffffff", -EBADMSG, false, 0, 0 },
		{ "a0", -EBADMSG, false, 0, 0 },
		{ "a50000000000", -EBADMSG, false, 0, 0 },
		{ "d601"
		  "6553f100",
		  -EBADMSG, false, 0, 0 },
		{ "ce6553f100", -EBADMSG, false, 0, 0 },
		{ "b4323032302d30312d30315430303a30303a30305a", -EBADMSG, false, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mp_document d;
		uint32_t ns = 7;
		int64_t s = 7;
		bool set = true;

		assert_int_equal(cases[i].r,
				 mp_get_time(open_hex(cases[i].hex, &d), &set, &s, &ns));
		assert_true(set == cases[i].set && s == cases[i].s && ns == cases[i].ns);
		mp_document_clear(&d);
	}
}

static void identifiers_are_read_from_texts_and_bytes_alike(void **state)
{
	static const char *const peers[] = { "da0026" PEER_HEX, "d926" PEER_HEX, "c426" PEER_HEX,
					     "db00000026" PEER_HEX, "c50026" PEER_HEX };
	static const char *const cids[] = { "da0024" CID_HEX, "d924" CID_HEX, "c424" CID_HEX };
	struct mp_document d;
	struct peerid id;
	struct cid cid;

	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		assert_int_equal(0, mp_get_peerid(open_hex(peers[i], &d), &id));
		assert_int_equal(38, id.len);
		mp_document_clear(&d);
	}
	for (size_t i = 0; i < sizeof(cids) / sizeof(cids[0]); i++) {
		assert_int_equal(0, mp_get_cid(open_hex(cids[i], &d), &cid));
		assert_int_equal(36, cid.len);
		mp_document_clear(&d);
	}
}

/* nil is none; what is empty or no identifier is refused. */
static void bad_identifiers_are_refused(void **state)
{
	static const struct {
		const char *hex;
		int r;
	} cases[] = {
		{ "c0", 0 },        { "a0", -EBADMSG }, { "a3010203", -EBADMSG },
		{ "05", -EBADMSG }, { "80", -EBADMSG },
	};
	struct multiaddr a = { .len = 9 };
	struct mp_document d;
	struct peerid id = { .len = 9 };
	struct cid cid = { .len = 9 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const msgpack_object *o = open_hex(cases[i].hex, &d);

		assert_int_equal(cases[i].r, mp_get_cid(o, &cid));
		assert_int_equal(cases[i].r, mp_get_peerid(o, &id));
		assert_int_equal(cases[i].r, mp_get_multiaddr(o, &a));
		assert_int_equal(0, cid.len + id.len + a.len);
		mp_document_clear(&d);
	}
}

static void fields_are_found_by_name_or_by_place(void **state)
{
	struct mp_document d;
	int64_t v;

	/* {"a": 1, 7: 2, bin "b": 3, "a": 4, "c": nil} */
	open_hex("85a1610107"
		 "02"
		 "c4016203"
		 "a16104"
		 "a163c0",
		 &d);
	assert_true(mp_is_struct(mp_root(&d)));
	assert_int_equal(0, mp_get_int(mp_field(mp_root(&d), "a", 0), &v));
	assert_int_equal(4, v); /* of equal keys the last */
	assert_int_equal(0, mp_get_int(mp_field(mp_root(&d), "b", 1), &v));
	assert_int_equal(3, v);
	assert_null(mp_field(mp_root(&d), "c", 0));
	assert_null(mp_field(mp_root(&d), "A", 0));
	mp_document_clear(&d);

	open_hex("9205c0", &d);
	assert_true(mp_is_struct(mp_root(&d)));
	assert_int_equal(0, mp_get_int(mp_field(mp_root(&d), "a", 0), &v));
	assert_int_equal(5, v);
	assert_null(mp_field(mp_root(&d), "b", 1));
	assert_null(mp_field(mp_root(&d), "c", 2));
	mp_document_clear(&d);

	open_hex("c0", &d);
	assert_true(mp_is_struct(mp_root(&d)));
	assert_null(mp_field(mp_root(&d), "a", 0));
	mp_document_clear(&d);
	open_hex("05", &d);
	assert_false(mp_is_struct(mp_root(&d)));
	assert_null(mp_field(mp_root(&d), "a", 0));
	mp_document_clear(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_texts_have_the_bytes_of_the_reference),
		cmocka_unit_test(times_take_the_shortest_form),
		cmocka_unit_test(what_is_undefined_is_written_as_nil),
		cmocka_unit_test(a_failed_append_sticks),
		cmocka_unit_test(only_one_whole_object_is_decoded),
		cmocka_unit_test(many_small_objects_are_refused),
		cmocka_unit_test(integers_of_any_width_are_read),
		cmocka_unit_test(bools_may_be_zero_and_one),
		cmocka_unit_test(times_are_read_in_all_forms),
		cmocka_unit_test(identifiers_are_read_from_texts_and_bytes_alike),
		cmocka_unit_test(bad_identifiers_are_refused),
		cmocka_unit_test(fields_are_found_by_name_or_by_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
