/*
 * Whether Kubo is there. It is asked for its id at start, after a call could not reach it (again
 * and again, at growing distances), and every KNOWN_MS while it is there; nothing else calls it
 * while it is away.
 */
#include "cluster/tracker_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

#define LOG_AREA "tracker"
#include "util/log.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 15000
#define KNOWN_MS 15000 /* half the life of the metric of free space */

bool tracker_kubo_is_away(int status)
{
	switch (status) {
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -ECONNABORTED:
	case -EHOSTUNREACH:
	case -EHOSTDOWN:
	case -ENETUNREACH:
	case -ENETDOWN:
	case -EADDRNOTAVAIL:
	case -EPIPE:
		return true;
	default:
		return false;
	}
}

static void on_probe(uv_timer_t *timer);

static void probe_in(struct tracker *t, int64_t ms)
{
	if (!t->closing)
		uv_timer_start(&t->probe, on_probe, (uint64_t)ms, 0);
}

static void set_up(struct tracker *t, bool up, const char *error)
{
	pthread_mutex_lock(&t->lock);
	t->known.asked = true;
	t->known.up = up;
	t->known.since_ns = clock_now_ns();
	t->known.repo_known = false;
	t->repo_due = true;
	snprintf(t->known.error, sizeof(t->known.error), "%s", error);
	pthread_mutex_unlock(&t->lock);
	if (t->opt.events.kubo)
		t->opt.events.kubo(t->opt.events.arg, up, error);
}

void tracker_kubo_lost(struct tracker *t, const struct err *e)
{
	if (t->closing || (t->known.asked && !t->known.up))
		return;
	log_warn("IPFS is away, pins wait for it: %s", e->msg);
	t->surveyed = false;
	t->backoff_ms = BACKOFF_MIN_MS;
	set_up(t, false, e->msg);
	probe_in(t, t->backoff_ms);
}

static void came(struct tracker *t)
{
	log_info("IPFS is there: %s", t->known.id);
	t->limit = (unsigned)t->opt.config->concurrent_pins;
	set_up(t, true, "");
	tracker_round(t);
	tracker_soon(t);
}

static void keep_id(struct tracker *t, const struct kubo_id *id)
{
	size_t at = 0;

	pthread_mutex_lock(&t->lock);
	snprintf(t->known.id, sizeof(t->known.id), "%s", id->id);
	snprintf(t->known.agent, sizeof(t->known.agent), "%s", id->agent);
	t->known.addresses[0] = '\0';
	for (size_t i = 0; i < id->n_addresses; i++) {
		size_t n = strlen(id->addresses[i]);

		if (at + n + 2 > sizeof(t->known.addresses))
			break;
		memcpy(t->known.addresses + at, id->addresses[i], n);
		memcpy(t->known.addresses + at + n, "\n", 2);
		at += n + 1;
	}
	pthread_mutex_unlock(&t->lock);
}

static void keep_repo(struct tracker *t, const struct kubo_repo *repo)
{
	bool due = t->known.up && t->repo_due;

	pthread_mutex_lock(&t->lock);
	t->known.repo = *repo;
	t->known.repo_ns = clock_now_ns();
	t->known.repo_known = t->known.up;
	pthread_mutex_unlock(&t->lock);
	if (!due)
		return;
	t->repo_due = false;
	if (t->opt.events.repo)
		t->opt.events.repo(t->opt.events.arg);
}

static void on_repo(void *arg, int status, const struct kubo_repo *repo, const struct err *e)
{
	struct tracker *t = arg;

	t->stat_call = NULL;
	if (status == 0)
		keep_repo(t, repo);
	tracker_unuse(t);
}

static void ask_repo(struct tracker *t)
{
	if (t->stat_call || t->closing)
		return;
	tracker_use(t);
	if (kubo_repo_stat(t->opt.kubo, on_repo, t, &t->stat_call) < 0)
		tracker_unuse(t);
}

void tracker_ask_repo(struct tracker *t)
{
	t->repo_due = true;
	if (t->known.up)
		ask_repo(t);
}

static void on_id_failed(struct tracker *t, const struct err *e)
{
	if (!t->known.asked || t->known.up) {
		tracker_kubo_lost(t, e);
		return;
	}
	t->backoff_ms = 2 * t->backoff_ms < BACKOFF_MAX_MS ? 2 * t->backoff_ms : BACKOFF_MAX_MS;
	probe_in(t, t->backoff_ms);
}

static void on_id(void *arg, int status, const struct kubo_id *id, const struct err *e)
{
	struct tracker *t = arg;

	t->id_call = NULL;
	if (t->closing) {
		tracker_unuse(t);
		return;
	}
	if (status < 0) {
		on_id_failed(t, e);
	} else {
		keep_id(t, id);
		if (!t->known.up)
			came(t);
		ask_repo(t);
		probe_in(t, KNOWN_MS);
	}
	tracker_unuse(t);
}

static void on_probe(uv_timer_t *timer)
{
	struct tracker *t = container_of(timer, struct tracker, probe);

	if (t->id_call)
		return; /* its end sets the timer */
	tracker_use(t);
	if (kubo_id(t->opt.kubo, on_id, t, &t->id_call) < 0) {
		probe_in(t, BACKOFF_MAX_MS);
		tracker_unuse(t);
	}
}

int tracker_kubo_start(struct tracker *t)
{
	int r = uv_timer_init(t->opt.loop, &t->probe);

	if (r < 0)
		return r;
	tracker_use(t);
	t->backoff_ms = BACKOFF_MIN_MS;
	probe_in(t, 0);
	return 0;
}

/* ---- origins ---- */

/* A connect that nobody waits for. */
struct background {
	struct list link;
	struct tracker *t;
	struct kubo_call *call;
};

static void on_connected(void *arg, int status, const struct err *e)
{
	struct background *b = arg;
	struct tracker *t = b->t;

	list_del(&b->link);
	free(b);
	tracker_unuse(t);
}

static void connect_origin(struct tracker *t, const struct multiaddr *addr)
{
	struct background *b = calloc(1, sizeof(*b));

	if (!b)
		return;
	b->t = t;
	if (kubo_swarm_connect(t->opt.kubo, addr, on_connected, b, &b->call) < 0) {
		free(b);
		return;
	}
	list_add_tail(&t->background, &b->link);
	tracker_use(t);
}

void tracker_connect_origins(struct tracker *t, const struct pin *pin)
{
	for (size_t i = 0; i < pin->n_origins && i < TRACKER_ORIGINS_MAX; i++)
		connect_origin(t, &pin->origins[i]);
}

void tracker_kubo_stop(struct tracker *t)
{
	struct list *it, *next;

	if (t->id_call)
		kubo_cancel(t->id_call);
	if (t->stat_call)
		kubo_cancel(t->stat_call);
	list_each_safe (it, next, &t->background)
		kubo_cancel(container_of(it, struct background, link)->call);
}

/* ---- what others are told ---- */

void tracker_kubo(struct tracker *t, struct tracker_kubo *ret)
{
	pthread_mutex_lock(&t->lock);
	*ret = t->known;
	pthread_mutex_unlock(&t->lock);
}
