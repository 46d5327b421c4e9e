#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/peerstore.h"
#include "util/path.h"

#define ID "12D3KooWC7LBFfAHYchqUWwzTyjTiMac4AtVmSvqMoEWUA1pQbkk"
#define A1 "/ip4/127.0.0.1/tcp/9096/p2p/" ID
#define A2 "/dns4/example.org/tcp/1/p2p/" ID

struct seen {
	size_t n, lines[8];
	char last[512];
};

static void note(void *arg, size_t line, const struct err *why)
{
	struct seen *s = arg;

	assert_true(s->n < 8);
	s->lines[s->n++] = line;
	snprintf(s->last, sizeof(s->last), "%s", why->msg);
}

static void parse(const char *text, struct peerstore *ret, struct seen *seen)
{
	struct err e = { 0 };

	memset(seen, 0, sizeof(*seen));
	assert_int_equal(peerstore_parse(text, strlen(text), note, seen, ret, &e), 0);
}

static void assert_address(const struct multiaddr *a, const char *want)
{
	struct buf text = BUF_INIT(1024);

	assert_int_equal(multiaddr_format(a, &text), 0);
	assert_int_equal(text.len, strlen(want));
	assert_memory_equal(text.data, want, text.len);
	buf_deinit(&text);
}

static void addresses_come_one_per_line(void **state)
{
	static const char *const texts[] = { A1 "\n" A2 "\n", A1 "\n" A2, A1 "\r\n" A2 "\r\n",
					     "\n\n" A1 "\n\n" A2 "\n\n" };
	struct peerstore p;
	struct seen seen;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		parse(texts[i], &p, &seen);
		assert_int_equal(seen.n, 0);
		assert_int_equal(p.n, 2);
		assert_address(&p.v[0], A1);
		assert_address(&p.v[1], A2);
		peerstore_clear(&p);
	}
}

static void lines_that_do_not_begin_with_a_slash_are_comments(void **state)
{
	struct peerstore p;
	struct seen seen;

	parse("# peers\n " A1 "\n" A2 "\n12D3KooW\n", &p, &seen);
	assert_int_equal(seen.n, 0);
	assert_int_equal(p.n, 1);
	assert_address(&p.v[0], A2);
	peerstore_clear(&p);
}

static void bad_lines_are_reported_and_skipped(void **state)
{
	struct peerstore p;
	struct seen seen;

	parse(A1 "\n/ip4/300.0.0.1/tcp/1/p2p/" ID "\n# x\n/ip4/127.0.0.1/tcp/1\n" A2 "\n", &p,
	      &seen);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.lines[0], 2);
	assert_int_equal(seen.lines[1], 4);
	assert_string_equal(seen.last, "the address has no /p2p part");
	assert_int_equal(p.n, 2);
	peerstore_clear(&p);
}

static void a_zero_byte_does_not_end_the_file(void **state)
{
	static const char text[] = "/ip4/1.2.3.4\0/tcp/1/p2p/" ID "\n" A1 "\n";
	struct seen seen = { 0 };
	struct peerstore p;

	assert_int_equal(peerstore_parse(text, sizeof(text) - 1, note, &seen, &p, NULL), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(p.n, 1);
	peerstore_clear(&p);
}

static void too_many_addresses_are_refused(void **state)
{
	size_t line = strlen(A1 "\n"), i;
	char *text = malloc(line * (PEERSTORE_ENTRIES_MAX + 1) + 1);
	struct peerstore p = { 0 };
	struct err e = { 0 };

	assert_non_null(text);
	for (i = 0; i <= PEERSTORE_ENTRIES_MAX; i++)
		memcpy(text + i * line, A1 "\n", line);
	assert_int_equal(peerstore_parse(text, i * line, NULL, NULL, &p, &e), -EFBIG);
	assert_null(p.v);
	free(text);
}

static int folder_make(void **state)
{
	static char folder[32];

	strcpy(folder, "peerstore-XXXXXX");
	*state = mkdtemp(folder);
	return *state ? 0 : -1;
}

static int folder_remove(void **state)
{
	char *path = path_join(*state, "peerstore");

	unlink(path);
	free(path);
	return rmdir(*state);
}

static void a_missing_file_is_empty(void **state)
{
	struct peerstore p = { 0 };
	char *path = path_join(*state, "peerstore");

	assert_int_equal(peerstore_read(path, NULL, NULL, &p, NULL), 0);
	assert_int_equal(p.n, 0);
	peerstore_clear(&p);
	free(path);
}

static void what_is_written_is_read_back(void **state)
{
	char *path = path_join(*state, "peerstore");
	struct peerstore p, again;
	struct seen seen;
	struct stat st;

	parse(A1 "\n" A2 "\n", &p, &seen);
	assert_int_equal(peerstore_write(path, p.v, p.n, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777 & ~0044, 0600);
	assert_int_equal(st.st_size, strlen(A1 "\n" A2 "\n"));
	assert_int_equal(peerstore_read(path, note, &seen, &again, NULL), 0);
	assert_int_equal(again.n, 2);
	assert_address(&again.v[1], A2);
	peerstore_clear(&again);
	assert_int_equal(peerstore_write(path, NULL, 0, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	peerstore_clear(&p);
	free(path);
}

static void a_failed_write_names_the_file(void **state)
{
	char *missing = path_join(*state, "no/peerstore");
	struct err e = { 0 };

	assert_int_equal(peerstore_write(missing, NULL, 0, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "no/peerstore"));
	free(missing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_come_one_per_line),
		cmocka_unit_test(lines_that_do_not_begin_with_a_slash_are_comments),
		cmocka_unit_test(bad_lines_are_reported_and_skipped),
		cmocka_unit_test(a_zero_byte_does_not_end_the_file),
		cmocka_unit_test(too_many_addresses_are_refused),
		cmocka_unit_test_setup_teardown(a_missing_file_is_empty, folder_make,
						folder_remove),
		cmocka_unit_test_setup_teardown(what_is_written_is_read_back, folder_make,
						folder_remove),
		cmocka_unit_test_setup_teardown(a_failed_write_names_the_file, folder_make,
						folder_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
