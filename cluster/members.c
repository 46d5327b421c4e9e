#include "cluster/members.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/informer.h"
#include "cluster/kubo_self.h"
#include "consensus/crdt/crdt_net.h"
#include "types/rpc_types.h"
#include "util/clock.h"
#include "util/container.h"
#include "util/list.h"

#define LOG_AREA "members"
#include "util/log.h"

#define TICK_MS 1000
#define PING_ADDRESSES_MAX 16    /* of Kubo */
#define ID_MEMORY_MAX (1u << 20) /* for decoding one answer */

struct entry {
	struct list item; /* in order of the IDs' bytes */
	struct members *m;
	struct peerid peer;
	bool alive, connected, trusted;
	uint64_t rtt_ms;
	char agent[128];
	json_t *id;
	struct buf said; /* the same as it came */
	int64_t asked_ns;
	char error[GORPC_ERROR_TEXT_MAX];
	/* loop's thread only */
	struct gorpc_request *request;
	uint64_t next_ask; /* ms */
};

struct members {
	struct members_options opt;
	struct monitor *monitor;
	struct informer *informer;
	struct host_watch watch;
	struct net_state net;
	uv_timer_t timer;
	uint64_t next_check; /* ms; of the monitor */
	uint64_t next_look;  /* at the network */
	uint64_t search_at;  /* ms; while a member is heard of that there is no connection to */
	uint64_t search_ms;  /* 0: there is none */
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;

	pthread_mutex_t lock; /* of the entries, for other threads */
	struct list entries;
	size_t n;
};

static uint64_t now_ms(const struct members *m)
{
	return uv_now(m->opt.loop);
}

/* ---- the list ---- */

static int by_bytes(const struct peerid *a, const struct peerid *b)
{
	int c = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

	return c ? c : (a->len > b->len) - (a->len < b->len);
}

static struct entry *find(const struct members *m, const struct peerid *peer)
{
	struct list *it;

	list_each (it, &m->entries) {
		struct entry *en = container_of(it, struct entry, item);

		if (peerid_equal(&en->peer, peer))
			return en;
	}
	return NULL;
}

/* NULL: ourselves, or there are too many. */
static struct entry *make(struct members *m, const struct peerid *peer)
{
	struct entry *en = find(m, peer);
	struct list *at = m->entries.prev;

	if (en || peerid_equal(peer, &m->opt.self) || m->n == MEMBERS_MAX)
		return en;
	en = calloc(1, sizeof(*en));
	if (!en)
		return NULL;
	en->m = m;
	en->peer = *peer;
	buf_init(&en->said, MEMBERS_SAID_MAX);
	en->trusted = crdt_trusts(m->opt.crdt, &m->opt.self, peer);
	while (at != &m->entries && by_bytes(&container_of(at, struct entry, item)->peer, peer) > 0)
		at = at->prev;
	pthread_mutex_lock(&m->lock);
	list_add(at, &en->item);
	m->n++;
	pthread_mutex_unlock(&m->lock);
	return en;
}

static void forget(struct members *m, struct entry *en)
{
	if (en->request)
		gorpc_cancel(en->request);
	pthread_mutex_lock(&m->lock);
	list_del(&en->item);
	m->n--;
	pthread_mutex_unlock(&m->lock);
	if (m->opt.events.gone)
		m->opt.events.gone(m->opt.events.arg, &en->peer);
	json_decref(en->id);
	buf_deinit(&en->said);
	free(en);
}

/* ---- asking ---- */

/* Where it is to be found, and where others are as it sees them, which a stranger could make up. */
void members_learn(struct members *m, const struct rpc_id *id)
{
	for (size_t i = 0; i < id->n_addresses; i++)
		host_learn(m->opt.host, &id->peer, &id->addresses[i], HOST_TTL_HOUR);
	if (!crdt_trusts(m->opt.crdt, &m->opt.self, &id->peer))
		return;
	for (size_t i = 0; i < id->n_cluster_peers_addresses; i++) {
		const struct multiaddr *a = &id->cluster_peers_addresses[i];
		struct peerid peer;

		if (multiaddr_peerid(a, &peer) == 0)
			host_learn(m->opt.host, &peer, a, HOST_TTL_HOUR);
	}
}

