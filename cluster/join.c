/* The peer among others: its members and its calls, made and taken down. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cluster/internal.h"
#include "cluster/members.h"
#include "cluster/rpc_server.h"
#include "cluster/swarms.h"
#include "net/host.h"
#include "util/clock.h"
#include "util/container.h"

#define LOG_AREA "cluster"
#include "util/log.h"

#define PEER_MEMBER_MAX (PEERID_TEXT_MAX + METRIC_NAME_MAX + 64)

/* A peer that is not trusted by name can be anybody, and come and go as often as it likes: beyond
 * so many lines at once, which is as many as there are members at most, there are no more of them.
 */
#define STRANGER_LINES MEMBERS_MAX
#define STRANGER_LINE_MS 1000

static bool is_told_of(struct cluster *c, const struct peerid *peer)
{
	const struct crdt_config *crdt = c->opt.crdt;

	for (size_t i = 0; i < crdt->trusted_peers.n; i++)
		if (peerid_equal(&crdt->trusted_peers.v[i], peer))
			return true;
	return rate_take(&c->stranger_lines, STRANGER_LINES, STRANGER_LINE_MS,
			 (uint64_t)clock_mono_ms());
}

static void on_alive(void *arg, const struct peerid *peer, bool alive)
{
	char id[PEERID_TEXT_MAX], more[PEER_MEMBER_MAX];

	if (!is_told_of(arg, peer))
		return;
	peerid_format(peer, id);
	snprintf(more, sizeof(more), "\"peer\":\"%s\"", id);
	event_line(arg, alive ? "peer_up" : "peer_down", more);
	log_info("peer %s is %s", id, alive ? "there" : "not heard of any more");
}

/* The metric's name is a peer's text, and a JSON string only where it is plain. */
static void on_alert(void *arg, const struct monitor_alert *a)
{
	char id[PEERID_TEXT_MAX], more[PEER_MEMBER_MAX];

	if (strcmp(a->name, MONITOR_PING) == 0)
		repin_from(arg, &a->peer);
	if (!is_told_of(arg, &a->peer))
		return;
	peerid_format(&a->peer, id);
	for (const char *p = a->name; *p; p++)
		if (*p < ' ' || *p == '"' || *p == '\\')
			return;
	snprintf(more, sizeof(more), "\"peer\":\"%s\",\"metric\":\"%s\"", id, a->name);
	event_line(arg, "alert", more);
}

/* ---- Kubos ---- */

static void on_said(void *arg, const struct rpc_id *id)
{
	const struct cluster *c = arg;

	if (c->swarms)
		swarms_said(c->swarms, &id->peer, &id->ipfs);
}

static void on_gone(void *arg, const struct peerid *peer)
{
	const struct cluster *c = arg;

	if (c->swarms)
		swarms_gone(c->swarms, peer);
}

static void ask_members(void *arg)
{
	const struct cluster *c = arg;

	if (c->members)
		members_ask_all(c->members);
}

static int join_swarms(struct cluster *c, struct err *e)
{
	struct swarms_options so = {
		.loop = c->opt.loop, .kubo = c->opt.kubo, .ask = ask_members, .arg = c
	};
	struct tracker_kubo k;

	if (!c->tracker || c->opt.kubo_config->connect_swarms_delay_ms <= 0)
		return 0;
	tracker_kubo(c->tracker, &k);
	so.delay_ms = c->opt.kubo_config->connect_swarms_delay_ms;
	so.up = k.up;
	return swarms_new(&so, &c->swarms, e);
}

/* ---- the beginning ---- */

int cluster_join(struct cluster *c, struct host *host, struct pubsub *pubsub, struct err *e)
{
	const struct members_options mo = {
		.loop = c->opt.loop,
		.config = c->opt.config,
		.informer = c->opt.informer,
		.monitor = c->opt.monitor,
		.crdt = c->opt.crdt,
		.self = c->opt.self,
		.host = host,
		.pubsub = pubsub,
		.tracker = c->tracker,
		.store = c->opt.store,
		.events = { .alive = on_alive,
			    .alert = on_alert,
			    .said = on_said,
			    .gone = on_gone,
			    .arg = c },
	};
	struct members_options with_rpc = mo;
	int r = rpc_server_new(c, host, &c->rpc, e);

	c->host = host;
	if (r < 0)
		return r;
	with_rpc.rpc = rpc_server_gorpc(c->rpc);
	r = members_new(&with_rpc, &c->members, e);
	if (r < 0)
		return r;
	c->monitor = members_monitor(c->members);
	r = cluster_set_candidates(c, c->monitor);
	if (r < 0)
		return err_sys(e, r, "joining the cluster");
	return join_swarms(c, e);
}

/* ---- the end ---- */

static void rpc_closed(void *arg)
{
	struct cluster *c = arg;

	c->rpc = NULL;
	c->left(c->left_arg);
}

static void swarms_closed(void *arg)
{
	struct cluster *c = arg;

	if (c->rpc)
		rpc_server_close(c->rpc, rpc_closed, c);
	else
		rpc_closed(c);
}

static void members_closed(void *arg)
{
	struct cluster *c = arg;
	struct swarms *swarms = c->swarms;

	c->monitor = NULL;
	c->members = NULL; /* with its monitor, which nobody asks: no change begins any more */
	c->swarms = NULL;
	if (swarms)
		swarms_close(swarms, swarms_closed, c);
	else
		swarms_closed(c);
}

void cluster_leave(struct cluster *c, void (*left)(void *arg), void *arg)
{
	c->left = left;
	c->left_arg = arg;
	if (c->members)
		members_close(c->members, members_closed, c);
	else
		members_closed(c);
}
