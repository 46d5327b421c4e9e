#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>

#include "consensus/crdt/delta.h"
#include "tests/lib/vectors.h"
#include "util/varint.h"

#define CAP 8192
#define ENTRIES 8

struct vector {
	struct delta delta;
	struct delta_entry elements[ENTRIES], tombstones[ENTRIES];
	uint8_t values[ENTRIES][1024];
	struct cid links[ENTRIES];
	size_t n_links;
	uint8_t block[CAP];
	size_t block_len;
};

static size_t load_entries(json_t *array, struct delta_entry *to, uint8_t (*values)[1024])
{
	size_t i;
	json_t *v;

	json_array_foreach (array, i, v) {
		assert_true(i < ENTRIES);
		to[i] = (struct delta_entry){
			.key = vectors_str(v, "key"),
			.key_len = strlen(vectors_str(v, "key")),
			.id = vectors_str(v, "id"),
			.id_len = strlen(vectors_str(v, "id")),
			.value = values[i],
			.value_len = vectors_hex(v, "value_hex", values[i], sizeof(values[i])),
		};
	}
	return json_array_size(array);
}

static void load(json_t *v, struct vector *ret)
{
	json_t *links = json_object_get(v, "links_in_given_order"), *link;
	static uint8_t none[ENTRIES][1024];
	size_t i;

	memset(ret, 0, sizeof(*ret));
	ret->delta.elements = ret->elements;
	ret->delta.tombstones = ret->tombstones;
	ret->delta.n_elements =
	    load_entries(json_object_get(v, "elements"), ret->elements, ret->values);
	ret->delta.n_tombstones =
	    load_entries(json_object_get(v, "tombstones"), ret->tombstones, none);
	ret->delta.priority = (uint64_t)json_integer_value(json_object_get(v, "priority"));
	json_array_foreach (links, i, link) {
		const char *s = json_string_value(link);

		assert_true(i < ENTRIES);
		assert_int_equal(0, cid_parse(s, strlen(s), &ret->links[i], NULL));
	}
	ret->n_links = json_array_size(links);
	ret->block_len = vectors_hex(v, "block_hex", ret->block, sizeof(ret->block));
}

static void assert_entries(const struct delta_entry *want, const struct delta_entry *got, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(want[i].key_len, got[i].key_len);
		assert_memory_equal(want[i].key, got[i].key, want[i].key_len);
		assert_int_equal(want[i].id_len, got[i].id_len);
		assert_true((got[i].id != NULL) == (want[i].id_len > 0));
		if (got[i].id)
			assert_memory_equal(want[i].id, got[i].id, want[i].id_len);
		assert_int_equal(want[i].value_len, got[i].value_len);
		assert_true((got[i].value != NULL) == (want[i].value_len > 0));
		if (got[i].value)
			assert_memory_equal(want[i].value, got[i].value, want[i].value_len);
	}
}

static void blocks_have_the_bytes_and_names_of_the_reference(void **state)
{
	json_t *root = vectors_load("cluster-deltas.json"), *v;
	static struct vector vec;
	size_t i;

	json_array_foreach (vectors_array(root, "deltas"), i, v) {
		struct buf out = BUF_INIT(0), id = BUF_INIT(0);
		char text[CID_TEXT_MAX + 1];
		struct cid cid;

		load(v, &vec);
		assert_int_equal(0, buf_str(&out, "before"));
		assert_int_equal(0, block_encode(&vec.delta, vec.links, vec.n_links, &out));
		block_cid(vec.block, vec.block_len, &cid);
		cid_format(&cid, text);
		assert_string_equal(vectors_str(v, "cid"), text);
		assert_int_equal(0, block_element_id(&cid, &id));
		assert_int_equal(0, buf_terminate(&id));
		assert_string_equal(vectors_str(v, "element_id"), (char *)id.data);
		/* This one shows what happens without sorting; all others are sorted. */
		if (strcmp(vectors_str(v, "name"), "three-links-unsorted-input") != 0) {
			assert_int_equal(vec.block_len + 6, out.len);
			assert_memory_equal(vec.block, out.data + 6, vec.block_len);
		}
		buf_deinit(&out);
		buf_deinit(&id);
	}
	json_decref(root);
}

