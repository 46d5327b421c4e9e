#include "daemon/network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/crdt/crdt_host.h"
#include "daemon/memory.h"
#include "net/mdns.h"
#include "net/peerstore.h"
#include "util/clock.h"
#include "util/container.h"
#include "util/path.h"

#define LOG_AREA "network"
#include "util/log.h"

#define TICK_MS 5000
#define SAVE_TICKS (5 * 60 * 1000 / TICK_MS) /* between two writings of the peerstore */
#define FOUND_DIALS_MAX 8                    /* peers found by mDNS that are being dialled */
#define SEQNO_FILE "seqno"
#define SEQNO_RESERVED 1000000000ull /* messages of one run; as Unix nanoseconds, one second */

struct network {
	struct network_options opt;
	struct host *host;
	struct pubsub *pubsub;
	struct crdt_host *crdt;
	struct mdns *mdns; /* NULL: none */
	size_t n_found_dials;
	uv_timer_t timer;
	bool timer_open;
	unsigned ticks;

	/* the peerstore as it is being written */
	uv_work_t save;
	bool saving, save_again, closing;
	struct peerstore to_save, saved;

	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- the peerstore ---- */

static bool is_dns(const struct multiaddr *a)
{
	struct buf text = BUF_INIT(0);
	bool r = multiaddr_format(a, &text) == 0 && buf_terminate(&text) == 0 &&
		 strncmp((const char *)text.data, "/dns", 4) == 0;

	buf_deinit(&text);
	return r;
}

static int keep_line(struct peerstore *ps, const struct peerid *peer, const struct multiaddr *a)
{
	struct multiaddr *v;
	struct peerid named;
	int r;

	if (ps->n == PEERSTORE_ENTRIES_MAX)
		return 0;
	v = realloc(ps->v, (ps->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	ps->v = v;
	v[ps->n] = *a;
	r = multiaddr_peerid(a, &named) == 0 ? 0 : multiaddr_add_peerid(&v[ps->n], peer);
	if (r == 0)
		ps->n++;
	return 0;
}

/* Where a peer has DNS addresses, they are the ones that last. */
static bool keep_peer(void *arg, const struct peerid *peer, const struct multiaddr *v, size_t n)
{
	struct peerstore *ps = arg;
	bool dns = false;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		dns = dns || is_dns(&v[i]);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (!dns || is_dns(&v[i]))
			r = keep_line(ps, peer, &v[i]);
	return r == 0;
}

static bool same_peers(const struct peerstore *a, const struct peerstore *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].len != b->v[i].len ||
		    memcmp(a->v[i].bytes, b->v[i].bytes, a->v[i].len) != 0)
			return false;
	return true;
}

static void save_work(uv_work_t *w)
{
	struct network *n = container_of(w, struct network, save);
	struct err e = { 0 };

	if (peerstore_write(n->opt.config->peerstore, n->to_save.v, n->to_save.n, &e) < 0)
		log_warn("the peerstore could not be written: %s", e.msg);
}

static void close_rest(struct network *n);

static void save_done(uv_work_t *w, int status)
{
	struct network *n = container_of(w, struct network, save);

	n->saving = false;
	peerstore_clear(&n->saved);
	n->saved = n->to_save;
	n->to_save = (struct peerstore){ 0 };
	if (n->closing)
		close_rest(n);
}

/* Nothing known is no reason to forget what the file has. True: it is being written. */
static bool save_peers(struct network *n)
{
	if (n->saving)
		return true;
	host_each_known(n->host, keep_peer, &n->to_save);
	if (n->to_save.n == 0 || same_peers(&n->to_save, &n->saved) ||
	    uv_queue_work(n->opt.loop, &n->save, save_work, save_done) < 0) {
		peerstore_clear(&n->to_save);
		return false;
	}
	n->saving = true;
	return true;
}

static void tick(uv_timer_t *t)
{
	struct network *n = container_of(t, struct network, timer);

	memory_give_back();
	if (++n->ticks % SAVE_TICKS == 0)
		save_peers(n);
}

/* ---- whom to dial ---- */

static void learn(struct network *n, const struct multiaddr *a, enum host_address_ttl ttl,
		  bool keep)
{
	struct peerid peer;

	if (multiaddr_peerid(a, &peer) < 0 || peerid_equal(&peer, host_self(n->host)))
		return;
	host_learn(n->host, &peer, a, ttl);
	if (keep)
		host_keep(n->host, &peer);
}

static void bad_line(void *arg, size_t line, const struct err *why)
{
	const struct network *n = arg;

	log_warn("%s, line %zu: %s, skipping", n->opt.config->peerstore, line, why->msg);
}

static void learn_bootstrap(struct network *n, const char *text)
{
	struct multiaddr a;
	struct err e = { 0 };

	if (multiaddr_parse(text, strlen(text), &a, &e) < 0)
		log_warn("--bootstrap %s: %s", text, e.msg);
	else
		learn(n, &a, HOST_TTL_PERMANENT, true);
}

/* It is of our network, so it is dialled again when it goes. */
static void found_dialled(void *arg, const struct peerid *peer, int status, const struct err *why)
{
	struct network *n = arg;
	char id[PEERID_TEXT_MAX];

	n->n_found_dials--;
	if (status == 0) {
		host_keep(n->host, peer);
		return;
	}
	peerid_format(peer, id);
	log_dbg("%s, found by mDNS: %s", id, why->msg);
}

static bool found(void *arg, const struct mdns_found *f)
{
	struct network *n = arg;

	if (host_is_connected(n->host, &f->peer)) {
		host_keep(n->host, &f->peer);
		return true;
	}
	if (n->closing || n->n_found_dials == FOUND_DIALS_MAX)
		return false;
	for (size_t i = 0; i < f->n; i++)
		host_learn(n->host, &f->peer, &f->v[i], HOST_TTL_CLAIMED);
	if (host_connect(n->host, &f->peer, found_dialled, n) < 0)
		return false;
	n->n_found_dials++;
	return true;
}

static void start_mdns(struct network *n)
{
	const struct mdns_options o = {
		.loop = n->opt.loop, .host = n->host, .found = found, .arg = n
	};
	struct err e = { 0 };

	if (n->opt.config->cluster.mdns_interval_ms > 0 && mdns_new(&o, &n->mdns, &e) < 0)
		log_warn("%s; peers of the local network are not found", e.msg);
}

void network_start(struct network *n)
{
	const struct multiaddrs *configured = &n->opt.config->cluster.peer_addresses;
	struct peerstore ps = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < configured->n; i++)
		learn(n, &configured->v[i], HOST_TTL_PERMANENT, true);
	for (size_t i = 0; i < n->opt.n_bootstrap; i++)
		learn_bootstrap(n, n->opt.bootstrap[i]);
	if (peerstore_read(n->opt.config->peerstore, bad_line, n, &ps, &e) < 0)
		log_warn("the peerstore could not be read: %s", e.msg);
	for (size_t i = 0; i < ps.n; i++)
		learn(n, &ps.v[i], HOST_TTL_HOUR, true);
	peerstore_clear(&ps);
	start_mdns(n);
	uv_timer_start(&n->timer, tick, TICK_MS, TICK_MS);
}

