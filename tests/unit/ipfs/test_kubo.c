#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/ipfs/kubo_fixture.h"
#include "util/container.h"

static const struct http_fake_step rm_steps[] = { HEAD(200), { FAKE_CHUNK, PINS_A }, { FAKE_END } };

static void id_reads_the_answer(void **state)
{
	static const struct http_fake_step steps[] = {
		HEAD(200),
		{ FAKE_BYTES, "{\"ID\":\"12D3KooW\",\"PublicKey\":\"CAES\",\"Addresses\":["
			      "\"/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW\",\"/ip4/1.2.3.4/tcp/1\"],"
			      "\"AgentVersion\":\"kubo/0.42.0\",\"Protocols\":null}\n" },
		{ FAKE_END },
	};
	struct fix *f = *state;
	struct got g = { .f = f };

	fix_serve(f, "/api/v0/id", steps);
	assert_int_equal(kubo_id(f->kubo, got_id, &g, NULL), 0);
	wants_ok(&g);
	wants_request(f, "id");
	assert_string_equal(g.id.id, "12D3KooW");
	assert_string_equal(g.id.agent, "kubo/0.42.0");
	assert_int_equal(g.id.n_addresses, 2);
	assert_string_equal(g.address, "/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW");
}

static void id_of_an_offline_node_has_no_addresses(void **state)
{
	struct fix *f = *state;
	struct got g = { .f = f };

	fix_serve_text(f, "/api/v0/id",
		       "{\"ID\":\"12D3KooW\",\"Addresses\":null,"
		       "\"AgentVersion\":\"kubo/0.42.0\",\"Protocols\":null}\n");
	assert_int_equal(kubo_id(f->kubo, got_id, &g, NULL), 0);
	wants_ok(&g);
	assert_int_equal(g.id.n_addresses, 0);
}

static void repo_stat_reads_sizes(void **state)
{
	struct fix *f = *state;
	struct got g = { .f = f };

	fix_serve_text(f, "/api/v0/repo/stat",
		       "{\"RepoSize\":26578,\"StorageMax\":10000000000,\"NumObjects\":7,"
		       "\"RepoPath\":\"\",\"Version\":\"\"}\n");
	assert_int_equal(kubo_repo_stat(f->kubo, got_repo, &g, NULL), 0);
	wants_ok(&g);
	wants_request(f, "repo/stat?size-only=true");
	assert_true(g.repo.repo_size == 26578 && g.repo.storage_max == 10000000000 &&
		    g.repo.num_objects == 7);
}

static void pin_add_reports_each_increase(void **state)
{
	static const struct http_fake_step steps[] = {
		HEAD(200),
		{ FAKE_CHUNK, "{}\n{}\n{\"Progress\":0}\n{\"Progress\":5,\"Bytes\":1}\n" },
		{ FAKE_BYTES, "{\"Progress\":5,\"Bytes\":1}\n{\"Progress\":20,\"Bytes\":3}\n" },
		{ FAKE_CHUNK, PINS_A },
		{ FAKE_END },
	};
	struct fix *f = *state;
	struct got g = { .f = f };

	fix_serve(f, "/api/v0/pin/add", steps);
	assert_int_equal(
	    kubo_pin_add(f->kubo, &f->a, -1, "a b&c=\xc3\xa9", got_progress, got_done, &g, NULL),
	    0);
	wants_ok(&g);
	wants_request(f,
		      "pin/add?arg=" CID_A "&recursive=true&progress=true&name=a%20b%26c%3D%C3%A9");
	assert_int_equal(g.each, 2);
	assert_true(g.nodes == 20);
}

static void pin_add_direct_needs_no_progress(void **state)
{
	struct fix *f = *state;
	struct got g = { .f = f };

	fix_serve_text(f, "/api/v0/pin/add", PINS_A);
	assert_int_equal(kubo_pin_add(f->kubo, &f->b, 0, NULL, NULL, got_done, &g, NULL), 0);
	wants_ok(&g);
	wants_request(f, "pin/add?arg=" CID_B "&recursive=false&progress=true");
	assert_int_equal(kubo_pin_add(f->kubo, &f->b, 3, NULL, NULL, got_done, &g, NULL), -EINVAL);
}

static void pin_update_and_rm_ask_for_what_they_should(void **state)
{
	struct fix *f = *state;
	struct got update = { .f = f }, rm = { .f = f };

	fix_serve_text(f, "/api/v0/pin/", PINS_A);
	assert_int_equal(kubo_pin_update(f->kubo, &f->a, &f->b, got_done, &update, NULL), 0);
	wants_ok(&update);
	wants_request(f, "pin/update?arg=" CID_A "&arg=" CID_B "&unpin=false");
	assert_int_equal(kubo_pin_rm(f->kubo, &f->a, got_done, &rm, NULL), 0);
	wants_ok(&rm);
	wants_request(f, "pin/rm?arg=" CID_A);
}

