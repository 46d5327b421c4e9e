#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "tests/lib/vectors.h"
#include "types/pin_json.h"
#include "types/pin_pb.h"

#define CID "bafkreih3kfjory2b3mxoxxyv45uhj7x6nv24plp2qi5ue4yuflgbtqqcsu"
#define PEER "12D3KooWKCuiYfRSDeKx13qBkgVaYeGKZMZxTzWbAT4NrEoVwW1p"

/* The line of a pin, as a string; the caller frees it. */
static char *line_of(const struct pin *p)
{
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, pin_json_line(p, &out));
	assert_int_equal(0, buf_terminate(&out));
	return (char *)out.data;
}

static int decode(const char *text, size_t n, struct pin *p, struct pin_json_keys *keys,
		  struct err *e)
{
	enum pin_mode mode;

	return pin_json_decode(text, n, p, &mode, keys, e);
}

static void import_lines_read_as_the_reference_reads_them(void **state)
{
	json_t *root = vectors_load("cluster-pins.json"), *v;
	struct pin_json_keys keys;
	struct pin p;
	size_t i;

	pin_init(&p);
	json_array_foreach (vectors_array(root, "read_json"), i, v) {
		const char *name = vectors_str(v, "name"), *in = vectors_str(v, "json_in");
		struct err e = { 0 };
		int r = decode(in, strlen(in), &p, &keys, &e);
		uint8_t want[4096];
		struct buf pb = BUF_INIT(0);
		size_t n;
		char *line;

		if (strcmp(name, "cid-object-slash") == 0) {
			assert_int_equal(0, r); /* ours: old dumps are accepted */
			continue;
		}
		if (json_object_get(v, "error")) {
			if (r != -EINVAL || strncmp(e.msg, "line 1, column ", 15) != 0)
				fail_msg("%s: %d %s", name, r, e.msg);
			continue;
		}
		if (r < 0)
			fail_msg("%s: %s", name, e.msg);
		line = line_of(&p);
		assert_string_equal(vectors_str(v, "json_state"), line);
		n = vectors_hex(v, "protobuf_hex", want, sizeof(want));
		assert_int_equal(0, pin_pb_encode(&p, &pb));
		assert_int_equal(n, pb.len);
		assert_memory_equal(want, pb.data, n);
		buf_deinit(&pb);
		free(line);
	}
	pin_deinit(&p);
	json_decref(root);
}

/* Both decoders and the writer agree about @text; returns whether it is canonical. */
static bool check_agreement(const char *text, size_t n, struct pin *fast, struct pin *general)
{
	struct pin_json_keys keys;
	struct err e = { 0 };
	int r = decode(text, n, general, &keys, &e);
	bool canonical = pin_json_decode_canonical(text, n, fast), same = false;
	struct buf line = BUF_INIT(0);

	if (r == 0 && pin_json_line(general, &line) == 0)
		same = line.len == n && memcmp(line.data, text, n) == 0;
	if (canonical) {
		if (r < 0)
			fail_msg("canonical but refused: %s: %.*s", e.msg, (int)n, text);
		assert_true(pin_equal_but_time(fast, general));
		assert_true(fast->timestamp == general->timestamp);
	}
	if (canonical != same)
		fail_msg("%s but %s the same line: %.*s", canonical ? "canonical" : "refused",
			 same ? "writes" : "does not write", (int)n, text);
	buf_deinit(&line);
	return canonical;
}

static void exported_lines_are_canonical(void **state)
{
	static const char *const files[] = { "dumps/small/export.json",
					     "dumps/medium/export.json" };
	struct pin fast, general;

	pin_init(&fast);
	pin_init(&general);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct buf file = vectors_file(files[i]);
		char *save = NULL, *l = strtok_r((char *)file.data, "\n", &save);

		for (; l; l = strtok_r(NULL, "\n", &save))
			assert_true(check_agreement(l, strlen(l), &fast, &general));
		buf_deinit(&file);
	}
	pin_deinit(&fast);
	pin_deinit(&general);
}

