#include "cluster/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/container.h"

struct survey {
	struct list item;
	struct surveys *all;
	struct survey_events events;
	struct survey_peer *peers;
	size_t n, open;
};

void surveys_init(struct surveys *all)
{
	*all = (struct surveys){ 0 };
	list_init(&all->list);
}

/* ---- who is silent ---- */

static bool is_silent(const struct surveys *all, const struct peerid *peer)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < SURVEY_SILENT_MAX; i++)
		if (all->silent[i].until_ms > now && peerid_equal(&all->silent[i].peer, peer))
			return true;
	return false;
}

static void note_silent(struct surveys *all, const struct peerid *peer)
{
	size_t at = all->next_silent++ % SURVEY_SILENT_MAX;

	all->silent[at].peer = *peer;
	all->silent[at].until_ms = clock_mono_ms() + SURVEY_SILENT_MS;
}

/* ---- the ends ---- */

static void finish(struct survey *s)
{
	struct survey_peer *peers = s->peers;

	list_del(&s->item);
	s->all->n--;
	s->events.done(s->events.arg, peers, s->n);
	free(peers);
	free(s);
}

static void fail(struct survey_peer *p, const char *why)
{
	p->end = SURVEY_FAILED;
	snprintf(p->error, sizeof(p->error), "%s", why);
}

static void on_value(void *arg, const uint8_t *p, size_t n)
{
	struct survey_peer *peer = arg;

	peer->survey->events.value(peer->survey->events.arg, peer, p, n);
}

static void on_done(void *arg, const struct gorpc_result *r)
{
	struct survey_peer *p = arg;
	struct survey *s = p->survey;

	p->request = NULL;
	if (r->status == -EREMOTEIO && r->type == GORPC_FORBIDDEN)
		p->end = SURVEY_FORBIDDEN;
	else if (r->status < 0)
		fail(p, r->text);
	if (r->status == -ETIMEDOUT)
		note_silent(s->all, &p->peer);
	if (--s->open == 0)
		finish(s);
}

/* ---- asking ---- */

static void ask(struct survey_peer *p, struct gorpc *rpc, const struct survey_question *q)
{
	const struct gorpc_handler h = { .value = on_value, .done = on_done, .arg = p };
	int r;

	if (is_silent(p->survey->all, &p->peer)) {
		fail(p, "did not answer a moment ago");
		return;
	}
	r = gorpc_call(rpc, &p->peer, q->service, q->method, q->streaming, q->argument, q->len,
		       SURVEY_MS, &h, &p->request);
	if (r == 0)
		p->survey->open++;
	else
		fail(p, r == -ENOTCONN ? "not connected" : strerror(-r));
}

int survey_start(struct surveys *all, struct gorpc *rpc, const struct survey_question *q,
		 struct survey_peer *peers, size_t n, const struct survey_events *events)
{
	struct survey *s;

	if (all->n == SURVEYS_MAX)
		return -EAGAIN;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->all = all;
	s->events = *events;
	s->peers = peers;
	s->n = n;
	list_add_tail(&all->list, &s->item);
	all->n++;
	for (size_t i = 0; i < n; i++) {
		peers[i].survey = s;
		peers[i].request = NULL;
		peers[i].end = SURVEY_ANSWERED;
		ask(&peers[i], rpc, q);
	}
	if (s->open == 0)
		finish(s);
	return 0;
}

void surveys_abort(struct surveys *all)
{
	while (!list_empty(&all->list)) {
		struct survey *s = container_of(all->list.next, struct survey, item);

		for (size_t i = 0; i < s->n; i++) {
			if (!s->peers[i].request)
				continue;
			gorpc_cancel(s->peers[i].request);
			fail(&s->peers[i], "this peer is shutting down");
		}
		finish(s);
	}
}