static bool is_other(const struct config *c, const struct multiaddr *a)
{
	struct peerid peer;

	return multiaddr_peerid(a, &peer) == 0 && !peerid_equal(&peer, &c->identity.id) &&
	       crdt_trusts(&c->crdt, NULL, &peer);
}

bool network_knows_others(const struct config *c, const char *const *bootstrap, size_t n)
{
	struct peerstore ps = { 0 };
	bool others = false;

	for (size_t i = 0; i < c->crdt.trusted_peers.n; i++)
		others |= !peerid_equal(&c->crdt.trusted_peers.v[i], &c->identity.id);
	for (size_t i = 0; i < c->cluster.peer_addresses.n; i++)
		others |= is_other(c, &c->cluster.peer_addresses.v[i]);
	for (size_t i = 0; i < n; i++) {
		struct multiaddr a;

		others |= multiaddr_parse(bootstrap[i], strlen(bootstrap[i]), &a, NULL) == 0 &&
			  is_other(c, &a);
	}
	if (peerstore_read(c->peerstore, NULL, NULL, &ps, NULL) == 0)
		for (size_t i = 0; i < ps.n; i++)
			others |= is_other(c, &ps.v[i]);
	peerstore_clear(&ps);
	return others;
}

/* ---- sequence numbers ---- */

/* A number used twice is not heard for half an hour, so a clock that was set back must not lead to
 * one: numbers are reserved on disk before they are used. */
static int reserve_seqno(const char *folder, uint64_t *ret, struct err *e)
{
	char *path = path_join(folder, SEQNO_FILE);
	struct buf text = BUF_INIT(64);
	uint64_t saved = 0, now = (uint64_t)clock_now_ns();
	int r = path ? path_read(path, 64, &text, NULL) : -ENOMEM;

	if (r == 0 && buf_terminate(&text) == 0)
		saved = strtoull((const char *)text.data, NULL, 10);
	*ret = saved > now && saved < UINT64_MAX / 2 ? saved : now;
	buf_reset(&text);
	r = path ? buf_printf(&text, "%llu\n", (unsigned long long)(*ret + SEQNO_RESERVED))
		 : -ENOMEM;
	if (r == 0)
		r = path_write_atomic(path, text.data, text.len, 0644, e);
	buf_deinit(&text);
	free(path);
	return r;
}

