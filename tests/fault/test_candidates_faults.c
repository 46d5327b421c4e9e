/* The monitor, the picture of the candidates and the choice among them, with every allocation
 * failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/candidates.h"
#include "tests/fault/faults.h"
#include "util/clock.h"

#define NOW (1700000000 * NS_PER_S)
#define PEERS 9 /* a list of metrics grows on the way */

static struct metric metric(const char *name, unsigned from, const char *value)
{
	return (struct metric){ .name = name,
				.name_len = strlen(name),
				.value = value,
				.value_len = strlen(value),
				.peer = { .len = 2, .bytes = { 0, (uint8_t)from } },
				.expire_ns = NOW + 1,
				.valid = true };
}

static bool add_values(void *arg, const struct metric *m)
{
	strncat(arg, m->value, m->value_len);
	return true;
}

/* What there is of a name. */
static const char *values(struct monitor *m, const char *name, char out[64])
{
	out[0] = '\0';
	monitor_each_any(m, name, add_values, out);
	return out;
}

/* Puts each metric with every allocation failing in turn; returns how many did. */
static unsigned fill(struct monitor *m, const char *name)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < 2 * PEERS; i++) {
		struct metric new = metric(name, i % PEERS, i < PEERS ? "a" : "b");
		char before[64], after[64];
		int r = -ENOMEM;

		for (long n = 0; r < 0; n++) {
			values(m, name, before);
			fault_alloc = n;
			r = monitor_put(m, &new, NOW, NULL);
			fault_none();
			assert_true(r == 0 || r == -ENOMEM);
			if (r < 0)
				assert_string_equal(before, values(m, name, after));
			failed += r < 0;
		}
	}
	return failed;
}

static void a_metric_that_finds_no_memory_leaves_the_one_before(void **state)
{
	struct monitor *m;
	char text[64];

	assert_int_equal(0, monitor_new(NULL, NULL, &m));
	assert_true(fill(m, "ping") > 2 * PEERS);
	assert_string_equal("bbbbbbbbb", values(m, "ping", text));
	monitor_free(m);
}

static void a_choice_that_finds_no_memory_can_be_made_again(void **state)
{
	static char freespace[] = "freespace";
	char *names[] = { freespace };
	const struct allocator_config config = { .allocate_by = { names, 1 } };
	struct candidates_options co = { .self = { .len = 2, .bytes = { 0, 200 } },
					 .alive = "ping",
					 .config = &config };
	struct candidates_view *v = NULL;
	struct candidates *c;
	struct peerid *picked = NULL;
	unsigned failed = 0;
	size_t n_picked;
	bool kept;
	int r = -1;

	assert_int_equal(0, monitor_new(NULL, NULL, &co.monitor));
	fill(co.monitor, "ping");
	fill(co.monitor, "freespace");
	assert_int_equal(0, candidates_new(&co, &c));
	for (long n = 0; r < 0; n++, failed++) {
		fault_alloc = n;
		r = candidates_view(c, NOW, &v);
		fault_none();
		assert_true(r == 0 || r == -ENOMEM);
	}
	assert_true(failed > 3);
	assert_int_equal(PEERS, v->n_peers);
	assert_int_equal(PEERS + 1, v->n_members);
	failed = 0;
	r = -1;
	for (long n = 0; r < 0; n++, failed++) {
		const struct alloc_request rq = {
			.min = 2, .max = 3, .n_metrics = 1, .peers = v->peers, .n_peers = PEERS
		};

		fault_alloc = n;
		r = alloc_pick(&rq, &picked, &n_picked, &kept, NULL);
		fault_none();
		assert_true(r == 0 || r == -ENOMEM);
		if (r < 0)
			assert_null(picked);
	}
	assert_true(failed > 2);
	assert_int_equal(3, n_picked);
	free(picked);
	candidates_view_put(v);
	candidates_free(c);
	monitor_free(co.monitor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_metric_that_finds_no_memory_leaves_the_one_before),
		cmocka_unit_test(a_choice_that_finds_no_memory_can_be_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
