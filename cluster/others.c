#include "cluster/others.h"

#include <string.h>

#include "cluster/internal.h"
#include "cluster/members.h"
#include "util/clock.h"

void cluster_each_member(const struct cluster *c,
			 bool (*fn)(void *arg, const struct member *member), void *arg)
{
	if (c->members)
		members_each(c->members, fn, arg);
}

bool cluster_find_member(const struct cluster *c, const struct peerid *peer,
			 void (*fn)(void *arg, const struct member *member), void *arg)
{
	return c->members && members_find(c->members, peer, fn, arg);
}

bool cluster_network(const struct cluster *c, struct cluster_network *ret)
{
	if (c->members)
		net_state_get(members_net(c->members), ret);
	return c->members;
}

int cluster_addresses(const struct cluster *c, struct buf *own, struct buf *others)
{
	return c->members ? net_state_addresses(members_net(c->members), own, others) : 0;
}

void cluster_each_metric(const struct cluster *c, const char *name, bool any,
			 bool (*fn)(void *arg, const struct metric *metric), void *arg)
{
	if (c->monitor && any)
		monitor_each_any(c->monitor, name, fn, arg);
	else if (c->monitor)
		monitor_each(c->monitor, name, clock_now_ns(), fn, arg);
}

bool cluster_find_metric(const struct cluster *c, const char *name, const struct peerid *peer,
			 void (*fn)(void *arg, const struct metric *metric), void *arg)
{
	return c->monitor && monitor_find(c->monitor, name, peer, fn, arg);
}

void cluster_each_metric_name(const struct cluster *c, bool (*fn)(void *arg, const char *name),
			      void *arg)
{
	if (c->monitor)
		monitor_names(c->monitor, fn, arg);
}

void cluster_each_alert(const struct cluster *c,
			bool (*fn)(void *arg, const struct monitor_alert *a), void *arg)
{
	if (c->monitor)
		monitor_alerts(c->monitor, fn, arg);
}

static bool has_crdt(const struct cluster *c)
{
	return c->members && strcmp(cluster_consensus_name(c), "crdt") == 0;
}

bool cluster_heads_of(const struct cluster *c, const struct peerid *peer, struct crdt_heads *ret,
		      bool *ret_in_step)
{
	if (!has_crdt(c) || !crdt_heads_of(c->consensus, peer, ret))
		return false;
	*ret_in_step = crdt_has_heads(c->consensus, ret) == 1;
	return true;
}

bool cluster_sync(const struct cluster *c, struct crdt_sync *ret)
{
	if (!has_crdt(c))
		return false;
	crdt_sync_state(c->consensus, ret);
	return true;
}
