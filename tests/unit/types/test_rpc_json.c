#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/vectors.h"
#include "types/msgpack_wire.h"
#include "types/rpc_types.h"

#define CAP 16384
#define MEMORY (1u << 20)

/* The value behind the header of the recorded answer to @method. */
static size_t answer(json_t *root, const char *method, uint8_t *out)
{
	json_t *v;
	size_t i;

	json_array_foreach (vectors_array(root, "streams"), i, v) {
		size_t n, header;

		if (strcmp(vectors_str(v, "direction"), "out") != 0 ||
		    strcmp(vectors_str(v, "method"), method) != 0)
			continue;
		n = vectors_hex(v, "response_hex", out, CAP);
		assert_int_equal(1, mp_object_size(out, n, CAP, &header));
		memmove(out, out + header, n - header);
		return n - header;
	}
	fail_msg("no answer to %s", method);
	return 0;
}

/* How the reference prints that. */
static const char *shown(json_t *root, const char *method)
{
	json_t *v;
	size_t i;

	json_array_foreach (vectors_array(root, "client_results"), i, v)
		if (strcmp(vectors_str(v, "client_call"), method) == 0)
			return vectors_str(v, "reply");
	fail_msg("no reply of %s", method);
	return NULL;
}

static void an_id_is_shown_as_the_reference_shows_it(void **state)
{
	static const char *const methods[] = { "Cluster.ID", "Cluster.PeerAdd" };
	json_t *root = vectors_load("cluster-rpc-streams.json");

	for (size_t i = 0; i < 2; i++) {
		struct bump memory = { .left = MEMORY };
		uint8_t bytes[CAP];
		struct rpc_id id;
		json_t *j;
		char *text;
		size_t n = answer(root, methods[i], bytes);

		assert_int_equal(0, rpc_id_decode(bytes, n, &memory, &id, NULL));
		j = rpc_id_json(&id);
		assert_non_null(j);
		text = json_dumps(j, JSON_COMPACT);
		assert_string_equal(shown(root, methods[i]), text);
		free(text);
		json_decref(j);
		bump_free_all(memory.chunks);
	}
	json_decref(root);
}

static void an_id_of_which_nothing_is_known_has_all_keys(void **state)
{
	const struct rpc_id id = { 0 };
	json_t *j = rpc_id_json(&id);
	char *text;

	assert_non_null(j);
	text = json_dumps(j, JSON_COMPACT);
	assert_string_equal("{\"id\":\"\",\"addresses\":[],\"cluster_peers\":[],"
			    "\"cluster_peers_addresses\":[],\"version\":\"\",\"commit\":\"\","
			    "\"rpc_protocol_version\":\"\",\"error\":\"\","
			    "\"ipfs\":{\"id\":\"\",\"addresses\":[],\"error\":\"\"},"
			    "\"peername\":\"\"}",
			    text);
	free(text);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_shown_as_the_reference_shows_it),
		cmocka_unit_test(an_id_of_which_nothing_is_known_has_all_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