static void on_id(void *arg, const uint8_t *p, size_t n)
{
	struct entry *en = arg;
	struct members *m = en->m;
	struct bump bump = { .left = ID_MEMORY_MAX };
	struct err e = { 0 };
	struct rpc_id id;
	json_t *json = NULL;

	if (rpc_id_decode(p, n, &bump, &id, &e) == 0 && peerid_equal(&id.peer, &en->peer)) {
		members_learn(m, &id);
		if (m->opt.events.said)
			m->opt.events.said(m->opt.events.arg, &id);
		json = rpc_id_json(&id);
	} else {
		log_dbg("an ID that cannot be used: %s", e.msg);
	}
	bump_free_all(bump.chunks);
	if (!json)
		return;
	pthread_mutex_lock(&m->lock);
	json_decref(en->id);
	en->id = json;
	buf_reset(&en->said);
	buf_append(&en->said, p, n); /* where that fails, there is none */
	en->asked_ns = clock_now_ns();
	en->error[0] = '\0';
	pthread_mutex_unlock(&m->lock);
}

static void on_id_done(void *arg, const struct gorpc_result *r)
{
	struct entry *en = arg;

	en->request = NULL;
	if (r->status == 0)
		return;
	pthread_mutex_lock(&en->m->lock);
	snprintf(en->error, sizeof(en->error), "%s", r->text);
	pthread_mutex_unlock(&en->m->lock);
}

static void ask(struct members *m, struct entry *en)
{
	const struct gorpc_handler h = { .value = on_id, .done = on_id_done, .arg = en };

	en->next_ask = now_ms(m) + MEMBERS_ASK_MS;
	if (en->request || !en->connected)
		return;
	if (gorpc_call(m->opt.rpc, &en->peer, "Cluster", "IDStream", true, NULL, 0,
		       MEMBERS_ANSWER_MS, &h, &en->request) < 0)
		en->request = NULL;
}

void members_ask(struct members *m, const struct peerid *peer)
{
	struct entry *en = find(m, peer);

	if (en && !m->closing)
		ask(m, en);
}

void members_ask_all(struct members *m)
{
	struct list *it;

	list_each (it, &m->entries)
		members_ask(m, &container_of(it, struct entry, item)->peer);
}

/* ---- who is there ---- */

static void peer_up(struct host_watch *w, const struct peerid *peer)
{
	struct members *m = container_of(w, struct members, watch);
	struct entry *en = make(m, peer);

	if (!en || m->closing)
		return;
	monitor_saw(m->monitor, peer, clock_now_ns(), informer_ping_end_ns(m->opt.config));
	pthread_mutex_lock(&m->lock);
	en->connected = true;
	snprintf(en->agent, sizeof(en->agent), "%s", host_agent(m->opt.host, peer));
	pthread_mutex_unlock(&m->lock);
	ask(m, en);
	informer_publish_all(m->informer); /* so that it knows us at once */
}

static void peer_down(struct host_watch *w, const struct peerid *peer)
{
	struct members *m = container_of(w, struct members, watch);
	struct entry *en = find(m, peer);

	if (!en)
		return;
	pthread_mutex_lock(&m->lock);
	en->connected = false;
	pthread_mutex_unlock(&m->lock);
}

static void set_alive(struct members *m, struct entry *en, bool alive)
{
	if (en->alive == alive)
		return;
	pthread_mutex_lock(&m->lock);
	en->alive = alive;
	pthread_mutex_unlock(&m->lock);
	if (m->opt.events.alive)
		m->opt.events.alive(m->opt.events.arg, &en->peer, alive);
	if (alive && en->trusted) /* is to be reached directly; others may come to us */
		host_keep(m->opt.host, &en->peer);
}

static void metric_came(void *arg, const struct peerid *author, const struct peerid *from,
			const uint8_t *p, size_t n)
{
	struct members *m = arg;
	struct metric metric;
	struct err e = { 0 };
	struct entry *en;
	bool was_alive;

	if (m->closing)
		return;
	if (metric_decode(p, n, &metric, &e) < 0) {
		log_dbg("a metric that cannot be read: %s", e.msg);
		return;
	}
	/* Each peer publishes its own, and its signature is all that tells who there is. */
	if (!peerid_equal(&metric.peer, author)) {
		log_dbg("a metric of another peer than its author, dropping it");
		return;
	}
	monitor_put(m->monitor, &metric, clock_now_ns(), &was_alive);
	en = make(m, &metric.peer);
	if (en && monitor_is_alive(m->monitor, &metric.peer, clock_now_ns()))
		set_alive(m, en, true);
}

/* ---- what we say ---- */

static int publish(void *arg, const struct metric *metric)
{
	struct members *m = arg;
	struct buf out = BUF_INIT(METRIC_BYTES_MAX);
	size_t reached;
	bool was_alive;
	int r = metric_encode(metric, &out);

	if (r == 0)
		r = pubsub_publish(m->opt.pubsub, MEMBERS_TOPIC, out.data, out.len, &reached);
	buf_deinit(&out);
	monitor_put(m->monitor, metric, clock_now_ns(), &was_alive);
	return r;
}