static void pin_rm_is_refused_when_disabled(void **state)
{
	struct fix *f = *state;

	f->cfg.unpin_disable = true;
	fix_open(f);
	assert_int_equal(kubo_pin_rm(f->kubo, &f->a, got_done, NULL, NULL), -EPERM);
}

#define KEYS(type) "{\"Keys\":{\"" CID_A "\":{\"Type\":\"" type "\",\"Name\":\"\"}}}\n"
#define NOT_PINNED                                                                                 \
	"{\"Message\":\"path '" CID_A "' is not pinned\",\"Code\":0,\"Type\":\"error\"}\n"

static const struct {
	size_t code;
	const char *body;
	enum kubo_pin_kind kind;
} kinds[] = {
	{ 200, KEYS("recursive"), KUBO_RECURSIVE },
	{ 200, KEYS("direct"), KUBO_DIRECT },
	{ 200, KEYS("indirect"), KUBO_INDIRECT },
	{ 200, KEYS("indirect through " CID_B), KUBO_INDIRECT },
	{ 500, NOT_PINNED, KUBO_UNPINNED },
};

static void pin_ls_of_one_tells_the_kind(void **state)
{
	struct fix *f = *state;
	struct http_fake_step steps[3] = { { FAKE_HEAD }, { FAKE_CHUNK }, { FAKE_END } };
	size_t i;

	fix_serve(f, "/api/v0/pin/ls", steps);
	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		struct got g = { .f = f, .kind = (enum kubo_pin_kind)99 };

		steps[0].n = kinds[i].code;
		steps[1].text = kinds[i].body;
		assert_int_equal(kubo_pin_ls_one(f->kubo, &f->a, got_kind, &g, NULL), 0);
		wants_ok(&g);
		assert_int_equal(g.kind, kinds[i].kind);
		wants_request(f, "pin/ls?arg=" CID_A);
	}
	assert_int_equal(http_fake_connections(f->fake), 1); /* kept and used again */
}

static void pin_ls_of_nothing_is_an_empty_answer(void **state)
{
	static const struct http_fake_step steps[] = { HEAD(200), { FAKE_END } };
	struct fix *f = *state;
	struct got g = { .f = f };

	fix_serve(f, "/api/v0/pin/ls", steps);
	assert_int_equal(kubo_pin_ls(f->kubo, KUBO_DIRECT, got_pin, got_done, &g, NULL), 0);
	wants_ok(&g);
	wants_request(f, "pin/ls?stream=true&type=direct");
	assert_int_equal(g.each, 0);
	assert_int_equal(kubo_pin_ls(f->kubo, KUBO_UNPINNED, got_pin, got_done, &g, NULL), -EINVAL);
}

static size_t json_live, json_peak;

static void *counted_malloc(size_t n)
{
	void *p = malloc(n);

	json_live += p ? malloc_usable_size(p) : 0;
	if (json_live > json_peak)
		json_peak = json_live;
	return p;
}

static void counted_free(void *p)
{
	json_live -= p ? malloc_usable_size(p) : 0;
	free(p);
}

static void pin_ls_streams_10000_pins_in_bounded_memory(void **state)
{
	static const struct http_fake_step steps[] = { HEAD(200),
						       { FAKE_FILL, LINE(CID_A) LINE(CID_B), 5000 },
						       { FAKE_END } };
	struct fix *f = *state;
	struct got g = { .f = f };

	fix_serve(f, "/api/v0/pin/ls", steps);
	json_live = json_peak = 0;
	json_set_alloc_funcs(counted_malloc, counted_free);
	assert_int_equal(kubo_pin_ls(f->kubo, KUBO_RECURSIVE, got_pin, got_done, &g, NULL), 0);
	wants_ok(&g);
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(g.each, 10000);
	assert_true(json_peak > 0 && json_peak < 16384);
	assert_int_equal(json_live, 0);
}

static void gc_tells_keys_and_errors(void **state)
{
	static const struct http_fake_step steps[] = {
		HEAD(200),
		{ FAKE_CHUNK, "{\"Key\":{\"/\":\"" CID_B "\"}}\n" },
		{ FAKE_CHUNK, "{\"Error\":\"could not read\"}\n" },
		{ FAKE_END },
	};
	struct fix *f = *state;
	struct got g = { .f = f };

	fix_serve(f, "/api/v0/repo/gc", steps);
	assert_int_equal(kubo_repo_gc(f->kubo, got_gc, got_done, &g, NULL), 0);
	wants_ok(&g);
	wants_request(f, "repo/gc?stream-errors=true");
	assert_int_equal(g.each, 2);
	assert_string_equal(g.text, "|could not read");
}

