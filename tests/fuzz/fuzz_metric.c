/* Any bytes: a metric that is read is within its limits, and is read again as the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "types/metric.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool same_text(const char *a, size_t n_a, const char *b, size_t n_b)
{
	return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf out = BUF_INIT(METRIC_BYTES_MAX);
	struct metric m, again;
	struct err e = { 0 };
	int r = metric_decode(data, n, &m, &e);

	check(r == e.code);
	if (r < 0)
		return 0;
	check(m.name_len <= METRIC_NAME_MAX && m.value_len <= METRIC_VALUE_MAX);
	check(metric_encode(&m, &out) == 0);
	check(metric_decode(out.data, out.len, &again, NULL) == 0);
	check(same_text(m.name, m.name_len, again.name, again.name_len));
	check(same_text(m.value, m.value_len, again.value, again.value_len));
	check(peerid_equal(&m.peer, &again.peer));
	check(m.expire_ns == again.expire_ns && m.weight == again.weight &&
	      m.received_ns == again.received_ns);
	check(m.valid == again.valid && m.partitionable == again.partitionable);
	buf_deinit(&out);
	return 0;
}
