#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "cluster/backup.h"
#include "store/export.h"
#include "tests/lib/store_fixture.h"
#include "util/clock.h"

struct fix {
	struct store_fix s;
	char *folder;
	struct backups *b;
	struct pin pin;
};

static int64_t shift_s;

static int64_t shifted(void)
{
	return (time(NULL) + shift_s) * NS_PER_S;
}

static int setup(void **state)
{
	static struct fix f;

	f = (struct fix){ 0 };
	shift_s = 0;
	clock_fake(shifted);
	store_fix_setup(&f.s);
	f.folder = path_join(f.s.folder, "backups");
	assert_int_equal(0, backups_open(f.folder, 3, &f.b, NULL));
	pin_init(&f.pin);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	backups_close(f->b);
	pin_deinit(&f->pin);
	free(f->folder);
	store_fix_teardown(&f->s);
	clock_fake(NULL);
	return 0;
}

static void change(struct fix *f, unsigned i)
{
	struct store_txn *t = store_fix_write(&f->s);

	store_fix_pin(&f->pin, i, "x");
	store_fix_set(t, &f->pin, 1);
	assert_int_equal(0, store_commit(t));
}

static int make(struct fix *f, const char *name, struct backup *ret)
{
	struct store_txn *t = store_fix_read(&f->s);
	int r = backups_make(f->b, t, name, ret, NULL);

	store_read_end(t);
	return r;
}

static void check_content(struct fix *f, const struct backup *b)
{
	struct store_txn *t = store_fix_read(&f->s);
	static char want[1 << 16], got[1 << 16];
	struct export *x;
	ssize_t n;
	int fd = backups_open_file(f->b, b->serial);

	assert_true(fd >= 0);
	assert_int_equal(0, export_new(t, &x));
	n = export_read(x, 0, want, sizeof(want));
	assert_int_equal(n, read(fd, got, sizeof(got)));
	assert_int_equal(n, b->size);
	assert_memory_equal(want, got, (size_t)n);
	close(fd);
	export_free(x);
	store_read_end(t);
}

static unsigned count(struct fix *f)
{
	struct backup b = { 0 };
	unsigned n = 0;

	while (backups_next(f->b, b.serial, &b) == 0)
		n++;
	return n;
}

static void a_backup_is_the_dump_of_now(void **state)
{
	struct fix *f = *state;
	struct backup a, again;

	change(f, 1);
	change(f, 2);
	assert_int_equal(0, make(f, NULL, &a));
	assert_int_equal(1, a.serial);
	assert_memory_equal("000001-20", a.name, 9);
	check_content(f, &a);
	assert_int_equal(0, make(f, "", &again));
	assert_int_equal(a.serial, again.serial);
	change(f, 3);
	assert_int_equal(0, make(f, NULL, &again));
	assert_int_equal(2, again.serial);
	check_content(f, &again);
	assert_int_equal(0, backups_find(f->b, a.name, &again));
	assert_int_equal(1, again.serial);
	assert_int_equal(-ENOENT, backups_find(f->b, "no.json", &again));
	assert_int_equal(-ENOENT, backups_open_file(f->b, 9));
}

static void a_name_of_the_user_is_kept(void **state)
{
	static const char *const bad[] = { "x",        ".json",   "a b.json", "a/b.json",
					   "a=b.json", "x.json.", ".x.json" };
	struct fix *f = *state;
	struct backup b;

	change(f, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(-EINVAL, make(f, bad[i], &b));
	assert_int_equal(0, make(f, "7-before:it_all.json", &b));
	assert_string_equal("7-before:it_all.json", b.name);
	assert_int_equal(1, b.serial);
	check_content(f, &b);
	assert_int_equal(-EEXIST, make(f, "7-before:it_all.json", &b));
	assert_int_equal(0, make(f, "same.json", &b));
	assert_int_equal(2, b.serial);
	assert_int_equal(2, count(f));
	assert_int_equal(0, backups_find(f->b, "same.json", &b));
}

static void old_ones_go_but_for_the_newest_of_a_day_ago(void **state)
{
	struct fix *f = *state;
	struct backup b, named;

	change(f, 100);
	assert_int_equal(0, make(f, "mine.json", &named));
	for (unsigned i = 0; i < 5; i++) {
		change(f, i);
		assert_int_equal(0, make(f, NULL, &b));
	}
	assert_int_equal(1 + 3, count(f)); /* 4, 5, 6 of ours */
	assert_int_equal(-ENOENT, backups_open_file(f->b, 3));
	shift_s = BACKUP_KEEP_S + 10; /* all of them are a day old, and the next ones seem so */
	for (unsigned i = 5; i < 9; i++) {
		change(f, i);
		assert_int_equal(0, make(f, NULL, &b));
	}
	assert_int_equal(10, b.serial);
	assert_int_equal(1 + 3, count(f));
	assert_int_equal(0, backups_find(f->b, "mine.json", &named));
}

static void young_ones_cannot_be_removed(void **state)
{
	struct fix *f = *state;
	struct backup b;

	change(f, 1);
	assert_int_equal(0, make(f, NULL, &b));
	assert_int_equal(-EPERM, backups_remove(f->b, b.serial, NULL));
	assert_int_equal(1, count(f));
	shift_s = BACKUP_KEEP_S + 2;
	assert_int_equal(0, backups_remove(f->b, b.serial, NULL));
	assert_int_equal(0, count(f));
	assert_int_equal(-ENOENT, backups_remove(f->b, b.serial, NULL));
}

static void serials_go_on_after_a_new_start(void **state)
{
	struct fix *f = *state;
	struct backup b;

	change(f, 1);
	assert_int_equal(0, make(f, NULL, &b));
	change(f, 2);
	assert_int_equal(0, make(f, "second.json", &b));
	backups_close(f->b);
	assert_int_equal(0, backups_open(f->folder, 3, &f->b, NULL));
	assert_int_equal(0, make(f, NULL, &b)); /* unchanged */
	assert_int_equal(2, b.serial);
	change(f, 3);
	assert_int_equal(0, make(f, NULL, &b));
	assert_int_equal(3, b.serial);
}

static void a_failed_backup_leaves_nothing(void **state)
{
	struct fix *f = *state;
	char *in_the_way = path_join(f->folder, ".new");
	struct backup b;

	change(f, 1);
	assert_int_equal(0, mkdir(in_the_way, 0700));
	assert_true(make(f, NULL, &b) < 0);
	assert_int_equal(0, count(f));
	assert_int_equal(0, rmdir(in_the_way));
	assert_int_equal(0, make(f, NULL, &b));
	free(in_the_way);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_backup_is_the_dump_of_now),
		T(a_name_of_the_user_is_kept),
		T(old_ones_go_but_for_the_newest_of_a_day_ago),
		T(young_ones_cannot_be_removed),
		T(serials_go_on_after_a_new_start),
		T(a_failed_backup_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
