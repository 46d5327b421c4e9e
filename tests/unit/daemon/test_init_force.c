/* --init where something is there already: what is refused, what is replaced, and what is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>

#include "daemon/init.h"
#include "tests/lib/folder.h"
#include "util/clock.h"

#define ID "12D3KooWC7LBFfAHYchqUWwzTyjTiMac4AtVmSvqMoEWUA1pQbkk"
#define PEER "/ip4/127.0.0.1/tcp/9096/p2p/" ID
#define OTHER_PEER "/dns4/example.org/tcp/9096/p2p/" ID
#define NOW_TEXT "2026-11-25T02:25:06Z"

static const char *const peers[] = { PEER };

static int64_t now(void)
{
	return 1795573506 * NS_PER_S;
}

static void assert_text(const char *folder, const char *name, const char *want)
{
	char *text = folder_get(folder, name);

	assert_string_equal(text, want);
	free(text);
}

/* A folder that works, with a peerstore. Returns its service.json. */
static char *make_first(const char *folder)
{
	struct init_options o = { .folder = folder };
	struct init_result ret;

	assert_int_equal(config_init(&o, &ret, NULL), 0);
	folder_put(folder, CONFIG_PEERSTORE_FILE, OTHER_PEER "\n");
	return folder_get(folder, CONFIG_FILE);
}

static unsigned files(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *d;
	unsigned n = 0;

	assert_non_null(dir);
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void force_replaces_the_configuration_and_keeps_the_old_one(void **state)
{
	char *old = make_first(*state), *identity = folder_get(*state, CONFIG_IDENTITY_FILE), *new;
	struct init_options o = { .folder = *state, .force = true };
	struct init_result ret = { 0 };
	struct config *c;

	assert_int_equal(config_init(&o, &ret, NULL), 0);
	assert_string_equal(ret.kept_service, "service.json." NOW_TEXT);
	assert_text(*state, "service.json." NOW_TEXT, old);
	assert_int_equal(folder_mode(*state, "service.json." NOW_TEXT), 0600);
	new = folder_get(*state, CONFIG_FILE);
	assert_string_not_equal(new, old); /* another secret */
	assert_int_equal(config_load(*state, &c, NULL), 0);
	assert_false(ret.new_identity);
	assert_text(*state, CONFIG_IDENTITY_FILE, identity);
	assert_string_equal(ret.kept_peerstore, "");
	assert_text(*state, CONFIG_PEERSTORE_FILE, OTHER_PEER "\n");
	assert_int_equal(files(*state), 4);
	config_free(c);
	free(identity);
	free(new);
	free(old);
}

static void force_with_peers_keeps_the_old_peerstore(void **state)
{
	struct init_options o = { .folder = *state, .force = true, .peers = peers, .n_peers = 1 };
	struct init_result ret = { 0 };

	free(make_first(*state));
	assert_int_equal(config_init(&o, &ret, NULL), 0);
	assert_string_equal(ret.kept_peerstore, "peerstore." NOW_TEXT);
	assert_text(*state, "peerstore." NOW_TEXT, OTHER_PEER "\n");
	assert_text(*state, CONFIG_PEERSTORE_FILE, PEER "\n");
}

static void what_is_kept_within_one_second_has_names_of_its_own(void **state)
{
	struct init_options o = { .folder = *state, .force = true };
	struct init_result ret = { 0 };
	char *first = make_first(*state), *second;

	assert_int_equal(config_init(&o, &ret, NULL), 0);
	second = folder_get(*state, CONFIG_FILE);
	assert_int_equal(config_init(&o, &ret, NULL), 0);
	assert_string_equal(ret.kept_service, "service.json." NOW_TEXT "-1");
	assert_text(*state, "service.json." NOW_TEXT, first);
	assert_text(*state, "service.json." NOW_TEXT "-1", second);
	free(first);
	free(second);
}

static void force_needs_nothing_to_replace(void **state)
{
	struct init_options o = { .folder = *state, .force = true };
	struct init_result ret = { 0 };

	assert_int_equal(config_init(&o, &ret, NULL), 0);
	assert_true(ret.new_identity);
	assert_string_equal(ret.kept_service, "");
	assert_int_equal(files(*state), 3);
}

static void a_peerstore_is_not_replaced_without_force(void **state)
{
	struct init_options o = { .folder = *state, .peers = peers, .n_peers = 1 };
	struct init_result ret = { 0 };
	struct err e = { 0 };

	folder_put(*state, CONFIG_PEERSTORE_FILE, OTHER_PEER "\n");
	assert_int_equal(config_init(&o, &ret, &e), -EEXIST);
	assert_non_null(strstr(e.msg, "peerstore is there already: --force"));
	assert_text(*state, CONFIG_PEERSTORE_FILE, OTHER_PEER "\n");
	assert_int_equal(files(*state), 1);
	folder_put(*state, CONFIG_PEERSTORE_FILE, ""); /* nothing is lost */
	assert_int_equal(config_init(&o, &ret, NULL), 0);
	assert_text(*state, CONFIG_PEERSTORE_FILE, PEER "\n");
	assert_string_equal(ret.kept_peerstore, "");
}

/* service.json cannot be written: its temporary name is taken by a folder. */
static void a_failure_leaves_everything_as_it_was(void **state)
{
	struct init_options o = { .folder = *state, .force = true, .peers = peers, .n_peers = 1 };
	char *old = make_first(*state), *trap = path_join(*state, CONFIG_FILE ".tmp");
	struct init_result ret = { 0 };

	assert_int_equal(mkdir(trap, 0700), 0);
	assert_true(config_init(&o, &ret, NULL) < 0);
	assert_text(*state, CONFIG_FILE, old);
	assert_text(*state, CONFIG_PEERSTORE_FILE, OTHER_PEER "\n");
	assert_int_equal(files(*state), 4); /* the trap is one */
	free(trap);
	free(old);
}

static int setup(void **state)
{
	clock_fake(now);
	return folder_make(state);
}

static int teardown(void **state)
{
	clock_fake(NULL);
	return folder_remove(state);
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(force_replaces_the_configuration_and_keeps_the_old_one),
		IN_FOLDER(force_with_peers_keeps_the_old_peerstore),
		IN_FOLDER(what_is_kept_within_one_second_has_names_of_its_own),
		IN_FOLDER(force_needs_nothing_to_replace),
		IN_FOLDER(a_peerstore_is_not_replaced_without_force),
		IN_FOLDER(a_failure_leaves_everything_as_it_was),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