/* Every byte deleted, doubled and replaced by what matters in JSON. */
static void mutate(const char *text, size_t n, struct pin *fast, struct pin *general)
{
	static const char with[] = "\"\\{}[],: 09-.aAZTu/<&\n\x01\x7f\xc3\xe2";
	char *copy = malloc(n + 2);

	assert_non_null(copy);
	for (size_t at = 0; at < n; at++) {
		memcpy(copy, text, at);
		memcpy(copy + at, text + at + 1, n - at - 1);
		check_agreement(copy, n - 1, fast, general);
		memcpy(copy + at + 1, text + at, n - at);
		copy[at] = text[at];
		check_agreement(copy, n + 1, fast, general);
		memcpy(copy, text, n);
		for (size_t i = 0; i < sizeof(with) - 1; i++) {
			copy[at] = with[i];
			check_agreement(copy, n, fast, general);
		}
	}
	free(copy);
}

static void canonical_is_what_writes_back_to_the_same_bytes(void **state)
{
	static const char *const names[] = { "everything", "name-escapes", "metadata-sorted",
					     "shard-pin-depth-1", "all-zero-values" };
	json_t *root = vectors_load("cluster-pins.json"), *v;
	struct pin fast, general;
	size_t i, mutated = 0;

	pin_init(&fast);
	pin_init(&general);
	json_array_foreach (vectors_array(root, "write"), i, v) {
		const char *text = vectors_str(v, "json_after_roundtrip");

		assert_true(check_agreement(text, strlen(text), &fast, &general));
		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
			if (strcmp(names[k], vectors_str(v, "name")) != 0)
				continue;
			mutate(text, strlen(text), &fast, &general);
			mutated++;
		}
		text = vectors_str(v, "input_json");
		check_agreement(text, strlen(text), &fast, &general);
	}
	assert_int_equal(sizeof(names) / sizeof(*names), mutated);
	pin_deinit(&fast);
	pin_deinit(&general);
	json_decref(root);
}

struct name_case {
	const char *json; /* of the name, quotes included */
	const char *value;
	size_t n;
};

static void strings_are_repaired_as_go_repairs_them(void **state)
{
	static const struct name_case cases[] = {
		{ "\"a\xff"
		  "b\"",
		  "a\ufffd"
		  "b",
		  5 },
		{ "\"\xed\xa0\x80\"", "\ufffd\ufffd\ufffd", 9 },
		{ "\"\xe2\x80\"", "\ufffd\ufffd", 6 },
		{ "\"\\ud800\"", "\ufffd", 3 },
		{ "\"\\udc00x\"", "\ufffdx", 4 },
		{ "\"\\ud800\\ud800\"", "\ufffd\ufffd", 6 },
		{ "\"\\ud83d\\ude00\"", "\U0001f600", 4 },
		{ "\"\\uD83D\\uDE00\"", "\U0001f600", 4 },
		{ "\"\\ud83d\\n\"", "\ufffd\n", 4 },
		{ "\"\\ud800\\u0041\"",
		  "\ufffd"
		  "A",
		  4 },
		{ "\"\\u0000x\"", "\0x", 2 },
		{ "\"\\/\\b\\f\\n\\r\\t\\\"\\\\\"", "/\b\f\n\r\t\"\\", 8 },
		{ "\"\\u00e9\\u20ac\"", "\u00e9\u20ac", 5 },
		{ "\"\"", "", 0 },
	};
	struct pin_json_keys keys;
	struct pin p;

	pin_init(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[128];
		int n = snprintf(text, sizeof(text), "{\"name\":%s}", cases[i].json);

		assert_int_equal(0, decode(text, (size_t)n, &p, &keys, NULL));
		if (p.name.n != cases[i].n || memcmp(p.name.p, cases[i].value, cases[i].n) != 0)
			fail_msg("%s", text);
	}
	pin_deinit(&p);
}

struct line_case {
	const char *json;
	const char *tail; /* of the line it makes, or NULL: refused */
};

/* Each document gets every byte exactly in memory of its own, so that reads behind it are seen. */
static void check_lines(const struct line_case *cases, size_t n_cases)
{
	struct pin_json_keys keys;
	struct pin p;

	pin_init(&p);
	for (size_t i = 0; i < n_cases; i++) {
		size_t n = strlen(cases[i].json);
		char *exact = malloc(n), *line;
		struct err e = { 0 };
		int r;

		assert_non_null(exact);
		memcpy(exact, cases[i].json, n);
		r = decode(exact, n, &p, &keys, &e);
		free(exact);
		if (!cases[i].tail) {
			if (r != -EINVAL || !e.msg[0])
				fail_msg("accepted: %s", cases[i].json);
			continue;
		}
		if (r < 0)
			fail_msg("%s: %s", cases[i].json, e.msg);
		line = line_of(&p);
		if (!strstr(line, cases[i].tail))
			fail_msg("%s: not %s", line, cases[i].tail);
		free(line);
	}
	pin_deinit(&p);
}

