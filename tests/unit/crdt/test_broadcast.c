#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <assert.h>
#include <errno.h>

#include "consensus/crdt/broadcast.h"
#include "tests/lib/vectors.h"
#include "types/hash.h"

#define CAP 4096

static void the_topic_is_made_of_the_clusters_name(void **state)
{
	json_t *root = vectors_load("cid.json"), *v;
	size_t i;

	json_array_foreach (vectors_array(root, "crdt_topics"), i, v) {
		char topic[TOPIC_TEXT_MAX];

		broadcast_topic(vectors_str(v, "cluster_name"), topic);
		assert_string_equal(topic, vectors_str(v, "topic"));
	}
	json_decref(root);
}

static void recorded_broadcasts_are_read_and_written(void **state)
{
	json_t *root = vectors_load("cluster-deltas.json"), *v;
	size_t i;

	json_array_foreach (vectors_array(root, "broadcasts"), i, v) {
		json_t *cids = json_object_get(v, "cids");
		bool bad = json_object_get(v, "error") != NULL;
		const char *name = vectors_str(v, "name");
		struct cid *heads = NULL;
		uint8_t bytes[CAP];
		size_t n, len = vectors_hex(v, "hex", bytes, sizeof(bytes));
		struct err e = { 0 };
		int r = broadcast_decode(bytes, len, &heads, &n, &e);

		if (bad) {
			assert_int_equal(r, -EBADMSG);
			assert_true(e.msg[0] != '\0');
			continue;
		}
		if (r < 0)
			fail_msg("%s: %s", name, e.msg);
		assert_int_equal(n, json_array_size(cids));
		for (size_t k = 0; k < n; k++) {
			char text[CID_TEXT_MAX + 1];

			cid_format(&heads[k], text);
			assert_string_equal(text, json_string_value(json_array_get(cids, k)));
		}
		if (strstr(name, "heads") || strstr(name, "one-head")) {
			struct buf again = BUF_INIT(0);

			assert_int_equal(broadcast_encode(heads, n, &again), 0);
			assert_int_equal(again.len, len);
			assert_memory_equal(again.data, bytes, len);
			buf_deinit(&again);
		}
		free(heads);
	}
	json_decref(root);
}

static void heads_are_written_in_the_order_of_their_bytes(void **state)
{
	struct buf forth = BUF_INIT(0), back = BUF_INIT(0);
	struct cid heads[3], reversed[3];

	for (unsigned i = 0; i < 3; i++)
		cid_of_block(CODEC_DAG_PB, &"abc"[i], 1, &heads[i]);
	for (unsigned i = 0; i < 3; i++)
		reversed[i] = heads[2 - i];
	assert_int_equal(broadcast_encode(heads, 3, &forth), 0);
	assert_int_equal(broadcast_encode(reversed, 3, &back), 0);
	assert_int_equal(forth.len, back.len);
	assert_memory_equal(forth.data, back.data, forth.len);
	buf_deinit(&forth);
	buf_deinit(&back);
}

static void a_broadcast_of_too_many_heads_is_refused(void **state)
{
	struct buf out = BUF_INIT(0);
	struct cid *heads = NULL, one;
	struct err e = { 0 };
	size_t n;

	cid_of_block(CODEC_DAG_PB, "x", 1, &one);
	for (unsigned i = 0; i < BROADCAST_HEADS_MAX; i++)
		assert_int_equal(broadcast_encode(&one, 1, &out), 0);
	assert_int_equal(broadcast_decode(out.data, out.len, &heads, &n, &e), 0);
	assert_int_equal(n, BROADCAST_HEADS_MAX);
	free(heads);
	assert_int_equal(broadcast_encode(&one, 1, &out), 0);
	assert_int_equal(broadcast_decode(out.data, out.len, &heads, &n, &e), -EFBIG);
	buf_deinit(&out);
}

static void every_cut_of_a_broadcast_is_refused_or_shorter(void **state)
{
	struct buf out = BUF_INIT(0);
	struct cid heads[3];

	for (unsigned i = 0; i < 3; i++)
		cid_of_block(CODEC_DAG_PB, &"abc"[i], 1, &heads[i]);
	assert_int_equal(broadcast_encode(heads, 3, &out), 0);
	for (size_t cut = 0; cut < out.len; cut++) {
		struct cid *got;
		size_t n;

		if (broadcast_decode(out.data, cut, &got, &n, NULL) == 0) {
			assert_true(n < 3);
			free(got);
		}
	}
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_topic_is_made_of_the_clusters_name),
		cmocka_unit_test(recorded_broadcasts_are_read_and_written),
		cmocka_unit_test(heads_are_written_in_the_order_of_their_bytes),
		cmocka_unit_test(a_broadcast_of_too_many_heads_is_refused),
		cmocka_unit_test(every_cut_of_a_broadcast_is_refused_or_shorter),
	};

	assert(hash_init() == 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
