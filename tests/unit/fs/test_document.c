#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "fs/ops/pins.h"

#define CID "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"

static void shapes(const char *const *texts, size_t n, enum document_shape want)
{
	for (size_t i = 0; i < n; i++) {
		const char *reason = NULL;

		if (document_shape(texts[i], strlen(texts[i]), &reason) != want)
			fail_msg("%s: not of shape %d", texts[i], want);
		if (want == DOCUMENT_BAD && !reason)
			fail_msg("%s: bad without a reason", texts[i]);
	}
}
#define SHAPES(texts, want) shapes(texts, sizeof(texts) / sizeof(*(texts)), want)

static void a_document_is_whole_when_its_object_ends(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{}\n",
		" \t\r\n{ }  \n\n",
		"{\"name\":\"x\"}",
		"{\"a\":{\"b\":[1,{}]}}",
		"{\"name\":\"}\"}",
		"{\"name\":\"\\\"}\"}",
		"{\"name\":\"\\\\\"}",
		"{\"name\":\"[{\"}",
	};

	SHAPES(texts, DOCUMENT_WHOLE);
}

static void a_document_is_cut_until_then(void **state)
{
	static const char *const texts[] = {
		"",
		" \n",
		"{",
		"{\"name\":\"x\"",
		"{\"name\":\"x}",
		"{\"a\":[1,2}",
		"{\"a\":\"\\\"}",
		"{\"a\":{}",
	};

	SHAPES(texts, DOCUMENT_CUT);
}

static void what_is_no_object_or_has_more_behind_it_is_bad(void **state)
{
	static const char *const texts[] = {
		"x", "[]", "\"{}\"", "{}{}", "{} x", "{}\n}", "1",
	};

	SHAPES(texts, DOCUMENT_BAD);
}

static int parse(const char *text, struct cluster_item *item, struct err *e)
{
	struct cid cid;

	assert_int_equal(cid_parse(CID, strlen(CID), &cid, NULL), 0);
	return document_parse(&cid, text, strlen(text), item, e);
}

static void the_cid_of_the_name_is_taken(void **state)
{
	static const char *const texts[] = { "{}", "{\"cid\":\"" CID "\"}" };

	for (size_t i = 0; i < 2; i++) {
		struct cluster_item item = { 0 };
		struct cid cid;

		pin_init(&item.pin);
		cid_parse(CID, strlen(CID), &cid, NULL);
		assert_int_equal(parse(texts[i], &item, NULL), 0);
		assert_true(cid_equal(&item.pin.cid, &cid));
		pin_deinit(&item.pin);
	}
}

static void bad_documents_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "{\"cid\":\"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG\"}", "name" },
		{ "{\"nam\":\"x\"}", "did you mean \"name\"" },
		{ "{\"name\":1}", "name" },
		{ "{\"name\"}", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct cluster_item item = { 0 };
		struct err e = { 0 };

		pin_init(&item.pin);
		if (parse(cases[i].text, &item, &e) != -EINVAL)
			fail_msg("%s was taken", cases[i].text);
		if (e.msg[0] == '\0' || !strstr(e.msg, cases[i].reason))
			fail_msg("%s: %s", cases[i].text, e.msg);
		pin_deinit(&item.pin);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_is_whole_when_its_object_ends),
		cmocka_unit_test(a_document_is_cut_until_then),
		cmocka_unit_test(what_is_no_object_or_has_more_behind_it_is_bad),
		cmocka_unit_test(the_cid_of_the_name_is_taken),
		cmocka_unit_test(bad_documents_are_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
