#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "types/pin.h"

#define PEER_A "12D3KooWKCuiYfRSDeKx13qBkgVaYeGKZMZxTzWbAT4NrEoVwW1p"
#define PEER_B "12D3KooWGwwLP11J2gPJwq2KXMoobGQwmxoTHzQVgwoNetX3zpED"
#define CID_A "bafkreih3kfjory2b3mxoxxyv45uhj7x6nv24plp2qi5ue4yuflgbtqqcsu"
#define CID_B "QmUfPxYhQT9QTBSqLBEQVNtzWeinZxRM53bADZBrWwrnqY"
#define ORIGIN "/ip4/1.2.3.4/tcp/4001"

static struct pin_text text(const char *s)
{
	return (struct pin_text){ s, strlen(s) };
}

static void set_cid(struct cid *c, const char *s)
{
	assert_int_equal(0, cid_parse(s, strlen(s), c, NULL));
}

static void set_peer(struct peerid *id, const char *s)
{
	assert_int_equal(0, peerid_parse(s, strlen(s), id, NULL));
}

/* A pin with something in every field. */
static void make_pin(struct pin *p)
{
	pin_init(p);
	set_cid(&p->cid, CID_A);
	set_cid(&p->reference, CID_B);
	set_cid(&p->pin_update, CID_B);
	p->type = PIN_TYPE_META;
	p->replication_min = 1;
	p->replication_max = 2;
	p->max_depth = -1;
	p->name = text("name");
	p->shard_size = 3;
	p->expire_at = 4;
	p->timestamp = 5;
	p->metadata = pin_alloc(p, 2 * sizeof(*p->metadata));
	p->metadata[0] = (struct pin_meta){ text("a"), text("1") };
	p->metadata[1] = (struct pin_meta){ text("b"), text("2") };
	p->n_metadata = 2;
	p->allocations = pin_alloc(p, sizeof(*p->allocations));
	set_peer(&p->allocations[0], PEER_A);
	p->n_allocations = 1;
	p->user_allocations = pin_alloc(p, sizeof(*p->user_allocations));
	set_peer(&p->user_allocations[0], PEER_B);
	p->n_user_allocations = 1;
	p->origins = pin_alloc(p, sizeof(*p->origins));
	assert_int_equal(0, multiaddr_parse(ORIGIN, strlen(ORIGIN), p->origins, NULL));
	p->n_origins = 1;
}

static void alloc_gives_zeroed_aligned_memory_of_any_size(void **state)
{
	static const size_t sizes[] = { 1, 7, 16, 4095, 4096, 4097, 1 << 20, 3 };
	struct pin p;

	pin_init(&p);
	for (int round = 0; round < 3; round++) {
		unsigned char *got[sizeof(sizes) / sizeof(*sizes)];

		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			got[i] = pin_alloc(&p, sizes[i]);
			assert_non_null(got[i]);
			assert_int_equal(0, (uintptr_t)got[i] % _Alignof(max_align_t));
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(0, got[i][k]);
			memset(got[i], 0xa0 + (int)i, sizes[i]);
		}
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			assert_int_equal(0xa0 + i, got[i][0]);
			assert_int_equal(0xa0 + i, got[i][sizes[i] - 1]);
		}
		pin_reset(&p);
	}
	pin_deinit(&p);
}

static void reset_keeps_the_memory_for_the_next_pin(void **state)
{
	struct pin p;
	void *first, *large;

	pin_init(&p);
	first = pin_alloc(&p, 100);
	large = pin_alloc(&p, 100000);
	pin_reset(&p);
	assert_ptr_equal(first, pin_alloc(&p, 100));
	assert_ptr_equal(large, pin_alloc(&p, 100000));
	pin_deinit(&p);
}

static void alloc_refuses_sizes_that_overflow(void **state)
{
	struct pin p;

	pin_init(&p);
	assert_null(pin_alloc(&p, SIZE_MAX));
	assert_null(pin_alloc(&p, SIZE_MAX / 2));
	assert_non_null(pin_alloc(&p, 0));
	pin_deinit(&p);
}