static void links_are_sorted_whatever_their_order_was(void **state)
{
	json_t *root = vectors_load("cluster-deltas.json"), *v;
	static struct vector sorted, reversed;
	struct buf out = BUF_INIT(0);
	size_t i, found = 0;

	json_array_foreach (vectors_array(root, "deltas"), i, v) {
		if (strcmp(vectors_str(v, "name"), "three-links") == 0)
			load(v, &sorted), found++;
		if (strcmp(vectors_str(v, "name"), "three-links-unsorted-input") == 0)
			load(v, &reversed), found++;
	}
	assert_int_equal(2, found);
	assert_int_equal(0, block_encode(&reversed.delta, reversed.links, 3, &out));
	assert_int_equal(sorted.block_len, out.len);
	assert_memory_equal(sorted.block, out.data, out.len);
	for (i = 0; i < 3; i++)
		assert_true(cid_equal(&sorted.links[i], &reversed.links[i]));
	buf_deinit(&out);
	json_decref(root);
}

static void decoded_blocks_have_entries_and_links_in_their_order(void **state)
{
	json_t *root = vectors_load("cluster-deltas.json"), *v;
	static struct vector vec;
	size_t i;

	json_array_foreach (vectors_array(root, "deltas"), i, v) {
		uint8_t *exact;
		struct block b;

		load(v, &vec);
		exact = malloc(vec.block_len);
		assert_non_null(exact);
		memcpy(exact, vec.block, vec.block_len);
		assert_int_equal(0, block_decode(exact, vec.block_len, &b, NULL));
		free(exact); /* the entries do not point into it */
		assert_true(b.delta.priority == vec.delta.priority);
		assert_int_equal(vec.delta.n_elements, b.delta.n_elements);
		assert_int_equal(vec.delta.n_tombstones, b.delta.n_tombstones);
		assert_entries(vec.elements, b.delta.elements, b.delta.n_elements);
		assert_entries(vec.tombstones, b.delta.tombstones, b.delta.n_tombstones);
		assert_int_equal(vec.n_links, b.n_links);
		for (size_t k = 0; k < b.n_links; k++)
			assert_true(cid_equal(&vec.links[k], &b.links[k]));
		block_clear(&b);
		assert_null(b.memory);
		block_clear(&b);
	}
	json_decref(root);
}

static void a_key_twice_in_a_delta_stays_twice(void **state)
{
	struct delta_entry elements[] = {
		{ .key = "/K", .key_len = 2, .value = (const uint8_t *)"b", .value_len = 1 },
		{ .key = "/K", .key_len = 2, .value = (const uint8_t *)"a", .value_len = 1 },
	};
	struct delta d = { .elements = elements, .n_elements = 2, .priority = 7 };
	struct buf out = BUF_INIT(0);
	struct block b;

	assert_int_equal(0, block_encode(&d, NULL, 0, &out));
	assert_int_equal(0, block_decode(out.data, out.len, &b, NULL));
	assert_int_equal(2, b.delta.n_elements);
	assert_entries(elements, b.delta.elements, 2);
	block_clear(&b);
	buf_deinit(&out);
}

static void entry_sizes_add_up_to_the_delta(void **state)
{
	json_t *root = vectors_load("cluster-deltas.json"), *v;
	static struct vector vec;
	size_t i;

	json_array_foreach (vectors_array(root, "deltas"), i, v) {
		size_t sum = 0;

		load(v, &vec);
		for (size_t k = 0; k < vec.delta.n_elements; k++)
			sum += delta_entry_size(&vec.elements[k]);
		for (size_t k = 0; k < vec.delta.n_tombstones; k++)
			sum += delta_entry_size(&vec.tombstones[k]);
		sum += 1 + varint_len(vec.delta.priority);
		assert_int_equal(strlen(vectors_str(v, "delta_hex")) / 2, sum);
	}
	json_decref(root);
}

static void every_cut_of_a_block_is_refused_or_shorter(void **state)
{
	json_t *root = vectors_load("cluster-deltas.json"), *v;
	static struct vector vec;
	size_t i;

	json_array_foreach (vectors_array(root, "deltas"), i, v) {
		load(v, &vec);
		for (size_t cut = 0; cut < vec.block_len; cut++) {
			uint8_t *exact = malloc(cut + 1);
			struct block b;
			struct err e = { 0 };
			int r;

			assert_non_null(exact);
			memcpy(exact, vec.block, cut);
			r = block_decode(exact, cut, &b, &e);
			free(exact);
			if (r < 0) {
				assert_int_equal(-EBADMSG, r);
				assert_true(e.msg[0] != 0);
				continue;
			}
			/* Cut between two links: the data is what comes last. */
			assert_int_equal(0, b.delta.priority);
			assert_true(b.n_links <= vec.n_links);
			block_clear(&b);
		}
	}
	json_decref(root);
}