static void values_follow_the_rules_of_the_reference(void **state)
{
	static const struct line_case cases[] = {
		{ "{}", "\"type\":\"bad-type\"" },
		{ " \t\r\n{ } ", "\"mode\":\"direct\"" },
		{ "{\"shard_size\":18446744073709551615}", ":18446744073709551615," },
		{ "{\"shard_size\":18446744073709551616}", NULL },
		{ "{\"shard_size\":-1}", NULL },
		{ "{\"max_depth\":4294967295}", "\"max_depth\":-1" },
		{ "{\"max_depth\":-9223372036854775808}", "\"max_depth\":0" },
		{ "{\"max_depth\":9223372036854775808}", NULL },
		{ "{\"max_depth\":1e1}", NULL },
		{ "{\"max_depth\":01}", NULL },
		{ "{\"max_depth\":-}", NULL },
		{ "{\"max_depth\":\"1\"}", NULL },
		{ "{\"name\":1}", NULL },
		{ "{\"name\":\"a\",\"name\":null}", "\"name\":\"a\"" },
		{ "{\"name\":\"a\",\"NAME\":\"b\"}", "\"name\":\"b\"" },
		{ "{\"allocation\u017f\":[\"" PEER "\"]}", "\"allocations\":[\"" PEER "\"]" },
		{ "{\"\\u006eame\":\"x\"}", "\"name\":\"x\"" },
		{ "{\"mode\":3}", NULL },
		{ "{\"mode\":null}", "\"mode\":\"direct\"" },
		{ "{\"type\":2}", "\"type\":\"pin\"" },
		{ "{\"type\":16}", "\"type\":\"shard-pin\"" },
		{ "{\"type\":30}", "\"type\":\"shard-pin\"" },
		{ "{\"type\":3}", NULL },
		{ "{\"type\":-2}", NULL },
		{ "{\"type\":true}", NULL },
		{ "{\"cid\":null}", "\"cid\":null" },
		{ "{\"cid\":\"\"}", NULL },
		{ "{\"cid\":{\"/\":\"" CID "\"}}", "\"cid\":\"" CID "\"" },
		{ "{\"cid\":{}}", NULL },
		{ "{\"cid\":{\"x\":\"" CID "\"}}", NULL },
		{ "{\"reference\":\"" CID "\",\"reference\":null}", "\"reference\":null" },
		{ "{\"metadata\":{\"b\":\"1\",\"a\":null,\"b\":\"2\"}}",
		  "\"metadata\":{\"a\":\"\",\"b\":\"2\"}" },
		{ "{\"metadata\":{\"a\":\"1\"},\"metadata\":null}", "\"metadata\":null" },
		{ "{\"metadata\":{\"a\":\"1\"},\"metadata\":null,\"Metadata\":{\"b\":\"\"}}",
		  "\"metadata\":{\"b\":\"\"}" },
		{ "{\"metadata\":{}}", "\"metadata\":null" },
		{ "{\"metadata\":{\"a\":1}}", NULL },
		{ "{\"metadata\":[]}", NULL },
		{ "{\"allocations\":[\"" PEER "\"],\"allocations\":null}", "\"allocations\":[]" },
		{ "{\"allocations\":[\"" PEER "\"],\"allocations\":[]}", "\"allocations\":[]" },
		{ "{\"allocations\":[null]}", NULL },
		{ "{\"allocations\":\"" PEER "\"}", NULL },
		{ "{\"user_allocations\":[\"" PEER "\"]}", "\"user_allocations\":null" },
		{ "{\"user_allocations\":[\"x\"]}", NULL },
		{ "{\"origins\":[\"/ip4/1.2.3.4\",\"/ip4/1.2.3.5\"]}",
		  "\"origins\":[\"/ip4/1.2.3.4\",\"/ip4/1.2.3.5\"]" },
		{ "{\"origins\":[\"nowhere\"]}", NULL },
		{ "{\"timestamp\":\"1970-01-01T00:00:00Z\"}", "0001-01-01T00:00:00Z" },
		{ "{\"timestamp\":\"1969-12-31T23:59:59.5Z\"}", "1969-12-31T23:59:59Z" },
		{ "{\"timestamp\":5}", NULL },
		{ "{\"expire_at\":\"9999-12-31T23:59:59-01:00\"}", NULL },
		{ "{\"unknown\":[[{\"a\":[1,2e400,true,{}]}],\"\\u0000\"]}", "\"name\":\"\"" },
	};

	check_lines(cases, sizeof(cases) / sizeof(*cases));
}

