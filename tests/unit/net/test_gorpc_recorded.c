/* All recorded calls between a Go peer and the reference's library: what the one said is said to
 * our server or expected of our caller, and the other way round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "net/gorpc_frames.h"
#include "tests/lib/pieces.h"
#include "tests/lib/vectors.h"
#include "tests/unit/net/gorpc_fixture.h"

#define CAP 65536

static struct pair *net;

static bool allowed(void *arg, const struct peerid *peer, const struct gorpc_method *m)
{
	return true;
}

static bool is_streaming(const char *method)
{
	static const char *const names[] = { "IDStream",  "Peers",       "RecoverAllLocal",
					     "StatusAll", "BlockStream", "Pins" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(strchr(method, '.') + 1, names[i]) == 0)
			return true;
	return false;
}

/* ---- served ---- */

/* The values that a recorded answer has, to be given by the method, and its error. */
static struct {
	uint8_t bytes[CAP];
	struct {
		size_t at, n;
	} values[16];
	size_t n_values;
	const char *error; /* of the method; NULL: none */
	struct buf want;   /* the answer, with nil as the value of an error */
} recorded;

static void give_recorded(void *arg, struct gorpc_call *c, const uint8_t *p, size_t n)
{
	if (recorded.error) {
		gorpc_fail(c, GORPC_METHOD, recorded.error);
		return;
	}
	for (size_t i = 0; i < recorded.n_values; i++)
		assert_int_equal(0, gorpc_reply(c, recorded.bytes + recorded.values[i].at,
						recorded.values[i].n));
	gorpc_finish(c);
}

static void give_at_end(void *arg, struct gorpc_call *c, const uint8_t *p, size_t n)
{
	if (!p)
		give_recorded(arg, c, p, n);
}

static void not_cancelled(void *arg, struct gorpc_call *c)
{
	fail();
}

static const struct gorpc_method recorded_methods[] = {
	{ "Cluster", "ID", false, give_recorded, not_cancelled },
	{ "Cluster", "IDStream", true, give_at_end, not_cancelled },
	{ "Cluster", "PeerAdd", false, give_recorded, not_cancelled },
	{ "Cluster", "PeerRemove", false, give_recorded, not_cancelled },
	{ "Cluster", "Peers", true, give_at_end, not_cancelled },
	{ "Cluster", "RecoverAllLocal", true, give_at_end, not_cancelled },
	{ "Cluster", "RecoverLocal", false, give_recorded, not_cancelled },
	{ "Cluster", "RepoGCLocal", false, give_recorded, not_cancelled },
	{ "Cluster", "Version", false, give_recorded, not_cancelled },
	{ "Consensus", "AddPeer", false, give_recorded, not_cancelled },
	{ "Consensus", "LogPin", false, give_recorded, not_cancelled },
	{ "Consensus", "LogUnpin", false, give_recorded, not_cancelled },
	{ "Consensus", "RmPeer", false, give_recorded, not_cancelled },
	{ "IPFSConnector", "BlockStream", true, give_at_end, not_cancelled },
	{ "IPFSConnector", "RepoStat", false, give_recorded, not_cancelled },
	{ "IPFSConnector", "SwarmPeers", false, give_recorded, not_cancelled },
	{ "PinTracker", "Recover", false, give_recorded, not_cancelled },
	{ "PinTracker", "Status", false, give_recorded, not_cancelled },
	{ "PinTracker", "StatusAll", true, give_at_end, not_cancelled },
};

#define N_RECORDED (sizeof(recorded_methods) / sizeof(recorded_methods[0]))