static bool repo(void *arg, uint64_t *ret_size, uint64_t *ret_max)
{
	const struct members *m = arg;
	struct tracker_kubo k;

	tracker_kubo(m->opt.tracker, &k);
	*ret_size = k.repo.repo_size;
	*ret_max = k.repo.storage_max;
	return k.up && k.repo_known;
}

static uint64_t count(const struct members *m, enum status status)
{
	struct store_txn *t;
	uint64_t n = 0;

	if (store_read(m->opt.store, &t) == 0) {
		n = store_info(t)->by_status[status];
		store_read_end(t);
	}
	return n;
}

static uint64_t queued(void *arg)
{
	return count(arg, STATUS_PIN_QUEUED);
}

static uint64_t pins(void *arg)
{
	return count(arg, STATUS_PINNED);
}

void members_publish_disk(struct members *m)
{
	if (!m->closing)
		informer_publish_disk(m->informer);
}

static void ask_repo(void *arg)
{
	const struct members *m = arg;

	tracker_ask_repo(m->opt.tracker);
}

void members_kubo_worked(struct members *m, int32_t interval)
{
	if (!m->closing)
		informer_trigger(m->informer, interval);
}

/* Only those that others could use: nothing is said where there are none. */
static int ping_addresses(const struct tracker_kubo *k, json_t *doc)
{
	struct buf text = BUF_INIT(0);
	struct multiaddr *v = NULL;
	json_t *list = json_array();
	size_t n = 0;
	int r = list ? kubo_self_addresses(k, true, PING_ADDRESSES_MAX, &v, &n) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++) {
		buf_reset(&text);
		r = multiaddr_format(&v[i], &text);
		if (r == 0)
			r = json_array_append_new(list,
						  json_stringn((const char *)text.data, text.len));
	}
	if (r == 0 && n > 0)
		r = json_object_set(doc, "ipfs_addresses", list);
	json_decref(list);
	buf_deinit(&text);
	free(v);
	return r;
}

static int ping(void *arg, struct buf *out)
{
	const struct members *m = arg;
	struct tracker_kubo k;
	json_t *doc = json_object();
	char *text;
	int r = doc ? 0 : -ENOMEM;

	tracker_kubo(m->opt.tracker, &k);
	if (r == 0 && m->opt.config->peername[0] != '\0')
		r = json_object_set_new(doc, "peer_name", json_string(m->opt.config->peername));
	if (r == 0 && k.id[0] != '\0')
		r = json_object_set_new(doc, "ipfs_id", json_string(k.id));
	if (r == 0)
		r = ping_addresses(&k, doc);
	text = r == 0 ? json_dumps(doc, JSON_COMPACT) : NULL;
	r = text ? buf_str(out, text) : -ENOMEM;
	free(text);
	json_decref(doc);
	return r;
}

/* ---- time ---- */

/* Where a member is that came after the others were asked, one of them knows by now. */
static void search(struct members *m, bool missing, uint64_t now)
{
	if (!missing) {
		m->search_ms = 0;
		return;
	}
	if (m->search_ms > 0 && now < m->search_at)
		return;
	if (m->search_ms > 0)
		members_ask_all(m);
	m->search_ms = m->search_ms == 0 ? MEMBERS_SEARCH_MS : 2 * m->search_ms;
	if (m->search_ms > MEMBERS_ASK_MS)
		m->search_ms = MEMBERS_ASK_MS;
	m->search_at = now + m->search_ms;
}

static void tick(uv_timer_t *t)
{
	struct members *m = container_of(t, struct members, timer);
	int64_t now_ns = clock_now_ns();
	uint64_t now = now_ms(m);
	struct list *it, *next;
	bool missing = false;

	if (now >= m->next_check) {
		m->next_check = now + (uint64_t)m->opt.monitor->check_interval_ms;
		monitor_check(m->monitor, now_ns);
	}
	list_each_safe (it, next, &m->entries) {
		struct entry *en = container_of(it, struct entry, item);

		set_alive(m, en, monitor_is_alive(m->monitor, &en->peer, now_ns));
		if (!en->alive && !en->connected) {
			forget(m, en);
			continue;
		}
		pthread_mutex_lock(&m->lock);
		en->rtt_ms = host_rtt_ms(m->opt.host, &en->peer);
		pthread_mutex_unlock(&m->lock);
		missing = missing || (en->alive && en->trusted && !en->connected);
		if (now >= en->next_ask)
			ask(m, en);
	}
	search(m, missing, now);
	if (now >= m->next_look) {
		m->next_look = now + NET_STATE_MS;
		net_state_take(&m->net);
	}
}

