#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "fs/ops/pins.h"

#define V1 "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
#define V0 "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG"

static void parse_all(const char *const *names, size_t n, enum pin_name_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		struct err e = { 0 };
		struct cid cid;

		if (pin_name_parse(names[i], &cid, &e) != kind)
			fail_msg("%s: not of kind %d", names[i], kind);
		if (kind == PIN_NAME_BAD && e.msg[0] == '\0')
			fail_msg("%s: refused without a reason", names[i]);
	}
}
#define PARSE_ALL(names, kind) parse_all(names, sizeof(names) / sizeof(*(names)), kind)

static void any_text_form_of_a_cid_names_its_pin(void **state)
{
	static const char *const names[] = {
		V1 ".json",
		V0 ".json",
		"BAFKREIGH2AKISCAILDCQABSYG3DFR6CHU3FGPREGIYMSCK7E7AQA4S52ZY.json",
		"f01551220c7d1b7bd5d7fb1a4de0e6a6d3a9c87f1c3c5b1b0c5c7f1a2b3c4d5e6f7081920.json",
	};

	PARSE_ALL(names, PIN_NAME_CID);
}

static void the_cid_of_a_name_is_the_one_in_it(void **state)
{
	struct cid cid;
	char text[CID_TEXT_MAX + 1];

	assert_int_equal(pin_name_parse(V0 ".json", &cid, NULL), PIN_NAME_CID);
	cid_format(&cid, text);
	assert_string_equal(text, V0);
}

static void temporaries_of_editors_and_tools_are_scratch(void **state)
{
	static const char *const names[] = {
		"." V1 ".json.swp", "." V1 ".json.Xy12Zk", /* vim, rsync */
		V1 ".json~",        "4913",                /* vim */
		"sedAb3xYz",        "sed012345",           /* sed -i */
		"XXq1W2eR",                                /* perl -pi */
		"#" V1 ".json#",    ".#" V1 ".json",       /* emacs */
		V1 ".json.tmp",     V1 ".json.bak",
		V1 ".json.orig",    V1 ".json.1234.abcde",
	};

	PARSE_ALL(names, PIN_NAME_SCRATCH);
}

static void other_names_are_refused_with_a_reason(void **state)
{
	static const char *const names[] = {
		V1,          V0,
		"list.json", "list",
		"README",    "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52z1.json",
		"sedAb3xY",  "sed.b3xYz",
		"XXq1W2e",   "4914",
		"#open",     "json",
		"x.JSON",
	};

	PARSE_ALL(names, PIN_NAME_BAD);
}

static void a_cid_without_the_suffix_is_told_how_to_write_it(void **state)
{
	struct err e = { 0 };
	struct cid cid;

	assert_int_equal(pin_name_parse(V1, &cid, &e), PIN_NAME_BAD);
	assert_non_null(strstr(e.msg, "pins/" V1 ".json"));
}

static void a_long_name_is_cut_and_keeps_its_start(void **state)
{
	uint8_t cid[300] = { 0x01, 0x55, 0x00, 0x80, 0x02 }; /* identity, 256 bytes */
	uint8_t other[300];
	char name[256], name2[256];

	memset(cid + 5, 0x5a, 256);
	memcpy(other, cid, sizeof(cid));
	other[260] = 0x5b;
	pin_name_format(cid, 261, name);
	pin_name_format(other, 261, name2);
	assert_int_equal(strlen(name), 240);
	assert_int_equal(name[240 - 17], '~');
	assert_memory_equal(name, name2, 200);
	assert_string_not_equal(name, name2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_text_form_of_a_cid_names_its_pin),
		cmocka_unit_test(the_cid_of_a_name_is_the_one_in_it),
		cmocka_unit_test(temporaries_of_editors_and_tools_are_scratch),
		cmocka_unit_test(other_names_are_refused_with_a_reason),
		cmocka_unit_test(a_cid_without_the_suffix_is_told_how_to_write_it),
		cmocka_unit_test(a_long_name_is_cut_and_keeps_its_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