static void grow_keeps_the_entries_before(void **state)
{
	uint32_t *a = NULL;
	struct pin p;

	pin_init(&p);
	for (uint32_t i = 0; i < 1000; i++) {
		a = pin_grow(&p, a, i, sizeof(*a));
		assert_non_null(a);
		a[i] = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(i, a[i]);
	pin_deinit(&p);
}

static void reset_empties_every_field(void **state)
{
	struct pin p, empty;

	make_pin(&p);
	pin_init(&empty);
	pin_reset(&p);
	assert_true(pin_equal_but_time(&p, &empty));
	assert_int_equal(PIN_TIME_UNSET, p.timestamp);
	assert_int_equal(0, p.n_user_allocations);
	pin_deinit(&p);
}

static void metadata_is_sorted_by_bytes_and_the_last_of_equal_keys_wins(void **state)
{
	struct pin_meta all[] = {
		{ text("b"), text("1") },   { text(""), text("2") },  { text("ab"), text("3") },
		{ text("b"), text("4") },   { text("a"), text("5") }, { text("\u00fc"), text("6") },
		{ text("Zed"), text("7") }, { text(""), text("8") },  { text("b"), text("9") },
	};
	static const char *const expected[][2] = {
		{ "", "8" },   { "Zed", "7" }, { "a", "5" },
		{ "ab", "3" }, { "b", "9" },   { "\u00fc", "6" },
	};
	struct pin p;

	pin_init(&p);
	assert_int_equal(0, pin_set_metadata(&p, all, sizeof(all) / sizeof(*all)));
	assert_int_equal(sizeof(expected) / sizeof(*expected), p.n_metadata);
	for (size_t i = 0; i < p.n_metadata; i++) {
		assert_int_equal(strlen(expected[i][0]), p.metadata[i].key.n);
		assert_memory_equal(expected[i][0], p.metadata[i].key.p, p.metadata[i].key.n);
		assert_memory_equal(expected[i][1], p.metadata[i].value.p, 1);
	}
	assert_int_equal(0, pin_set_metadata(&p, NULL, 0));
	assert_int_equal(0, p.n_metadata);
	pin_deinit(&p);
}

static void metadata_of_every_length_is_sorted(void **state)
{
	static char keys[300][4];
	struct pin p;

	pin_init(&p);
	for (size_t n = 0; n <= 300; n += n < 20 ? 1 : 40) {
		struct pin_meta *all;

		pin_reset(&p);
		all = pin_alloc(&p, n * sizeof(*all));
		for (size_t i = 0; i < n; i++) {
			size_t v = i * 7919 % 300;

			keys[i][0] = (char)('0' + v / 100);
			keys[i][1] = (char)('0' + v / 10 % 10);
			keys[i][2] = (char)('0' + v % 10);
			all[i].key = text(keys[i]);
		}
		assert_int_equal(0, pin_set_metadata(&p, all, n));
		assert_int_equal(n, p.n_metadata);
		for (size_t i = 1; i < n; i++)
			assert_true(memcmp(p.metadata[i - 1].key.p, p.metadata[i].key.p, 3) < 0);
	}
	pin_deinit(&p);
}

static void copy_shares_nothing_with_its_source(void **state)
{
	struct pin p, again, copy;
	char *name;

	make_pin(&p);
	make_pin(&again);
	name = pin_alloc(&p, 4);
	memcpy(name, "name", 4);
	p.name.p = name;
	pin_init(&copy);
	assert_int_equal(0, pin_copy(&copy, &p));
	memset(name, 'x', 4);
	memset(p.allocations, 0xff, sizeof(*p.allocations));
	memset(p.origins, 0xff, sizeof(*p.origins));
	memset(p.metadata, 0, sizeof(*p.metadata));
	pin_deinit(&p);
	assert_true(pin_equal_but_time(&copy, &again));
	assert_int_equal(again.timestamp, copy.timestamp);
	assert_int_equal(1, copy.n_user_allocations);
	assert_true(peerid_equal(copy.user_allocations, again.user_allocations));
	pin_deinit(&again);
	pin_deinit(&copy);
}

static void copy_of_an_empty_pin_is_empty(void **state)
{
	struct pin p, copy;

	pin_init(&p);
	make_pin(&copy);
	assert_int_equal(0, pin_copy(&copy, &p));
	assert_true(pin_equal_but_time(&copy, &p));
	pin_deinit(&p);
	pin_deinit(&copy);
}

static void change(struct pin *p, int field)
{
	switch (field) {
	case 0:
		set_cid(&p->cid, CID_B);
		break;
	case 1:
		p->reference.len = 0;
		break;
	case 2:
		set_cid(&p->pin_update, CID_A);
		break;
	case 3:
		p->type = PIN_TYPE_DATA;
		break;
	case 4:
		p->replication_min = 2;
		break;
	case 5:
		p->replication_max = 3;
		break;
	case 6:
		p->max_depth = 0;
		break;
	case 7:
		p->name = text("Name");
		break;
	case 8:
		p->shard_size = 0;
		break;
	case 9:
		p->expire_at = 5;
		break;
	case 10:
		p->n_metadata = 1;
		break;
	case 11:
		p->metadata[1].value = text("22");
		break;
	case 12:
		p->metadata[0].key = text("A");
		break;
	case 13:
		set_peer(&p->allocations[0], PEER_B);
		break;
	case 14:
		p->n_allocations = 0;
		break;
	case 15:
		p->origins[0].bytes[4]++;
		break;
	default:
		p->n_origins = 0;
		break;
	}
}

static void equality_sees_every_stored_field_but_the_timestamp(void **state)
{
	struct pin a, b;

	make_pin(&a);
	make_pin(&b);
	b.timestamp = 99;
	b.n_user_allocations = 0;
	assert_true(pin_equal_but_time(&a, &b));
	pin_deinit(&b);
	for (int field = 0; field <= 16; field++) {
		make_pin(&b);
		change(&b, field);
		if (pin_equal_but_time(&a, &b) || pin_equal_but_time(&b, &a))
			fail_msg("a change of field %d is not seen", field);
		pin_deinit(&b);
	}
	pin_deinit(&a);
}

static void only_depth_zero_is_direct(void **state)
{
	static const int32_t recursive[] = { -1, 1, 5, INT32_MIN, INT32_MAX };
	struct pin p;

	pin_init(&p);
	assert_string_equal("direct", pin_mode_name(pin_mode(&p)));
	for (size_t i = 0; i < sizeof(recursive) / sizeof(*recursive); i++) {
		p.max_depth = recursive[i];
		assert_string_equal("recursive", pin_mode_name(pin_mode(&p)));
	}
}

static void types_have_the_names_of_the_reference(void **state)
{
	assert_string_equal("bad-type", pin_type_name(PIN_TYPE_BAD));
	assert_string_equal("pin", pin_type_name(PIN_TYPE_DATA));
	assert_string_equal("meta-pin", pin_type_name(PIN_TYPE_META));
	assert_string_equal("clusterdag-pin", pin_type_name(PIN_TYPE_CLUSTERDAG));
	assert_string_equal("shard-pin", pin_type_name(PIN_TYPE_SHARD));
	assert_string_equal("bad-type", pin_type_name((enum pin_type)63));
}

static void a_pin_is_for_its_allocations_or_for_everybody(void **state)
{
	struct peerid a, b;
	struct pin p;

	make_pin(&p);
	set_peer(&a, PEER_A);
	set_peer(&b, PEER_B);
	assert_true(pin_is_for(&p, &a));
	assert_false(pin_is_for(&p, &b));
	p.replication_min = -1;
	assert_false(pin_is_for(&p, &b));
	p.replication_max = -1;
	assert_true(pin_is_for(&p, &b));
	p.n_allocations = 0;
	assert_true(pin_is_for(&p, &b));
	pin_deinit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alloc_gives_zeroed_aligned_memory_of_any_size),
		cmocka_unit_test(reset_keeps_the_memory_for_the_next_pin),
		cmocka_unit_test(alloc_refuses_sizes_that_overflow),
		cmocka_unit_test(grow_keeps_the_entries_before),
		cmocka_unit_test(reset_empties_every_field),
		cmocka_unit_test(metadata_is_sorted_by_bytes_and_the_last_of_equal_keys_wins),
		cmocka_unit_test(metadata_of_every_length_is_sorted),
		cmocka_unit_test(copy_shares_nothing_with_its_source),
		cmocka_unit_test(copy_of_an_empty_pin_is_empty),
		cmocka_unit_test(equality_sees_every_stored_field_but_the_timestamp),
		cmocka_unit_test(only_depth_zero_is_direct),
		cmocka_unit_test(types_have_the_names_of_the_reference),
		cmocka_unit_test(a_pin_is_for_its_allocations_or_for_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
