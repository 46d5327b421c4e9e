#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <utime.h>

#include "cluster/journal.h"
#include "tests/lib/folder.h"

#define HALF 100

static struct journal *open_it(const char *folder, unsigned days)
{
	struct journal *j;

	assert_int_equal(0, journal_open(folder, "events", HALF, days, &j, NULL));
	return j;
}

static void add(struct journal *j, const char *line)
{
	assert_int_equal(0, journal_append(j, line, strlen(line)));
}

static void check_range(struct journal *j, uint64_t start, uint64_t end)
{
	uint64_t s, e;
	int64_t mtime;

	journal_range(j, &s, &e, &mtime);
	assert_int_equal(start, s);
	assert_int_equal(end, e);
}

static void check_text(struct journal *j, uint64_t offset, const char *want)
{
	char got[4 * HALF];
	ssize_t n = journal_read(j, offset, got, sizeof(got));

	assert_int_equal(strlen(want), n);
	assert_memory_equal(want, got, (size_t)n);
}

static void lines_are_read_as_they_were_appended(void **state)
{
	struct journal *j = open_it(*state, 0);
	char two[2];

	check_range(j, 0, 0);
	check_text(j, 0, "");
	add(j, "{}");
	add(j, "{\"a\":1}");
	check_range(j, 0, 11);
	check_text(j, 0, "{}\n{\"a\":1}\n");
	check_text(j, 3, "{\"a\":1}\n");
	check_text(j, 11, "");
	check_text(j, 50, "");
	assert_int_equal(2, journal_read(j, 1, two, 2));
	assert_memory_equal("}\n", two, 2);
	journal_close(j);
}

static void bad_lines_are_refused(void **state)
{
	struct journal *j = open_it(*state, 0);
	char line[HALF];

	memset(line, '1', sizeof(line));
	assert_int_equal(-EINVAL, journal_append(j, "", 0));
	assert_int_equal(-EINVAL, journal_append(j, "1\n2", 3));
	assert_int_equal(-EFBIG, journal_append(j, line, sizeof(line)));
	assert_int_equal(0, journal_append(j, line, sizeof(line) - 1));
	check_range(j, 0, HALF);
	journal_close(j);
}

/* Lines of 40 bytes: two per file. */
static void a_reader_keeps_its_place_through_rotations(void **state)
{
	struct journal *j = open_it(*state, 0);
	char line[64], want[128];

	for (int i = 0; i < 9; i++) {
		snprintf(line, sizeof(line), "{\"i\":%d,\"x\":\"abcdefghijklmnopqrstuvwxy\"}", i);
		assert_int_equal(39, strlen(line));
		add(j, line);
		snprintf(want, sizeof(want), "%s\n", line);
		check_text(j, (uint64_t)i * 40, want);
	}
	check_range(j, 240, 360); /* lines 6 and 7 in the old file, 8 in the new */
	assert_int_equal(-ESTALE, journal_read(j, 239, line, 1));
	assert_int_equal(40, journal_read(j, 300, want, 40)); /* across both files */
	assert_memory_equal(line + 20, want, 20 - 1);
	journal_close(j);
}

static void a_new_start_goes_on_and_cuts_a_torn_line(void **state)
{
	struct journal *j;

	folder_put(*state, "events.old", "1\n2\n");
	folder_put(*state, "events", "3\n{\"to");
	j = open_it(*state, 0);
	check_text(j, 0, "1\n2\n3\n");
	add(j, "4");
	check_text(j, 0, "1\n2\n3\n4\n");
	journal_close(j);
	folder_put(*state, "events", "torn");
	j = open_it(*state, 0);
	check_text(j, 0, "1\n2\n");
	journal_close(j);
}

static void old_files_are_dropped(void **state)
{
	const struct utimbuf long_ago = { 1000000, 1000000 };
	char *path = path_join(*state, "events.old");
	struct journal *j;

	folder_put(*state, "events.old", "1\n");
	folder_put(*state, "events", "2\n");
	assert_int_equal(0, utime(path, &long_ago));
	j = open_it(*state, 0);
	check_text(j, 0, "1\n2\n");
	journal_close(j);
	j = open_it(*state, 1);
	check_text(j, 2, "2\n");
	check_range(j, 2, 4);
	assert_false(folder_has(*state, "events.old"));
	journal_close(j);
	free(path);
}

#define T(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(lines_are_read_as_they_were_appended),
		T(bad_lines_are_refused),
		T(a_reader_keeps_its_place_through_rotations),
		T(a_new_start_goes_on_and_cuts_a_torn_line),
		T(old_files_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
