#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "net/sendq.h"
#include "tests/lib/pieces.h"

#define BYTES (1u << 20)

static void bytes_come_out_in_the_order_they_went_in(void **state)
{
	uint8_t *bytes = malloc(BYTES);
	size_t in = 0, out = 0, n;
	struct sendq q = { 0 };
	uint32_t seed = 5;

	assert_non_null(bytes);
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)pieces_random(&seed);
	while (out < BYTES) {
		const uint8_t *front;
		size_t piece;

		if (in < BYTES && pieces_random(&seed) % 3) {
			piece = pieces_next(&seed, BYTES - in < 9000 ? BYTES - in : 9000);
			assert_int_equal(0, sendq_append(&q, bytes + in, piece));
			in += piece;
		}
		assert_int_equal(in - out, q.len);
		front = sendq_front(&q, &n);
		assert_int_equal(q.len == 0, n == 0);
		if (n == 0)
			continue;
		piece = pieces_next(&seed, n);
		assert_memory_equal(bytes + out, front, piece);
		sendq_sent(&q, piece);
		out += piece;
	}
	assert_int_equal(0, q.len);
	assert_null(sendq_front(&q, &n));
	free(bytes);
}

static void small_writes_share_memory(void **state)
{
	struct sendq q = { 0 };
	size_t n;

	for (int i = 0; i < 100; i++)
		assert_int_equal(0, sendq_append(&q, "0123456789", 10));
	assert_memory_equal("0123456789012", sendq_front(&q, &n), 13);
	assert_int_equal(1000, n);
	sendq_clear(&q);
}

static void a_cleared_queue_is_empty_and_usable(void **state)
{
	struct sendq q = { 0 };
	size_t n;

	assert_int_equal(0, sendq_append(&q, "", 0));
	assert_null(sendq_front(&q, &n));
	assert_int_equal(0, n);
	sendq_sent(&q, 0);
	assert_int_equal(0, sendq_append(&q, "abc", 3));
	sendq_clear(&q);
	assert_int_equal(0, q.len);
	assert_int_equal(0, sendq_append(&q, "d", 1));
	assert_memory_equal("d", sendq_front(&q, &n), 1);
	assert_int_equal(1, n);
	sendq_clear(&q);
	sendq_clear(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_in_the_order_they_went_in),
		cmocka_unit_test(small_writes_share_memory),
		cmocka_unit_test(a_cleared_queue_is_empty_and_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