/* ---- for the tree ---- */

static void show(const struct entry *en, struct member *ret)
{
	*ret = (struct member){
		.peer = en->peer,
		.alive = en->alive,
		.connected = en->connected,
		.trusted = en->trusted,
		.rtt_ms = en->rtt_ms,
		.agent = en->agent,
		.id = en->id,
		.said = en->said.data,
		.said_len = en->said.len,
		.asked_ns = en->asked_ns,
		.error = en->error,
	};
}

void members_each(struct members *m, bool (*fn)(void *arg, const struct member *member), void *arg)
{
	struct list *it;

	pthread_mutex_lock(&m->lock);
	list_each (it, &m->entries) {
		struct member one;

		show(container_of(it, struct entry, item), &one);
		if (!fn(arg, &one))
			break;
	}
	pthread_mutex_unlock(&m->lock);
}

bool members_find(struct members *m, const struct peerid *peer,
		  void (*fn)(void *arg, const struct member *member), void *arg)
{
	const struct entry *en;
	struct member one;

	pthread_mutex_lock(&m->lock);
	en = find(m, peer);
	if (en) {
		show(en, &one);
		fn(arg, &one);
	}
	pthread_mutex_unlock(&m->lock);
	return en != NULL;
}

struct monitor *members_monitor(struct members *m)
{
	return m->monitor;
}

struct net_state *members_net(struct members *m)
{
	return &m->net;
}

/* ---- life ---- */

static void on_alert(void *arg, const struct monitor_alert *a)
{
	struct members *m = arg;

	if (m->opt.events.alert)
		m->opt.events.alert(m->opt.events.arg, a);
}

static bool is_member(void *arg, const struct peerid *peer)
{
	const struct entry *en = find(arg, peer);

	return en && en->alive;
}

int members_new(const struct members_options *opt, struct members **ret, struct err *e)
{
	struct members *m = calloc(1, sizeof(*m));
	const struct gossip_topic topic = { .name = MEMBERS_TOPIC,
					    .message = metric_came,
					    .arg = m };
	const struct informer_source source = { .repo = repo,
						.ask_repo = ask_repo,
						.queued = queued,
						.pins = pins,
						.ping = ping,
						.publish = publish,
						.arg = m };
	int r;

	if (!m)
		return err_sys(e, -ENOMEM, "joining the cluster");
	m->opt = *opt;
	list_init(&m->entries);
	pthread_mutex_init(&m->lock, NULL);
	m->net = (struct net_state){ .self = opt->self,
				     .host = opt->host,
				     .pubsub = opt->pubsub,
				     .crdt = opt->crdt,
				     .is_member = is_member,
				     .arg = m };
	net_state_init(&m->net);
	uv_timer_init(opt->loop, &m->timer);
	m->watch = (struct host_watch){ .up = peer_up, .down = peer_down };
	*ret = m;
	r = monitor_new(on_alert, m, &m->monitor);
	if (r == 0)
		r = informer_new(opt->loop, opt->config, opt->informer, &opt->self, &source,
				 &m->informer, e);
	if (r == 0)
		r = pubsub_subscribe(opt->pubsub, &topic);
	if (r < 0)
		return err_sys(e, r, "joining the cluster");
	host_watch(opt->host, &m->watch);
	net_state_take(&m->net);
	informer_start(m->informer);
	uv_timer_start(&m->timer, tick, TICK_MS, TICK_MS);
	return 0;
}

static void on_timer_closed(uv_handle_t *t)
{
	struct members *m = container_of((uv_timer_t *)t, struct members, timer);
	void (*closed)(void *) = m->closed;
	void *arg = m->closed_arg;

	monitor_free(m->monitor);
	net_state_deinit(&m->net);
	pthread_mutex_destroy(&m->lock);
	free(m);
	closed(arg);
}

static void informer_closed(void *arg)
{
	struct members *m = arg;

	uv_close((uv_handle_t *)&m->timer, on_timer_closed);
}

void members_close(struct members *m, void (*closed)(void *arg), void *arg)
{
	m->closing = true;
	m->closed = closed;
	m->closed_arg = arg;
	host_unwatch(m->opt.host, &m->watch);
	pubsub_leave(m->opt.pubsub, MEMBERS_TOPIC);
	while (!list_empty(&m->entries))
		forget(m, container_of(m->entries.next, struct entry, item));
	if (m->informer)
		informer_close(m->informer, informer_closed, m);
	else
		informer_closed(m);
}