static void syntax_is_strict(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"null",
		"{",
		"}",
		"[]",
		"\"x\"",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,}",
		"{\"a\":1 \"b\":2}",
		"{\"a\":[1,]}",
		"{\"a\":[,1]}",
		"{\"a\":[1 2]}",
		"{\"a\":nul}",
		"{\"a\":True}",
		"{\"a\":+1}",
		"{\"a\":.5}",
		"{\"a\":1.}",
		"{\"a\":1e}",
		"{\"a\":0x1}",
		"{\"a\":\"\\x\"}",
		"{\"a\":\"\\u12\"}",
		"{\"a\":\"",
		"{\"a\":\"\\",
		"{\"a\":\"\n\"}",
		"{'a':1}",
		"{a:1}",
		"{} {}",
		"{}x",
		"{\"a\":1}}",
		"{\"a\":[}",
		"{\"a\":{]}",
		"\xef\xbb\xbf{}",
		"{\"a\":/**/1}",
		"{\"a\":\"\\u123g\"}",
		"{\"a\":NaN}",
		"{\"a\":00}",
		"{\"a\":-01}",
	};
	struct line_case one = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		one.json = bad[i];
		check_lines(&one, 1);
	}
}

/* What the JSON library accepts is accepted, and what it refuses is refused for a reason it knows:
 * the library is an oracle for syntax where neither of the two is known to differ. */
static void syntax_agrees_with_the_json_library(void **state)
{
	static const char text[] = "{\"zz\":[1,-0.5e+3,{\"k\":\"v\\n\\u00e9\"},true,null,[]],"
				   "\"yy\":{\"a\":{},\"b\":[false]}}";
	static const char with[] = "\"\\{}[],: 019-+.eEtufn/";
	struct pin_json_keys keys;
	size_t accepted = 0;
	struct pin p;

	pin_init(&p);
	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		for (size_t i = 0; i < sizeof(with) - 1; i++) {
			char copy[sizeof(text)];
			json_t *parsed;
			int r;

			memcpy(copy, text, sizeof(text));
			copy[at] = with[i];
			parsed = json_loads(copy, JSON_ALLOW_NUL, NULL);
			r = decode(copy, sizeof(text) - 1, &p, &keys, NULL);
			if ((r == 0) != (parsed != NULL))
				fail_msg("%s: %d", copy, r);
			accepted += r == 0;
			json_decref(parsed);
		}
	}
	assert_true(accepted > 100);
	pin_deinit(&p);
}

static void nesting_is_limited(void **state)
{
	struct pin_json_keys keys;
	struct err e = { 0 };
	char text[4096];
	struct pin p;
	size_t n;

	pin_init(&p);
	for (size_t depth = 511; depth <= 513; depth++) {
		n = (size_t)sprintf(text, "{\"zz\":");
		memset(text + n, '[', depth);
		memset(text + n + depth, ']', depth);
		n += 2 * depth;
		text[n++] = '}';
		assert_int_equal(depth <= 512 ? 0 : -EINVAL, decode(text, n, &p, &keys, &e));
	}
	assert_string_equal("line 1, column 519: nested too deeply", e.msg);
	pin_deinit(&p);
}