static bool recorded_closed(const char *service, const char *method)
{
	static const char *const names[] = { "Cluster.Pin", "Cluster.Pins",
					     "Cluster.SendInformersMetrics",
					     "PeerMonitor.LatestMetrics" };
	char name[2 * GORPC_NAME_MAX + 2];

	snprintf(name, sizeof(name), "%s.%s", service, method);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void load_recorded(json_t *v)
{
	json_t *first = json_array_get(json_object_get(v, "response"), 0);
	size_t n = vectors_hex(v, "response_hex", recorded.bytes, sizeof(recorded.bytes)), len;
	struct gorpc_frames f;
	enum gorpc_frame kind;
	const uint8_t *frame;

	recorded.n_values = 0;
	recorded.error = json_string_value(json_object_get(first, "Error"));
	buf_reset(&recorded.want);
	gorpc_frames_init(&f, false);
	assert_int_equal(0, gorpc_frames_feed(&f, recorded.bytes, n));
	for (size_t at = 0; gorpc_frames_next(&f, &kind, &frame, &len) > 0; at += len) {
		if (kind == GORPC_FRAME_VALUE) {
			recorded.values[recorded.n_values].at = at;
			recorded.values[recorded.n_values++].n = len;
		}
		if (kind == GORPC_FRAME_VALUE && recorded.error)
			assert_int_equal(0, buf_byte(&recorded.want, 0xc0));
		else
			assert_int_equal(0, buf_append(&recorded.want, frame, len));
	}
	gorpc_frames_clear(&f);
}

/* With methods that give the values of the recorded answers, all 44 have the same bytes. */
static void recorded_calls_get_the_recorded_answers(void **state)
{
	const struct gorpc_config cfg = { .methods = recorded_methods,
					  .n_methods = N_RECORDED,
					  .closed = recorded_closed,
					  .allowed = allowed };
	json_t *root = vectors_load("cluster-rpc-streams.json"), *v;
	static uint8_t bytes[CAP];
	uint32_t seed = 1;
	size_t i;

	net = pair_new(&cfg, NULL, false);
	pair_connect(net);
	json_array_foreach (vectors_array(root, "streams"), i, v) {
		size_t n = vectors_hex(v, "request_hex", bytes, sizeof(bytes));
		struct raw r;

		load_recorded(v);
		raw_open(net, &r);
		for (size_t at = 0, part; at < n; at += part) {
			part = pieces_next(&seed, n - at);
			raw_write(&r, bytes + at, part);
			pair_turns(net, 2);
		}
		if (is_streaming(vectors_str(v, "method")))
			raw_shut(&r);
		until(net, r.eof || r.ended);
		if (!r.eof || !raw_is(&r, recorded.want.data, recorded.want.len))
			fail_msg("%zu: %s: another answer", i, vectors_str(v, "method"));
		raw_clear(&r);
	}
	buf_deinit(&recorded.want);
	json_decref(root);
}

/* ---- made ---- */

static struct outcome o;

/* Whether the reference ended its side before it had its answer. */
static bool ended_first(const char *events)
{
	const char *eof = strstr(events, "closewrite"), *answer = strstr(events, ", read ");

	if (strncmp(events, "read", 4) == 0) {
		eof = strstr(events, "read EOF");
		answer = strstr(events, "write");
	}
	return eof && (!answer || eof < answer);
}

/* As far as it is listened to: an error ends a call by its header. */
static void answer_in_pieces(struct raw *r, const uint8_t *p, size_t n, uint32_t seed)
{
	for (size_t at = 0, part; at < n && r->s; at += part) {
		part = pieces_next(&seed, n - at);
		raw_write(r, p + at, part);
		pair_turns(net, 1);
	}
	if (r->s)
		raw_shut(r);
}

static void check_recorded(json_t *v, size_t number)
{
	static uint8_t request_bytes[CAP], response[CAP];
	const struct gorpc_handler handler = outcome_of(&o);
	const char *method = vectors_str(v, "method");
	size_t n_request = vectors_hex(v, "request_hex", request_bytes, sizeof(request_bytes));
	size_t n_response = vectors_hex(v, "response_hex", response, sizeof(response));
	json_t *objects = json_object_get(v, "response");
	json_t *error = json_object_get(json_array_get(objects, 0), "Error");
	bool streaming = is_streaming(method);
	struct gorpc_request *request;
	struct gorpc_id id;
	struct gorpc_frames f;
	enum gorpc_frame kind;
	const uint8_t *p;
	struct raw *in;
	size_t n;

	gorpc_frames_init(&f, true);
	assert_int_equal(0, gorpc_frames_feed(&f, request_bytes, n_request));
	assert_int_equal(1, gorpc_frames_next(&f, &kind, &p, &n));
	assert_int_equal(0, gorpc_id_read(p, n, &id, NULL));
	gorpc_frames_clear(&f);
	net->a.n_in = 0;
	assert_int_equal(0, gorpc_call(net->b.rpc, &net->a.id.id, id.service, id.method, streaming,
				       n < n_request ? request_bytes + n : NULL, n_request - n, 0,
				       &handler, &request));
	in = &net->a.in[0];
	until(net, net->a.n_in == 1 && in->got.len >= n_request && (in->eof || !streaming));
	assert_true(raw_is(in, request_bytes, n_request));
	/* A unary caller keeps its side open until it has its answer. */
	pair_turns(net, 20);
	assert_int_equal(streaming, in->eof);
	assert_true(streaming || !ended_first(vectors_str(v, "events")));

	answer_in_pieces(in, response, n_response, (uint32_t)number + 1);
	until(net, o.done);
	assert_int_equal(error ? -EREMOTEIO : 0, o.status);
	assert_string_equal(error ? json_string_value(error) : "", o.text);
	assert_int_equal(error ? 0 : json_array_size(objects) / 2, o.n_values);
	until(net, in->eof || in->ended);
	raw_clear(in);
	*in = (struct raw){ 0 };
	outcome_clear(&o);
}

static void recorded_calls_are_made_and_their_answers_understood(void **state)
{
	static const struct gorpc_config nothing = { .allowed = allowed };
	json_t *root = vectors_load("cluster-rpc-streams.json"), *v;
	size_t i;

	net = pair_new(NULL, &nothing, true);
	pair_connect(net);
	json_array_foreach (vectors_array(root, "streams"), i, v)
		check_recorded(v, i);
	json_decref(root);
}

static int teardown(void **state)
{
	pair_free(net);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(recorded_calls_get_the_recorded_answers, teardown),
		cmocka_unit_test_teardown(recorded_calls_are_made_and_their_answers_understood,
					  teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
