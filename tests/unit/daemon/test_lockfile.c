#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "daemon/lockfile.h"
#include "tests/lib/folder.h"

/* Another process that holds the lock until it is told to end. */
struct holder {
	pid_t pid;
	int end; /* write side: closing it lets the process release and exit */
};

static struct holder holder_start(const char *folder)
{
	int up[2], down[2];
	struct holder h;
	char c;

	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	h.pid = fork();
	assert_true(h.pid >= 0);
	if (h.pid == 0) {
		struct lockfile l = { 0 };
		ssize_t n;

		close(down[1]);
		c = lockfile_take(folder, &l, NULL) == 0 ? 'y' : 'n';
		n = write(up[1], &c, 1);
		n += read(down[0], &c, 1);
		lockfile_release(&l);
		_exit(n != 1);
	}
	close(down[0]);
	close(up[1]);
	assert_int_equal(read(up[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	close(up[0]);
	h.end = down[1];
	return h;
}

static void holder_end(struct holder *h)
{
	int status;

	close(h->end);
	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	assert_int_equal(status, 0);
}

/* The lock as another process sees it: F_WRLCK while held. Never asked by the holder itself. */
static int seen_from_outside(const char *folder)
{
	char *path = path_join(folder, LOCKFILE_NAME);
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int fd = open(path, O_RDWR);

		_exit(fd < 0 || fcntl(fd, F_GETLK, &l) < 0 ? 99 : l.l_type);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	free(path);
	return WEXITSTATUS(status);
}

static void the_lock_is_a_write_lock_on_an_empty_file(void **state)
{
	struct lockfile l = { 0 };

	assert_int_equal(lockfile_take(*state, &l, NULL), 0);
	assert_int_equal(seen_from_outside(*state), F_WRLCK);
	assert_int_equal(folder_mode(*state, LOCKFILE_NAME) & 0600, 0600);
	lockfile_release(&l);
	assert_false(folder_has(*state, LOCKFILE_NAME));
	lockfile_release(&l);
}

static void a_lock_of_another_process_names_it(void **state)
{
	struct holder h = holder_start(*state);
	struct lockfile l = { 0 };
	struct err e = { 0 };
	char want[64];

	assert_int_equal(lockfile_take(*state, &l, &e), -EBUSY);
	snprintf(want, sizeof(want), "process %ld uses this folder", (long)h.pid);
	assert_non_null(strstr(e.msg, want));
	assert_non_null(strstr(e.msg, LOCKFILE_NAME));
	assert_int_equal(seen_from_outside(*state), F_WRLCK); /* the try took nothing away */
	holder_end(&h);
	assert_int_equal(lockfile_take(*state, &l, NULL), 0);
	lockfile_release(&l);
}

static void a_second_take_in_this_process_leaves_the_first_in_force(void **state)
{
	struct lockfile l = { 0 }, second = { 0 };

	assert_int_equal(lockfile_take(*state, &l, NULL), 0);
	assert_int_equal(lockfile_take(*state, &second, NULL), -EBUSY);
	assert_int_equal(seen_from_outside(*state), F_WRLCK);
	lockfile_release(&second);
	assert_int_equal(seen_from_outside(*state), F_WRLCK);
	lockfile_release(&l);
}

static void a_file_left_by_a_crash_does_not_lock(void **state)
{
	struct lockfile l = { 0 };

	folder_put(*state, LOCKFILE_NAME, "");
	assert_int_equal(lockfile_take(*state, &l, NULL), 0);
	lockfile_release(&l);
}

static void a_file_that_is_not_empty_is_not_touched(void **state)
{
	struct lockfile l = { 0 };
	struct err e = { 0 };
	char *text;

	folder_put(*state, LOCKFILE_NAME, "notes");
	assert_int_equal(lockfile_take(*state, &l, &e), -EINVAL);
	text = folder_get(*state, LOCKFILE_NAME);
	assert_string_equal(text, "notes");
	free(text);
	folder_empty(*state);
	assert_int_equal(lockfile_take(*state, &l, NULL), 0); /* a failure holds nothing */
	lockfile_release(&l);
}

static void a_missing_folder_is_an_error(void **state)
{
	char *folder = path_join(*state, "no");
	struct lockfile l = { 0 };
	struct err e = { 0 };

	assert_int_equal(lockfile_take(folder, &l, &e), -ENOENT);
	assert_non_null(strstr(e.msg, folder));
	free(folder);
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(the_lock_is_a_write_lock_on_an_empty_file),
		IN_FOLDER(a_lock_of_another_process_names_it),
		IN_FOLDER(a_second_take_in_this_process_leaves_the_first_in_force),
		IN_FOLDER(a_file_left_by_a_crash_does_not_lock),
		IN_FOLDER(a_file_that_is_not_empty_is_not_touched),
		IN_FOLDER(a_missing_folder_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