static void errors_name_key_line_and_column(void **state)
{
	static const struct {
		const char *json, *message;
	} cases[] = {
		{ "{\"name\": 7}", "line 1, column 10: name: not a string" },
		{ "{\n  \"max_depth\": -1.0\n}",
		  "line 2, column 16: max_depth: not written as an integer" },
		{ "{\n\n\"zz\":[1,\n 2 3]}",
		  "line 4, column 4: '3' where ',' or ']' was expected" },
		{ "{", "line 1, column 2: the text ends where a string was expected" },
		{ "{\"a\":\"\x01\"}", "line 1, column 7: byte 0x01 where an escape was expected" },
		{ "[1]", "line 1, column 1: '[' where an object was expected" },
	};
	struct pin_json_keys keys;
	enum pin_mode mode;
	struct pin p;
	struct err e;

	pin_init(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(-EINVAL,
				 decode(cases[i].json, strlen(cases[i].json), &p, &keys, &e));
		assert_string_equal(cases[i].message, e.msg);
	}
	assert_int_equal(-EINVAL, pin_json_decode_at("{\n7}", 4, 10, 20, &p, &mode, &keys, &e));
	assert_string_equal("line 11, column 1: '7' where a string was expected", e.msg);
	assert_int_equal(-EINVAL, pin_json_decode_at("{7}", 3, 10, 20, &p, &mode, &keys, &e));
	assert_string_equal("line 10, column 21: '7' where a string was expected", e.msg);
	pin_deinit(&p);
}

static void keys_given_and_unknown_are_told(void **state)
{
	static const struct {
		const char *json;
		unsigned given, unknown;
		const char *first, *nearest;
	} cases[] = {
		{ "{}", 0, 0, "", "" },
		{ "{\"CID\":\"" CID "\",\"mode\":\"direct\"}", PIN_KEY_CID | PIN_KEY_MODE, 0, "",
		  "" },
		{ "{\"name\":null,\"cid\":null,\"type\":null}", PIN_KEY_TYPE, 0, "", "" },
		{ "{\"nmae\":1,\"zzz\":2}", 0, 2, "nmae", "name" },
		{ "{\"replication_min\":1}", 0, 1, "replication_min", "replication_factor_min" },
		{ "{\"Expires_At\":1}", 0, 1, "Expires_At", "expire_at" },
		{ "{\"\":1}", 0, 1, "", "" },
		{ "{\"completely_different\":1}", 0, 1, "completely_different", "" },
		{ "{\"1234567890123456789012345678901234567890123456789012345678901\u20ac\":1}", 0,
		  1, "1234567890123456789012345678901234567890123456789012345678901", "" },
	};
	struct pin_json_keys keys;
	struct pin p;

	pin_init(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(0, decode(cases[i].json, strlen(cases[i].json), &p, &keys, NULL));
		assert_int_equal(cases[i].given, keys.given);
		assert_int_equal(cases[i].unknown, keys.unknown);
		assert_string_equal(cases[i].first, keys.first_unknown);
		assert_string_equal(cases[i].nearest, keys.nearest);
	}
	pin_deinit(&p);
}

static void a_whole_line_gives_every_key(void **state)
{
	json_t *root = vectors_load("cluster-pins.json");
	json_t *v = json_array_get(vectors_array(root, "write"), 0);
	const char *text = vectors_str(v, "json_after_roundtrip");
	struct pin_json_keys keys;
	struct pin p;

	pin_init(&p);
	assert_int_equal(0, decode(text, strlen(text), &p, &keys, NULL));
	/* Null is as good as no key. */
	assert_int_equal(PIN_KEY_ALL & ~(PIN_KEY_USER_ALLOCATIONS | PIN_KEY_METADATA |
					 PIN_KEY_PIN_UPDATE | PIN_KEY_REFERENCE),
			 keys.given);
	pin_deinit(&p);
	json_decref(root);
}

static void mode_is_handed_out_beside_the_depth(void **state)
{
	static const struct {
		const char *json;
		enum pin_mode mode;
	} cases[] = {
		{ "{}", PIN_MODE_RECURSIVE },
		{ "{\"mode\":\"direct\",\"max_depth\":-1}", PIN_MODE_DIRECT },
		{ "{\"mode\":\"recursive\",\"max_depth\":0}", PIN_MODE_RECURSIVE },
		{ "{\"mode\":\"weird\"}", PIN_MODE_RECURSIVE },
	};
	struct pin_json_keys keys;
	enum pin_mode mode;
	struct pin p;

	pin_init(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(0, pin_json_decode(cases[i].json, strlen(cases[i].json), &p, &mode,
						    &keys, NULL));
		assert_int_equal(cases[i].mode, mode);
	}
	pin_deinit(&p);
}

