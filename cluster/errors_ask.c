/* The pins in error on all members, as JSON lines in the order in which they come. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/internal.h"
#include "cluster/members.h"
#include "cluster/rpc_server.h"
#include "cluster/status_ask.h"
#include "util/json_write.h"
#include "util/rfc3339.h"

#define ANSWER_MEMORY_MAX (256u << 10)
#define LINES_BYTES_MAX (16u << 20) /* of all; further lines are counted only */

struct errors_ask {
	struct cluster_request *rq;
	struct survey_peer *peers; /* until the survey has them */
	size_t n, cap;
	struct buf lines;
	uint64_t shown, total;
	bool full;
};

/* ---- lines ---- */

static int text_member(struct buf *out, const char *key, const struct pin_text *t)
{
	int r = buf_byte(out, ',');

	return r < 0 ? r : json_write_member(out, key, t->p ? t->p : "", t->n);
}

static int write_line(struct buf *out, const char *peer, const struct rpc_pin_info *i)
{
	char cid[CID_TEXT_MAX + 1] = "";
	int r;

	if (cid_defined(&i->cid))
		cid_format(&i->cid, cid);
	r = buf_printf(out, "{\"cid\":\"%s\",\"peer\":\"%s\"", cid, peer);
	if (r == 0)
		r = text_member(out, "peername", &i->peername);
	if (r == 0)
		r = buf_printf(out, ",\"status\":\"%s\"", status_name(i->status));
	if (r == 0)
		r = text_member(out, "error", &i->error);
	if (r == 0)
		r = buf_str(out, ",\"since\":\"");
	if (r == 0)
		r = rfc3339_format_ns(out, said_time_ns(&i->since));
	return r < 0 ? r
		     : buf_printf(out, "\",\"attempts\":%u,\"next_retry\":\"\"}\n", i->attempts);
}

static void on_value(void *arg, struct survey_peer *p, const uint8_t *data, size_t n)
{
	struct errors_ask *ask = arg;
	struct bump bump = { .left = ANSWER_MEMORY_MAX };
	size_t before = ask->lines.len;
	struct rpc_pin_info info;
	char peer[PEERID_TEXT_MAX];

	ask->total++;
	peerid_format(&p->peer, peer);
	if (ask->full || rpc_pin_info_decode(data, n, &bump, &info, NULL) < 0) {
		bump_free_all(bump.chunks);
		return;
	}
	if (write_line(&ask->lines, peer, &info) == 0) {
		ask->shown++;
	} else {
		ask->full = true;
		ask->lines.len = before;
	}
	bump_free_all(bump.chunks);
}

/* ---- the last line ---- */

static json_t *last_line(const struct errors_ask *ask, const struct survey_peer *peers, size_t n)
{
	json_t *answered = json_array(), *silent = json_array(), *reasons = json_object();
	char id[PEERID_TEXT_MAX];

	peerid_format(&ask->rq->cluster->opt.self, id);
	json_array_append_new(answered, json_string(id));
	for (size_t i = 0; i < n; i++) {
		const char *why = peers[i].end == SURVEY_FORBIDDEN
				      ? "we are not trusted there, and may not ask"
				      : peers[i].error;

		peerid_format(&peers[i].peer, id);
		if (peers[i].end == SURVEY_ANSWERED) {
			json_array_append_new(answered, json_string(id));
			continue;
		}
		json_array_append_new(silent, json_string(id));
		if (json_object_set_new(reasons, id, json_string(why)) < 0)
			json_object_set_new(reasons, id, json_string("no text"));
	}
	return json_pack("{s:o,s:o,s:o,s:I,s:I}", "answered", answered, "silent", silent, "reasons",
			 reasons, "shown", (json_int_t)(ask->rq->shown + ask->shown),
			 "pins_in_error", (json_int_t)(ask->rq->total + ask->total));
}

static void finish(struct errors_ask *ask, const struct survey_peer *peers, size_t n)
{
	struct cluster_request *rq = ask->rq;
	json_t *last = last_line(ask, peers, n);
	char *text = last ? json_dumps(last, JSON_COMPACT) : NULL;
	int r = buf_append(&rq->answer, ask->lines.data, ask->lines.len);

	if (r == 0)
		r = text ? buf_printf(&rq->answer, "%s\n", text) : -ENOMEM;
	free(text);
	json_decref(last);
	buf_deinit(&ask->lines);
	free(ask->peers);
	free(ask);
	request_end(rq, r);
}

static void on_done(void *arg, struct survey_peer *peers, size_t n)
{
	finish(arg, peers, n);
}

/* ---- asking ---- */

static bool add_member(void *arg, const struct member *m)
{
	struct errors_ask *ask = arg;

	if (!m->alive)
		return true;
	if (ask->n == ask->cap) {
		size_t cap = ask->cap ? 2 * ask->cap : 8;
		struct survey_peer *v = realloc(ask->peers, cap * sizeof(*v));

		if (!v)
			return false;
		ask->peers = v;
		ask->cap = cap;
	}
	ask->peers[ask->n++] = (struct survey_peer){ .peer = m->peer };
	return true;
}

static int put_question(struct errors_ask *ask)
{
	const struct survey_events events = { .value = on_value, .done = on_done, .arg = ask };
	struct survey_question q = { .service = "PinTracker",
				     .method = "StatusAll",
				     .streaming = true };
	struct cluster *c = ask->rq->cluster;
	struct survey_peer *peers = ask->peers;
	struct buf argument = BUF_INIT(0);
	int r = rpc_filter_encode(status_bit(STATUS_CLUSTER_ERROR) | status_bit(STATUS_PIN_ERROR) |
				      status_bit(STATUS_UNPIN_ERROR),
				  &argument);

	q.argument = argument.data;
	q.len = argument.len;
	ask->peers = NULL;
	if (r == 0)
		r = survey_start(&c->surveys, c->rpc ? rpc_server_gorpc(c->rpc) : NULL, &q, peers,
				 ask->n, &events);
	if (r < 0)
		free(peers);
	buf_deinit(&argument);
	return r;
}

void errors_ask_start(struct cluster_request *rq)
{
	struct errors_ask *ask = calloc(1, sizeof(*ask));
	int r;

	if (!ask) {
		request_end(rq, -ENOMEM);
		return;
	}
	ask->rq = rq;
	buf_init(&ask->lines, LINES_BYTES_MAX);
	if (!rq->cluster->members) {
		finish(ask, NULL, 0);
		return;
	}
	members_each(rq->cluster->members, add_member, ask);
	r = put_question(ask);
	if (r < 0) {
		buf_deinit(&ask->lines);
		free(ask);
		request_end(rq, r);
	}
}