struct raw_case {
	const char *why;
	const char *hex;
	int want;
};

#define HASH                                                                                       \
	"0a24"                                                                                     \
	"01701220"                                                                                 \
	"099dceb2c4e727e00a2dfdd932841f2d3060b7eb58a75040f6634d22aa37b351"
#define LINK "122a" HASH "12001800"

static void decode_is_as_strict_as_the_reference(void **state)
{
	static const struct raw_case cases[] = {
		{ "an empty node is an empty delta", "", 0 },
		{ "data before links", "0a021805" LINK LINK, 0 },
		{ "a link without name and size", "1226" HASH, 0 },
		{ "a link with a name and a size",
		  "122d" HASH "1203616263"
		  "1801",
		  0 },
		{ "links before and after the data", LINK "0a021805" LINK, -EBADMSG },
		{ "data twice", "0a0218050a021805", -EBADMSG },
		{ "an unknown field of the node", "1a021805", -EBADMSG },
		{ "a varint field of the node", "0801", -EBADMSG },
		{ "a link without a hash", "120412001800", -EBADMSG },
		{ "an empty link", "1200", -EBADMSG },
		{ "a name before the hash", "12281200" HASH, -EBADMSG },
		{ "a size before the name", "122a" HASH "18001200", -EBADMSG },
		{ "a hash twice", "124c" HASH HASH, -EBADMSG },
		{ "an unknown field of a link", "1228" HASH "2000", -EBADMSG },
		{ "a hash that is no CID", "12040a020909", -EBADMSG },
		{ "an element of a wrong wire type", "0a020801", -EBADMSG },
		{ "a cut element", "0a030a0501", -EBADMSG },
		{ "an unknown field of the delta is ignored", "0a0418057801", 0 },
		{ "an unknown field of an element is ignored", "0a0a0a080a012f1a01782001", 0 },
		{ "a field number of the delta that is too high", "0a06808080801000", -EBADMSG },
		{ "a field number of an element that is too high", "0a080a06808080801000",
		  -EBADMSG },
		{ "a key that is not UTF-8", "0a050a030a01ff", -EBADMSG },
		{ "an id that is not UTF-8", "0a0512031201ff", -EBADMSG },
		{ "a value is any bytes", "0a050a031a01ff", 0 },
		{ "a zero byte in a key is a character", "0a060a040a026100", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct block b = { 0 };
		uint8_t in[256];
		int n = base16_decode(cases[i].hex, strlen(cases[i].hex), in, sizeof(in)), r;

		if (n < 0)
			fail_msg("not hex: %s", cases[i].why);
		r = block_decode(in, (size_t)n, &b, NULL);
		if (r != cases[i].want)
			fail_msg("%s: %d", cases[i].why, r);
		if (r == 0)
			block_clear(&b);
	}
}

static void a_zero_byte_does_not_end_a_key(void **state)
{
	static const uint8_t in[] = { 0x0a, 6, 0x0a, 4, 0x0a, 2, 'a', 0 };
	struct block b;

	assert_int_equal(0, block_decode(in, sizeof(in), &b, NULL));
	assert_int_equal(1, b.delta.n_elements);
	assert_int_equal(2, b.delta.elements[0].key_len);
	assert_memory_equal("a", b.delta.elements[0].key, 2);
	block_clear(&b);
}

static void a_block_over_the_limit_is_neither_written_nor_read(void **state)
{
	uint8_t *value = calloc(1, BLOCK_BYTES_MAX + 1);
	struct delta_entry el = { .key = "/K", .key_len = 2, .value = value };
	struct delta d = { .elements = &el, .n_elements = 1, .priority = 1 };
	struct buf out = BUF_INIT(0);
	struct block b;

	assert_non_null(value);
	/* Node: tag and length are 4 bytes; entry and value the same; key 4; priority 2.
	 */
	el.value_len = BLOCK_BYTES_MAX - 4 - 4 - 4 - 4 - 2;
	assert_int_equal(0, block_encode(&d, NULL, 0, &out));
	assert_int_equal(BLOCK_BYTES_MAX, out.len);
	assert_int_equal(0, block_decode(out.data, out.len, &b, NULL));
	assert_int_equal(el.value_len, b.delta.elements[0].value_len);
	block_clear(&b);
	el.value_len++;
	buf_reset(&out);
	assert_int_equal(-EFBIG, block_encode(&d, NULL, 0, &out));
	assert_int_equal(0, out.len);
	assert_int_equal(-EFBIG, block_decode(value, BLOCK_BYTES_MAX + 1, &b, NULL));
	buf_deinit(&out);
	free(value);
}

static void a_full_batch_of_usual_pins_is_read(void **state)
{
	enum {
		N = 7800
	};
	struct delta_entry *el = calloc(N, sizeof(*el));
	static const uint8_t value[70] = { 1 };
	struct delta d = { .elements = el, .n_elements = N, .priority = 1 };
	struct buf out = BUF_INIT(0);
	struct block b;

	assert_non_null(el);
	for (size_t i = 0; i < N; i++)
		el[i] = (struct delta_entry){
			.key = "/AFKREIH3KFJORY2B3MXOXXYV45UHJ7X6NV24PLP2QI5UE4YUFLGBTQQCSU",
			.key_len = 59,
			.value = value,
			.value_len = sizeof(value),
		};
	assert_int_equal(0, block_encode(&d, NULL, 0, &out));
	assert_true(out.len > DELTA_BATCH_MAX);
	assert_int_equal(0, block_decode(out.data, out.len, &b, NULL));
	assert_int_equal(N, b.delta.n_elements);
	block_clear(&b);
	buf_deinit(&out);
	free(el);
}

static void memory_is_bounded_by_the_size_of_the_block(void **state)
{
	/* Two bytes for each empty element, which would take a hundred in memory. */
	size_t n = 1 << 20;
	uint8_t *in = malloc(n);
	struct err e = { 0 };
	struct block b;
	size_t at;

	assert_non_null(in);
	in[0] = 0x0a;
	at = 1 + varint_put(in + 1, n - 4);
	for (size_t i = at; i < n; i++)
		in[i] = (i - at) % 2 ? 0 : 0x0a;
	assert_int_equal(-EFBIG, block_decode(in, n, &b, &e));
	assert_string_equal("the delta needs too much memory", e.msg);
	free(in);
}

static void links_are_limited(void **state)
{
	static const uint8_t link[] = { 0x12, 6, 0x0a, 4, 1, 0x55, 0, 0 };
	struct buf in = BUF_INIT(0);
	struct block b;

	for (size_t i = 0; i < BLOCK_LINKS_MAX; i++)
		assert_int_equal(0, buf_append(&in, link, sizeof(link)));
	assert_int_equal(0, block_decode(in.data, in.len, &b, NULL));
	assert_int_equal(BLOCK_LINKS_MAX, b.n_links);
	block_clear(&b);
	assert_int_equal(0, buf_append(&in, link, sizeof(link)));
	assert_int_equal(-EFBIG, block_decode(in.data, in.len, &b, NULL));
	buf_deinit(&in);
}

static void keys_of_pins_are_upper_case_base32(void **state)
{
	static const char text[] = "QmUfPxYhQT9QTBSqLBEQVNtzWeinZxRM53bADZBrWwrnqY";
	struct buf key = BUF_INIT(0);
	struct cid cid;

	assert_int_equal(0, cid_parse(text, sizeof(text) - 1, &cid, NULL));
	assert_int_equal(0, delta_pin_key(&cid, &key));
	assert_int_equal(0, buf_terminate(&key));
	assert_string_equal("/CIQF3432K5P6TSFKDD6BKOIBFD67O7QQOJKQIWKA3LVUKLNMVWIFPOY",
			    (char *)key.data);
	buf_deinit(&key);
}

static int setup(void **state)
{
	return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_have_the_bytes_and_names_of_the_reference),
		cmocka_unit_test(links_are_sorted_whatever_their_order_was),
		cmocka_unit_test(decoded_blocks_have_entries_and_links_in_their_order),
		cmocka_unit_test(a_key_twice_in_a_delta_stays_twice),
		cmocka_unit_test(entry_sizes_add_up_to_the_delta),
		cmocka_unit_test(every_cut_of_a_block_is_refused_or_shorter),
		cmocka_unit_test(decode_is_as_strict_as_the_reference),
		cmocka_unit_test(a_zero_byte_does_not_end_a_key),
		cmocka_unit_test(a_block_over_the_limit_is_neither_written_nor_read),
		cmocka_unit_test(a_full_batch_of_usual_pins_is_read),
		cmocka_unit_test(memory_is_bounded_by_the_size_of_the_block),
		cmocka_unit_test(links_are_limited),
		cmocka_unit_test(keys_of_pins_are_upper_case_base32),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
