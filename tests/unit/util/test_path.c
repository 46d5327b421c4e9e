#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/path.h"

static int make_folder(void **state)
{
	const char *base = getenv("TMPDIR");
	char *dir;

	if (asprintf(&dir, "%s/pinfs-path-XXXXXX", base ? base : P_tmpdir) < 0)
		return -1;
	*state = dir;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int remove_folder(void **state)
{
	int r = nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return r;
}

static void mkdirs_makes_parents_and_accepts_what_exists(void **state)
{
	char *deep = path_join(*state, "a/b/c");
	struct stat st;

	assert_non_null(deep);
	assert_int_equal(0, path_mkdirs(deep, 0700, NULL));
	assert_int_equal(0, stat(deep, &st));
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(0700, st.st_mode & 0777);
	assert_int_equal(0, path_mkdirs(deep, 0700, NULL));
	free(deep);
}

static void mkdirs_names_the_folder_it_cannot_make(void **state)
{
	char *file = path_join(*state, "file"), *under = path_join(*state, "file/x/y");
	struct err e = { 0 };

	assert_non_null(file);
	assert_non_null(under);
	assert_int_equal(0, path_write_atomic(file, "", 0, 0600, NULL));
	assert_int_equal(-ENOTDIR, path_mkdirs(under, 0700, &e));
	assert_non_null(strstr(e.msg, "file/x"));
	free(under);
	free(file);
}

static void write_then_read_gives_the_bytes(void **state)
{
	char *path = path_join(*state, "data"), *left = path_join(*state, "data.tmp");
	static const char bytes[] = "one\0two\n";
	struct buf out = BUF_INIT(0);
	struct stat st;

	assert_non_null(path);
	assert_non_null(left);
	assert_int_equal(0, path_write_atomic(path, bytes, sizeof(bytes), 0600, NULL));
	assert_int_equal(0, stat(path, &st));
	assert_int_equal(0600, st.st_mode & 0777);
	assert_int_equal(-1, access(left, F_OK));
	assert_int_equal(0, buf_str(&out, ">"));
	assert_int_equal(0, path_read(path, sizeof(bytes), &out, NULL));
	assert_int_equal(1 + sizeof(bytes), out.len);
	assert_memory_equal(bytes, out.data + 1, sizeof(bytes));
	buf_deinit(&out);
	free(left);
	free(path);
}

static void write_replaces_and_a_failed_one_does_not(void **state)
{
	char *path = path_join(*state, "replaced"), *in_the_way = path_join(*state, "replaced.tmp");
	struct buf out = BUF_INIT(0);
	struct err e = { 0 };

	assert_non_null(path);
	assert_non_null(in_the_way);
	assert_int_equal(0, path_write_atomic(path, "old content", 11, 0600, NULL));
	assert_int_equal(0, path_write_atomic(path, "new", 3, 0600, NULL));
	assert_int_equal(0, mkdir(in_the_way, 0700));
	assert_int_equal(-EISDIR, path_write_atomic(path, "newer", 5, 0600, &e));
	assert_non_null(strstr(e.msg, path));
	assert_int_equal(0, path_read(path, 100, &out, NULL));
	assert_int_equal(3, out.len);
	assert_memory_equal("new", out.data, 3);
	buf_deinit(&out);
	free(in_the_way);
	free(path);
}

static void read_refuses_a_file_over_the_limit(void **state)
{
	char *path = path_join(*state, "big");
	struct buf out = BUF_INIT(0);
	struct err e = { 0 };
	char *bytes = calloc(1, 10000);

	assert_non_null(path);
	assert_non_null(bytes);
	assert_int_equal(0, path_write_atomic(path, bytes, 10000, 0600, NULL));
	assert_int_equal(-EFBIG, path_read(path, 9999, &out, &e));
	assert_non_null(strstr(e.msg, "9999"));
	buf_reset(&out);
	assert_int_equal(0, path_read(path, 10000, &out, NULL));
	assert_int_equal(10000, out.len);
	buf_deinit(&out);
	free(bytes);
	free(path);
}

static void read_says_what_is_missing(void **state)
{
	char *path = path_join(*state, "nothing");
	struct buf out = BUF_INIT(0);
	struct err e = { 0 };

	assert_non_null(path);
	assert_int_equal(-ENOENT, path_read(path, 10, &out, &e));
	assert_non_null(strstr(e.msg, "nothing"));
	assert_int_equal(-ENOENT, path_fsync_dir(path));
	free(path);
}

static void write_all_reports_a_full_disk(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(-ENOSPC, path_write_all(fd, "x", 1));
	assert_int_equal(0, path_write_all(fd, "", 0));
	close(fd);
}

static void write_back_waits_for_a_piece_that_is_worth_it(void **state)
{
	int fd = path_unnamed(*state);
	uint64_t begun = 0;

	assert_true(fd >= 0);
	path_write_back(fd, PATH_BACK_BYTES - 1, &begun);
	assert_int_equal(0, begun);
	path_write_back(fd, PATH_BACK_BYTES + 1, &begun);
	assert_int_equal(PATH_BACK_BYTES + 1, begun);
	path_write_back(fd, 2 * PATH_BACK_BYTES, &begun);
	assert_int_equal(PATH_BACK_BYTES + 1, begun);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mkdirs_makes_parents_and_accepts_what_exists),
		cmocka_unit_test(mkdirs_names_the_folder_it_cannot_make),
		cmocka_unit_test(write_then_read_gives_the_bytes),
		cmocka_unit_test(write_replaces_and_a_failed_one_does_not),
		cmocka_unit_test(read_refuses_a_file_over_the_limit),
		cmocka_unit_test(read_says_what_is_missing),
		cmocka_unit_test(write_all_reports_a_full_disk),
		cmocka_unit_test(write_back_waits_for_a_piece_that_is_worth_it),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
