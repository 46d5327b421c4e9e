#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/options.h"

#define WORDS_MAX 12

/* A command line of words between bars; lists are cut in place, so it is the caller's. */
struct line {
	char text[512];
	char *argv[WORDS_MAX + 1];
	int argc;
};

static int parse(struct line *l, const char *text, struct options *ret, struct err *e)
{
	char *at = l->text, *word;

	snprintf(l->text, sizeof(l->text), "pinfs|%s", text);
	l->argc = 0;
	while ((word = strsep(&at, "|")))
		l->argv[l->argc++] = word;
	l->argv[l->argc] = NULL;
	return options_parse(l->argc, l->argv, ret, e);
}

static void init_takes_what_the_reference_takes(void **state)
{
	struct options o;
	struct err e = { 0 };
	struct line l;

	if (parse(&l, "--init|--force|--randomports|--custom-secret|--consensus|raft", &o, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(o.command, COMMAND_INIT);
	assert_true(o.force && o.random_ports && o.custom_secret);
	assert_int_equal(o.consensus, CONFIG_RAFT);
	options_clear(&o);
	assert_int_equal(parse(&l, "--init", &o, &e), 0);
	assert_false(o.force || o.random_ports || o.custom_secret);
	options_clear(&o);
}

static void peers_are_a_list_and_may_be_named_one_by_one(void **state)
{
	static const char *const want[] = { "/a", "/b", "/c", "/d" };
	struct options o;
	struct line l;

	assert_int_equal(
	    parse(&l, "--bootstrap|/a|--peers| /b , /c |--peers||--init|--peers|/d", &o, NULL), 0);
	assert_int_equal(o.n_bootstrap, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(o.bootstrap[i], want[i]);
	options_clear(&o);
	/* An empty entry is no address; init says so. */
	assert_int_equal(parse(&l, "--init|--peers|/a,", &o, NULL), 0);
	assert_int_equal(o.n_bootstrap, 2);
	assert_string_equal(o.bootstrap[1], "");
	options_clear(&o);
}

static void too_many_peers_are_refused(void **state)
{
	char list[256] = "--init|--peers|a";
	struct options o;
	struct err e = { 0 };
	struct line l;

	for (int i = 0; i < 63; i++)
		strcat(list, ",a");
	assert_int_equal(parse(&l, list, &o, NULL), 0);
	options_clear(&o);
	strcat(list, ",a");
	assert_int_equal(parse(&l, list, &o, &e), -EINVAL);
	assert_string_equal(e.msg, "too many addresses of peers");
	options_clear(&o);
}

static void options_of_init_go_with_init(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{ "--force", "--force goes with --init" },
		{ "--peers|/a|/mnt", "--peers goes with --init" },
		{ "--check|--randomports", "--randomports goes with --init" },
		{ "--custom-secret|-f", "--custom-secret goes with --init" },
		{ "--consensus|crdt", "--consensus goes with --init" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct err e = { 0 };
		struct options o;
		struct line l;

		assert_int_equal(parse(&l, cases[i].line, &o, &e), -EINVAL);
		assert_string_equal(e.msg, cases[i].message);
		options_clear(&o);
	}
}

static void wrong_lines_are_usage_errors(void **state)
{
	static const char *const lines[] = { "--nonsense",  "--init|--consensus|foo",
					     "--init|/mnt", "--init|--peers",
					     "/a|/b|/c",    "-o" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct err e = { 0 };
		struct options o;
		struct line l;

		if (parse(&l, lines[i], &o, &e) != -EINVAL || e.msg[0] == '\0')
			fail_msg("%s was accepted", lines[i]);
		options_clear(&o);
	}
}

static void a_mount_may_be_told_as_in_fstab(void **state)
{
	struct options o;
	struct line l;

	assert_int_equal(
	    parse(&l, "/etc/pinfs|/mnt|-o|rw,nofail,x-a=b,ro,write=staff,allow_other", &o, NULL),
	    0);
	assert_int_equal(o.command, COMMAND_MOUNT);
	assert_string_equal(o.config, "/etc/pinfs");
	assert_string_equal(o.mountpoint, "/mnt");
	assert_string_equal(o.write, "staff");
	assert_true(o.read_only);
	assert_string_equal((char *)o.fuse.data, "allow_other");
	options_clear(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_takes_what_the_reference_takes),
		cmocka_unit_test(peers_are_a_list_and_may_be_named_one_by_one),
		cmocka_unit_test(too_many_peers_are_refused),
		cmocka_unit_test(options_of_init_go_with_init),
		cmocka_unit_test(wrong_lines_are_usage_errors),
		cmocka_unit_test(a_mount_may_be_told_as_in_fstab),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