/* ---- life ---- */

static int make_host(struct network *n, struct err *e)
{
	const struct cluster_config *c = &n->opt.config->cluster;
	const struct host_options ho = {
		.loop = n->opt.loop,
		.self = &n->opt.config->identity,
		.psk = c->has_secret ? c->secret : NULL,
		.listen = c->listen.v,
		.n_listen = c->listen.n,
		.announce = c->announce.v,
		.n_announce = c->announce.n,
		.no_announce = c->no_announce.v,
		.n_no_announce = c->no_announce.n,
		.agent = "pinfs/" PINFS_VERSION,
		.dial_timeout_ms = (uint64_t)c->dial_peer_timeout_ms,
		.low_water = (uint32_t)c->connmgr.low_water,
		.high_water = (uint32_t)c->connmgr.high_water,
		.grace_ms = (uint64_t)c->connmgr.grace_period_ms,
	};

	return host_new(&ho, &n->host, e);
}

static int make_pubsub(struct network *n, struct err *e)
{
	const struct pubsub_config *p = &n->opt.config->cluster.pubsub;
	struct gossip_config gc = {
		.self = &n->opt.config->identity,
		.heartbeat_ms = (uint64_t)p->heartbeat_interval_ms,
		.d_factor = (unsigned)p->d_factor,
		.history_length = (unsigned)p->history_length,
		.history_gossip = (unsigned)p->history_gossip,
		.flood_publish = p->flood_publish,
	};
	struct err full = { 0 };

	/* On a full disk the peer is there all the same. */
	if (reserve_seqno(n->opt.data_folder, &gc.seqno, &full) < 0)
		log_warn("%s; should the clock go back before the next start, others will not hear "
			 "this peer for half an hour",
			 full.msg);
	return pubsub_new(n->host, n->opt.loop, &gc, &n->pubsub, e);
}

int network_new(const struct network_options *opt, struct network **ret, struct err *e)
{
	struct network *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return err_sys(e, -ENOMEM, "starting the network");
	n->opt = *opt;
	*ret = n;
	r = make_host(n, e);
	if (r == 0)
		r = make_pubsub(n, e);
	if (r == 0)
		r = crdt_host_new(opt->engine, &opt->config->crdt, n->host, n->pubsub, opt->loop,
				  &n->crdt, e);
	if (r == 0)
		r = cluster_join(opt->cluster, n->host, n->pubsub, e);
	if (r < 0)
		return r;
	uv_timer_init(opt->loop, &n->timer);
	n->timer_open = true;
	return 0;
}

struct host *network_host(struct network *n)
{
	return n->host;
}

struct pubsub *network_pubsub(struct network *n)
{
	return n->pubsub;
}

void network_quiesce(struct network *n)
{
	if (n->crdt)
		crdt_host_quiesce(n->crdt);
}

static void network_free(struct network *n)
{
	void (*closed)(void *) = n->closed;
	void *arg = n->closed_arg;

	peerstore_clear(&n->saved);
	free(n);
	closed(arg);
}

static void pubsub_closed(void *arg)
{
	network_free(arg);
}

/* Its streams end with the host. */
static void host_closed(void *arg)
{
	struct network *n = arg;

	if (n->pubsub)
		pubsub_close(n->pubsub, pubsub_closed, n);
	else
		pubsub_closed(n);
}

static void crdt_closed(void *arg)
{
	struct network *n = arg;

	if (n->host)
		host_close(n->host, host_closed, n);
	else
		host_closed(n);
}

static void timer_closed(uv_handle_t *h)
{
	struct network *n = container_of(h, struct network, timer);

	if (n->crdt)
		crdt_host_close(n->crdt, crdt_closed, n);
	else
		crdt_closed(n);
}

static void mdns_closed(void *arg)
{
	struct network *n = arg;

	if (n->timer_open)
		uv_close((uv_handle_t *)&n->timer, timer_closed);
	else
		timer_closed((uv_handle_t *)&n->timer);
}

static void close_rest(struct network *n)
{
	if (n->mdns)
		mdns_close(n->mdns, mdns_closed, n);
	else
		mdns_closed(n);
}

void network_close(struct network *n, void (*closed)(void *arg), void *arg)
{
	n->closing = true;
	n->closed = closed;
	n->closed_arg = arg;
	if (!n->host || !save_peers(n))
		close_rest(n);
}