static void the_document_has_one_value_a_line(void **state)
{
	static const char want[] = "{\n"
				   "    \"replication_factor_min\": 1,\n"
				   "    \"replication_factor_max\": 2,\n"
				   "    \"name\": \"a,[]{}: \\\"\\\\\",\n"
				   "    \"mode\": \"recursive\",\n"
				   "    \"shard_size\": 0,\n"
				   "    \"user_allocations\": null,\n"
				   "    \"expire_at\": \"0001-01-01T00:00:00Z\",\n"
				   "    \"metadata\": {\n"
				   "        \"k\": \"v\",\n"
				   "        \"l\": \"\"\n"
				   "    },\n"
				   "    \"pin_update\": null,\n"
				   "    \"origins\": [],\n"
				   "    \"cid\": \"" CID "\",\n"
				   "    \"type\": \"pin\",\n"
				   "    \"allocations\": [\n"
				   "        \"" PEER "\"\n"
				   "    ],\n"
				   "    \"max_depth\": -1,\n"
				   "    \"reference\": null,\n"
				   "    \"timestamp\": \"2023-11-14T22:13:20Z\"\n"
				   "}\n";
	struct buf out = BUF_INIT(0);
	struct pin_json_keys keys;
	struct pin p;

	pin_init(&p);
	assert_int_equal(0, decode(want, sizeof(want) - 1, &p, &keys, NULL));
	assert_int_equal(0, pin_json_document(&p, &out));
	assert_int_equal(0, buf_terminate(&out));
	assert_string_equal(want, (char *)out.data);
	pin_deinit(&p);
	buf_deinit(&out);
}

static void a_failure_leaves_the_output_as_it_was(void **state)
{
	struct buf out = BUF_INIT(0), small = BUF_INIT(300);
	struct pin p;

	pin_init(&p);
	assert_int_equal(0, buf_str(&out, "xy"));
	assert_int_equal(0, buf_str(&small, "xy"));
	assert_int_equal(-EFBIG, pin_json_line(&p, &small));
	assert_int_equal(-EFBIG, pin_json_document(&p, &small));
	p.timestamp = INT64_MAX;
	assert_int_equal(-ERANGE, pin_json_line(&p, &out));
	assert_int_equal(-ERANGE, pin_json_document(&p, &out));
	p.timestamp = -62135596801;
	assert_int_equal(-ERANGE, pin_json_line(&p, &out));
	assert_int_equal(2, out.len);
	assert_int_equal(2, small.len);
	buf_deinit(&out);
	buf_deinit(&small);
}

/* The bound that memory is taken for is asserted by the writer. */
static void the_longest_pin_fits_its_bound(void **state)
{
	static char controls[500];
	struct buf out = BUF_INIT(0);
	struct pin_json_keys keys;
	struct pin p, again;
	char *line;

	pin_init(&p);
	pin_init(&again);
	memset(controls, 1, sizeof(controls));
	p.cid = (struct cid){ .len = CID_BYTES_MAX, .bytes = { 1, 0x55, 0, 0xfb, 0x07 } };
	p.reference = p.pin_update = p.cid;
	p.type = PIN_TYPE_CLUSTERDAG;
	p.replication_min = p.replication_max = p.max_depth = INT32_MIN;
	p.shard_size = INT64_MAX; /* what can be read again */
	p.expire_at = p.timestamp = 253402300799;
	p.name = (struct pin_text){ controls, sizeof(controls) };
	p.n_allocations = p.n_metadata = p.n_origins = 50;
	p.allocations = pin_alloc(&p, 50 * sizeof(*p.allocations));
	p.metadata = pin_alloc(&p, 50 * sizeof(*p.metadata));
	p.origins = pin_alloc(&p, 50 * sizeof(*p.origins));
	assert_true(p.allocations && p.metadata && p.origins);
	for (size_t i = 0; i < 50; i++) {
		p.allocations[i] = (struct peerid){ .len = PEERID_BYTES_MAX, .bytes = { 0, 62 } };
		memset(p.allocations[i].bytes + 2, 0xff, 62);
		p.metadata[i] = (struct pin_meta){ { controls, i }, { controls, 50 - i } };
		assert_int_equal(0, multiaddr_parse("/ip4/1.2.3.4", 12, &p.origins[i], NULL));
	}
	line = line_of(&p);
	assert_int_equal(0, decode(line, strlen(line), &again, &keys, NULL));
	assert_true(pin_equal_but_time(&p, &again) && p.timestamp == again.timestamp);
	p.shard_size = UINT64_MAX;
	assert_int_equal(0, pin_json_document(&p, &out));
	free(line);
	pin_deinit(&p);
	pin_deinit(&again);
	buf_deinit(&out);
}