static void an_address_without_tcp_is_refused(void **state)
{
	struct fix *f = *state;
	const char *text = "/ip4/127.0.0.1/udp/5001";
	struct kubo *k = NULL;
	struct err e = { 0 };

	assert_int_equal(multiaddr_parse(text, strlen(text), &f->cfg.node_multiaddress, NULL), 0);
	assert_int_equal(kubo_new(&f->loop, &f->cfg, &k, &e), -EINVAL);
	assert_int_equal(e.code, -EINVAL);
	assert_null(k);
}

static void a_node_may_have_a_name(void **state)
{
	struct fix *f = *state;
	struct got g = { .f = f }, dropped = { .f = f };

	http_fake_route(f->fake, "/api/v0/pin/rm", rm_steps);
	fix_open_at(f, "/dns4/localhost");
	assert_int_equal(kubo_pin_rm(f->kubo, &f->a, got_done, &g, NULL), 0);
	wants_ok(&g);
	/* One whose look-up may be under way when the fixture closes. */
	assert_int_equal(kubo_pin_rm(f->kubo, &f->a, got_done, &dropped, NULL), 0);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	kubo_close(f->kubo, fix_on_closed, f);
	fix_wait(f, &dropped.done);
}

static void proxies_of_the_environment_are_not_used(void **state)
{
	struct fix *f = *state;
	struct got g = { .f = f };

	fix_serve_text(f, "/api/v0/pin/rm", PINS_A);
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	assert_int_equal(kubo_pin_rm(f->kubo, &f->a, got_done, &g, NULL), 0);
	wants_ok(&g);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
}

static void a_connection_that_kubo_closed_is_made_anew(void **state)
{
	static const struct http_fake_step steps[] = {
		{ FAKE_RAW, "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n" PINS_A },
		{ FAKE_CLOSE },
	};
	struct fix *f = *state;
	int i;

	fix_serve(f, "/api/v0/pin/rm", steps);
	for (i = 1; i <= 3; i++) {
		struct got g = { .f = f };

		assert_int_equal(kubo_pin_rm(f->kubo, &f->a, got_done, &g, NULL), 0);
		wants_ok(&g);
		assert_int_equal(http_fake_connections(f->fake), i);
	}
}

/* --- callbacks that do things --- */

static void start_rm(struct got *g)
{
	struct got *next = g->other;

	if (!next)
		return;
	g->other = NULL; /* once */
	assert_int_equal(kubo_pin_rm(g->f->kubo, &g->f->a, got_done, next, NULL), 0);
	assert_int_equal(next->done, 0);
}

static const struct http_fake_step pins_steps[] = { HEAD(200),
						    { FAKE_CHUNK, LINE(CID_A) LINE(CID_B) },
						    { FAKE_END } };

static void each_and_done_may_start_calls(void **state)
{
	struct fix *f = *state;
	int from_done;

	http_fake_route(f->fake, "/api/v0/pin/ls", pins_steps);
	http_fake_route(f->fake, "/api/v0/pin/rm", rm_steps);
	fix_open(f);
	for (from_done = 0; from_done < 2; from_done++) {
		struct got next = { .f = f };
		struct got g = { .f = f, .other = &next };

		if (from_done)
			g.on_done = start_rm;
		else
			g.on_each = start_rm;
		assert_int_equal(kubo_pin_ls(f->kubo, KUBO_RECURSIVE, got_pin, got_done, &g, NULL),
				 0);
		wants_ok(&g);
		fix_wait(f, &next.done);
		assert_int_equal(next.status, 0);
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, fix_setup, fix_teardown)
	const struct CMUnitTest tests[] = {
		T(id_reads_the_answer),
		T(id_of_an_offline_node_has_no_addresses),
		T(repo_stat_reads_sizes),
		T(pin_add_reports_each_increase),
		T(pin_add_direct_needs_no_progress),
		T(pin_update_and_rm_ask_for_what_they_should),
		T(pin_rm_is_refused_when_disabled),
		T(pin_ls_of_one_tells_the_kind),
		T(pin_ls_of_nothing_is_an_empty_answer),
		T(pin_ls_streams_10000_pins_in_bounded_memory),
		T(gc_tells_keys_and_errors),
		T(an_address_without_tcp_is_refused),
		T(a_node_may_have_a_name),
		T(proxies_of_the_environment_are_not_used),
		T(a_connection_that_kubo_closed_is_made_anew),
		T(each_and_done_may_start_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
