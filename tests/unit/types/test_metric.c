#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/vectors.h"
#include "types/metric.h"

#define PEER_HEX "0024080112208b7fa1c62fc88c8717b18ec4482262ae5726cd5d799a9c3cd3f5fca864a498f3"

static uint8_t input[2 * METRIC_BYTES_MAX];

static int decode(const char *hex, struct metric *m)
{
	int n = base16_decode(hex, strlen(hex), input, sizeof(input));

	assert_true(n >= 0);
	return metric_decode(input, (size_t)n, m, NULL);
}

static bool is_text(const char *p, size_t n, const char *want)
{
	return n == strlen(want) && memcmp(p, want, n) == 0;
}

static int64_t integer(json_t *object, const char *key)
{
	json_t *v = json_object_get(object, key);

	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

static void check_encoding(const struct metric *m, const uint8_t *want, size_t n)
{
	struct buf out = BUF_INIT(METRIC_BYTES_MAX);

	assert_int_equal(0, metric_encode(m, &out));
	assert_int_equal(n, out.len);
	assert_memory_equal(want, out.data, n);
	buf_deinit(&out);
}

static void published_metrics_have_the_bytes_of_the_reference(void **state)
{
	json_t *root = vectors_load("cluster-metrics.json"), *v;
	uint8_t bytes[METRIC_BYTES_MAX];
	size_t i;

	json_array_foreach (vectors_array(root, "published"), i, v) {
		size_t n = vectors_hex(v, "hex", bytes, sizeof(bytes));
		json_t *want = json_object_get(v, "metric");
		const char *peer = vectors_str(want, "peer");
		struct peerid id;
		struct metric m;

		assert_int_equal(0, metric_decode(bytes, n, &m, NULL));
		assert_true(is_text(m.name, m.name_len, vectors_str(want, "name")));
		assert_true(is_text(m.value, m.value_len, vectors_str(want, "value")));
		assert_int_equal(0, peerid_parse(peer, strlen(peer), &id, NULL));
		assert_true(peerid_equal(&id, &m.peer));
		assert_true(m.expire_ns == integer(want, "expire"));
		assert_true(m.weight == integer(want, "weight"));
		assert_true(m.received_ns == 0);
		assert_int_equal(json_is_true(json_object_get(want, "valid")), m.valid);
		assert_int_equal(json_is_true(json_object_get(want, "partitionable")),
				 m.partitionable);
		check_encoding(&m, bytes, n);
	}
	json_decref(root);
}

static void metrics_of_a_real_peer_are_read_and_written_the_same(void **state)
{
	json_t *root = vectors_load("cluster-metrics.json"), *v;
	uint8_t bytes[METRIC_BYTES_MAX];
	size_t i;

	json_array_foreach (vectors_array(root, "received"), i, v) {
		size_t n = vectors_hex(v, "data_hex", bytes, sizeof(bytes));
		struct metric m;

		assert_int_equal(0, metric_decode(bytes, n, &m, NULL));
		assert_true(m.valid && m.peer.len == 38 && m.name_len > 0);
		check_encoding(&m, bytes, n);
	}
	json_decref(root);
}

/* The forms that the reference reads, made of their recorded beginnings. */
static void other_encodings_are_read_as_the_reference_reads_them(void **state)
{
	static const struct {
		const char *hex;
		size_t peer_len;
		int64_t expire, weight;
		bool valid;
	} cases[] = {
		{ "82a16ea470696e67a170da0026" PEER_HEX, 38, 0, 0, false },
		{ "82a16ea470696e67a170d926" PEER_HEX, 38, 0, 0, false },
		{ "82a16ea470696e67a170c426" PEER_HEX, 38, 0, 0, false },
		{ "82c4016ea470696e67a170c426" PEER_HEX, 38, 0, 0, false },
		{ "82a16ea470696e67a165cf18eaa9d6a9b47362", 0, 1795434140895834978, 0, false },
		{ "de0001a16ea470696e67", 0, 0, 0, false },
		{ "82a16ea470696e67a17a93010203", 0, 0, 0, false },
		{ "82a16ea470696e67a17ad6ff6553f100", 0, 0, 0, false },
		{ "83a16ea470696e67a170c0a165c0", 0, 0, 0, false },
		{ "98a470696e67da0026" PEER_HEX "a0"
		  "05"
		  "c3"
		  "fd"
		  "c2"
		  "00",
		  38, 5, -3, true },
		{ "99a470696e67da0026" PEER_HEX "a0"
		  "05"
		  "c3"
		  "fd"
		  "c2"
		  "00"
		  "93010203",
		  38, 5, -3, true },
		{ "91a470696e67", 0, 0, 0, false },
		{ "82a16ea470696e67a16401", 0, 0, 0, true },
		{ "82a16ea470696e67a177cb40b3880000000000", 0, 0, 5000, false },
		{ "82a44e616d65a470696e67a16ea470696e67", 0, 0, 0, false },
		/* With the prefix of old peers. */
		{ "092f6d73677061636b0a"
		  "82a16ea470696e67a16401",
		  0, 0, 0, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct metric m;

		assert_int_equal(0, decode(cases[i].hex, &m));
		assert_true(is_text(m.name, m.name_len, "ping"));
		assert_int_equal(cases[i].peer_len, m.peer.len);
		assert_true(cases[i].expire == m.expire_ns && cases[i].weight == m.weight);
		assert_int_equal(cases[i].valid, m.valid);
	}
}

static void an_empty_metric_is_read_as_zero(void **state)
{
	struct metric m;

	assert_int_equal(0, decode("80", &m));
	assert_true(m.name_len == 0 && m.value_len == 0 && m.peer.len == 0 && !m.valid);
	assert_int_equal(0, decode("c0", &m));
	assert_true(m.name_len == 0);
}

static void malformed_metrics_are_refused(void **state)
{
	static const char *const bad[] = {
		"",           "05",       "a470696e67", "092f6d73677061636b0a",
		"8000",       "81a16e",   "81a16e05", /* a name that is a number */
		"81a170a0",                           /* an empty peer ID */
		"81a164a101",                         /* a bool that is a text */
		"81a165a0",   "81a16f02", "dfffffffff",
	};
	struct metric m;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(-EBADMSG, decode(bad[i], &m));
}

static void long_metrics_are_refused(void **state)
{
	char text[METRIC_BYTES_MAX] = { 0 };
	struct buf out = BUF_INIT(0);
	struct metric m = { .name = text,
			    .name_len = METRIC_NAME_MAX,
			    .value = text,
			    .value_len = METRIC_VALUE_MAX };
	struct metric got;

	assert_int_equal(0, metric_encode(&m, &out));
	assert_int_equal(0, metric_decode(out.data, out.len, &got, NULL));
	assert_int_equal(METRIC_NAME_MAX, got.name_len);
	buf_reset(&out);
	m.name_len++;
	assert_int_equal(0, metric_encode(&m, &out));
	assert_int_equal(-EFBIG, metric_decode(out.data, out.len, &got, NULL));
	buf_reset(&out);
	m.name_len = 0;
	m.value_len++;
	assert_int_equal(0, metric_encode(&m, &out));
	assert_int_equal(-EFBIG, metric_decode(out.data, out.len, &got, NULL));
	buf_reset(&out);
	m.value_len = METRIC_BYTES_MAX;
	assert_int_equal(0, metric_encode(&m, &out));
	assert_int_equal(-EFBIG, metric_decode(out.data, out.len, &got, NULL));
	buf_deinit(&out);
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
	struct metric m = { .name = "ping", .name_len = 4, .valid = true };
	struct buf out = BUF_INIT(8);

	assert_int_equal(0, buf_str(&out, "ab"));
	assert_int_equal(-EFBIG, metric_encode(&m, &out));
	assert_int_equal(2, out.len);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_metrics_have_the_bytes_of_the_reference),
		cmocka_unit_test(metrics_of_a_real_peer_are_read_and_written_the_same),
		cmocka_unit_test(other_encodings_are_read_as_the_reference_reads_them),
		cmocka_unit_test(an_empty_metric_is_read_as_zero),
		cmocka_unit_test(malformed_metrics_are_refused),
		cmocka_unit_test(long_metrics_are_refused),
		cmocka_unit_test(a_full_buffer_is_left_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