static void large_documents_and_lists_are_refused(void **state)
{
	struct buf text = BUF_INIT(0);
	struct pin_json_keys keys;
	struct pin p;

	pin_init(&p);
	for (size_t i = 0; i <= PIN_LIST_MAX; i++)
		assert_int_equal(
		    0, buf_printf(&text, "%s\"k%zu\":\"\"", i ? "," : "{\"metadata\":{", i));
	assert_int_equal(0, buf_str(&text, "}}"));
	assert_int_equal(-EFBIG, decode((char *)text.data, text.len, &p, &keys, NULL));
	buf_reset(&text);
	assert_int_equal(0, buf_str(&text, "{}"));
	while (text.len < PIN_BYTES_MAX)
		assert_int_equal(0, buf_byte(&text, ' '));
	assert_int_equal(0, decode((char *)text.data, text.len, &p, &keys, NULL));
	assert_int_equal(0, buf_byte(&text, ' '));
	assert_int_equal(-EFBIG, decode((char *)text.data, text.len, &p, &keys, NULL));
	pin_deinit(&p);
	buf_deinit(&text);
}

/* {"@key":[@n times @item]} */
static void list_text(struct buf *text, const char *key, const char *item, size_t n)
{
	buf_reset(text);
	assert_int_equal(0, buf_printf(text, "{\"%s\":[", key));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(0, buf_printf(text, "%s\"%s\"", i ? "," : "", item));
	assert_int_equal(0, buf_str(text, "]}"));
}

static void lists_have_a_longest_length(void **state)
{
	static const struct {
		const char *key, *item, *message;
	} cases[] = {
		{ "allocations", PEER, "allocations: too many peers" },
		{ "user_allocations", PEER, "user_allocations: too many peers" },
		{ "origins", "/ip4/1.2.3.4", "origins: too many addresses" },
	};
	struct buf text = BUF_INIT(0);
	struct pin_json_keys keys;
	struct pin p;

	pin_init(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct err e = { 0 };

		list_text(&text, cases[i].key, cases[i].item, PIN_LIST_MAX);
		assert_int_equal(0, decode((char *)text.data, text.len, &p, &keys, NULL));
		assert_int_equal(PIN_LIST_MAX,
				 p.n_allocations + p.n_user_allocations + p.n_origins);
		list_text(&text, cases[i].key, cases[i].item, PIN_LIST_MAX + 1);
		assert_int_equal(-EFBIG, decode((char *)text.data, text.len, &p, &keys, &e));
		assert_non_null(strstr(e.msg, cases[i].message));
	}
	pin_deinit(&p);
	buf_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(import_lines_read_as_the_reference_reads_them),
		cmocka_unit_test(exported_lines_are_canonical),
		cmocka_unit_test(canonical_is_what_writes_back_to_the_same_bytes),
		cmocka_unit_test(strings_are_repaired_as_go_repairs_them),
		cmocka_unit_test(values_follow_the_rules_of_the_reference),
		cmocka_unit_test(syntax_is_strict),
		cmocka_unit_test(syntax_agrees_with_the_json_library),
		cmocka_unit_test(nesting_is_limited),
		cmocka_unit_test(errors_name_key_line_and_column),
		cmocka_unit_test(keys_given_and_unknown_are_told),
		cmocka_unit_test(a_whole_line_gives_every_key),
		cmocka_unit_test(mode_is_handed_out_beside_the_depth),
		cmocka_unit_test(the_document_has_one_value_a_line),
		cmocka_unit_test(a_failure_leaves_the_output_as_it_was),
		cmocka_unit_test(the_longest_pin_fits_its_bound),
		cmocka_unit_test(large_documents_and_lists_are_refused),
		cmocka_unit_test(lists_have_a_longest_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
