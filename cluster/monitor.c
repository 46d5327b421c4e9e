#include "cluster/monitor.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/rate.h"

#define LOG_AREA "monitor"
#include "util/log.h"

/* Lines of wrong clocks at once, and then one in a time: a peer may say any time. */
#define SKEW_LINES 10
#define SKEW_LINE_MS 60000

/* The latest metric of one name and peer. */
struct latest {
	struct metric metric; /* its name is that of the list, its value is below */
	bool told;            /* of its end, and no valid one came since */
	bool skewed;          /* had run out long before it came */
	char value[];
};

/* All of one name. */
struct list {
	struct latest **v; /* by the bytes of the peers' IDs */
	size_t n, cap;
	size_t name_len;
	char name[METRIC_NAME_MAX + 1];
};

struct monitor {
	void (*alert)(void *arg, const struct monitor_alert *a);
	void *alert_arg;
	struct rate skew_lines; /* loop's thread */

	pthread_mutex_t lock;                  /* what follows */
	struct list *lists[MONITOR_NAMES_MAX]; /* by the bytes of the names */
	size_t n_lists, n_metrics;
	size_t values; /* bytes of those of all metrics */
	uint64_t version;
	struct monitor_alert alerts[MONITOR_ALERTS_MAX]; /* a ring */
	size_t n_alerts;                                 /* ever given; the next one's place */
};

int monitor_new(void (*alert)(void *arg, const struct monitor_alert *a), void *arg,
		struct monitor **ret)
{
	struct monitor *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->alert = alert;
	m->alert_arg = arg;
	pthread_mutex_init(&m->lock, NULL);
	*ret = m;
	return 0;
}

static void list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	free(l);
}

void monitor_free(struct monitor *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_lists; i++)
		list_free(m->lists[i]);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static bool is_over(const struct metric *metric, int64_t now_ns)
{
	return now_ns > metric->expire_ns;
}

static bool is_valid(const struct metric *metric, int64_t now_ns)
{
	return metric->valid && !is_over(metric, now_ns);
}

/* ---- finding; the lock is held ---- */

static int compare_names(const struct list *l, const char *name, size_t n)
{
	int r = memcmp(l->name, name, l->name_len < n ? l->name_len : n);

	return r != 0 ? r : (l->name_len > n) - (l->name_len < n);
}

/* Where the list of a name is, or is to be. */
static bool find_list(const struct monitor *m, const char *name, size_t n, size_t *ret)
{
	size_t from = 0, to = m->n_lists;

	while (from < to) {
		size_t mid = (from + to) / 2;
		int r = compare_names(m->lists[mid], name, n);

		if (r == 0) {
			*ret = mid;
			return true;
		}
		if (r < 0)
			from = mid + 1;
		else
			to = mid;
	}
	*ret = from;
	return false;
}

/* Where the metric of a peer is, or is to be. */
static bool find_peer(const struct list *l, const struct peerid *peer, size_t *ret)
{
	size_t from = 0, to = l->n;

	while (from < to) {
		size_t mid = (from + to) / 2;
		int r = peerid_compare(&l->v[mid]->metric.peer, peer);

		if (r == 0) {
			*ret = mid;
			return true;
		}
		if (r < 0)
			from = mid + 1;
		else
			to = mid;
	}
	*ret = from;
	return false;
}

static struct list *list_of(const struct monitor *m, const char *name)
{
	size_t i;

	return find_list(m, name, strlen(name), &i) ? m->lists[i] : NULL;
}

static const struct metric *ping_of(const struct monitor *m, const struct peerid *peer)
{
	const struct list *l = list_of(m, MONITOR_PING);
	size_t i;

	return l && find_peer(l, peer, &i) ? &l->v[i]->metric : NULL;
}

static bool is_alive(const struct monitor *m, const struct peerid *peer, int64_t now_ns)
{
	const struct metric *ping = ping_of(m, peer);

	return ping && is_valid(ping, now_ns);
}

/* ---- putting; the lock is held ---- */

static int add_list(struct monitor *m, const struct metric *metric, size_t at)
{
	struct list *l;

	if (m->n_lists == MONITOR_NAMES_MAX)
		return -ENOSPC;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	memcpy(l->name, metric->name, metric->name_len);
	l->name_len = metric->name_len;
	memmove(&m->lists[at + 1], &m->lists[at], (m->n_lists - at) * sizeof(struct list *));
	m->lists[at] = l;
	m->n_lists++;
	return 0;
}

static int make_room(struct list *l)
{
	size_t cap = l->cap ? 2 * l->cap : 4;
	struct latest **v;

	if (l->n < l->cap)
		return 0;
	v = realloc(l->v, cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	l->v = v;
	l->cap = cap;
	return 0;
}

static struct latest *copy_of(const struct metric *metric, const struct list *l, int64_t now_ns)
{
	struct latest *e = calloc(1, sizeof(*e) + metric->value_len);

	if (!e)
		return NULL;
	if (metric->value_len > 0)
		memcpy(e->value, metric->value, metric->value_len);
	e->metric = *metric;
	e->metric.name = l->name;
	e->metric.value = e->value;
	e->metric.received_ns = now_ns;
	if (e->metric.expire_ns > now_ns + MONITOR_TTL_MAX_NS)
		e->metric.expire_ns = now_ns + MONITOR_TTL_MAX_NS;
	e->skewed = metric->expire_ns < now_ns - MONITOR_SKEW_WARN_NS;
	return e;
}

/* 1: it had run out long before it came, and the one before had not. */
static int put_in(struct monitor *m, struct list *l, const struct metric *metric, int64_t now_ns)
{
	struct latest *e, *old = NULL;
	size_t i, values = m->values + metric->value_len;
	int r;

	if (find_peer(l, &metric->peer, &i))
		old = l->v[i];
	if (old)
		values -= old->metric.value_len;
	if ((!old && m->n_metrics == MONITOR_METRICS_MAX) || values > MONITOR_VALUES_MAX)
		return -ENOSPC;
	if (!old && make_room(l) < 0)
		return -ENOMEM;
	e = copy_of(metric, l, now_ns);
	if (!e)
		return -ENOMEM;
	r = e->skewed && !(old && old->skewed);
	if (old) {
		e->told = old->told && !is_valid(metric, now_ns);
		free(old);
	} else {
		memmove(&l->v[i + 1], &l->v[i], (l->n - i) * sizeof(struct latest *));
		l->n++;
		m->n_metrics++;
	}
	l->v[i] = e;
	m->values = values;
	m->version++;
	return r;
}

static void drop_list(struct monitor *m, size_t at)
{
	list_free(m->lists[at]);
	m->n_lists--;
	memmove(&m->lists[at], &m->lists[at + 1], (m->n_lists - at) * sizeof(struct list *));
}

static int put(struct monitor *m, const struct metric *metric, int64_t now_ns)
{
	size_t at;
	int r = 0;

	if (!find_list(m, metric->name, metric->name_len, &at))
		r = add_list(m, metric, at);
	if (r < 0)
		return r;
	r = put_in(m, m->lists[at], metric, now_ns);
	if (m->lists[at]->n == 0)
		drop_list(m, at);
	return r;
}

static void warn_of_skew(const struct metric *metric, int64_t now_ns)
{
	char peer[PEERID_TEXT_MAX];

	peerid_format(&metric->peer, peer);
	log_warn(
	    "metrics of peer %s have run out %lld s before they come: they were held up, or one "
	    "of our clocks is wrong; it counts as away",
	    peer, (long long)(now_ns / NS_PER_S - metric->expire_ns / NS_PER_S));
}

int monitor_put(struct monitor *m, const struct metric *metric, int64_t now_ns, bool *ret_was_alive)
{
	int r;

	if (metric->peer.len == 0 || metric->name_len == 0)
		return -EINVAL;
	if (metric->name_len > METRIC_NAME_MAX || metric->value_len > METRIC_VALUE_MAX)
		return -EFBIG;
	if (memchr(metric->name, 0, metric->name_len))
		return -EINVAL;
	pthread_mutex_lock(&m->lock);
	if (ret_was_alive)
		*ret_was_alive = is_alive(m, &metric->peer, now_ns);
	r = put(m, metric, now_ns);
	pthread_mutex_unlock(&m->lock);
	if (r == 1 &&
	    rate_take(&m->skew_lines, SKEW_LINES, SKEW_LINE_MS, (uint64_t)clock_mono_ms()))
		warn_of_skew(metric, now_ns);
	return r < 0 ? r : 0;
}

void monitor_saw(struct monitor *m, const struct peerid *peer, int64_t now_ns, int64_t expire_ns)
{
	struct metric seen = {
		.name = MONITOR_PING,
		.name_len = strlen(MONITOR_PING),
		.peer = *peer,
		.expire_ns = expire_ns,
		.valid = true,
	};
	const struct metric *ping;
	int r;

	pthread_mutex_lock(&m->lock);
	ping = ping_of(m, peer);
	if (ping && is_valid(ping, now_ns)) {
		seen.value = ping->value;
		seen.value_len = ping->value_len;
		if (ping->expire_ns > seen.expire_ns)
			seen.expire_ns = ping->expire_ns;
	}
	r = put(m, &seen, now_ns);
	pthread_mutex_unlock(&m->lock);
	if (r < 0)
		log_dbg("no room for a peer that was seen");
}

/* Takes out the metrics of which @gone is true; the lock is held. */
static void drop(struct monitor *m, bool (*gone)(const struct latest *e, const void *arg),
		 const void *arg)
{
	for (size_t i = m->n_lists; i-- > 0;) {
		struct list *l = m->lists[i];
		size_t kept = 0;

		for (size_t j = 0; j < l->n; j++) {
			if (!gone(l->v[j], arg)) {
				l->v[kept++] = l->v[j];
				continue;
			}
			m->values -= l->v[j]->metric.value_len;
			free(l->v[j]);
		}
		m->n_metrics -= l->n - kept;
		l->n = kept;
		if (kept == 0)
			drop_list(m, i);
	}
	m->version++;
}

static bool is_of(const struct latest *e, const void *peer)
{
	return peerid_equal(&e->metric.peer, peer);
}

void monitor_forget(struct monitor *m, const struct peerid *peer)
{
	pthread_mutex_lock(&m->lock);
	drop(m, is_of, peer);
	pthread_mutex_unlock(&m->lock);
}

uint64_t monitor_version(struct monitor *m)
{
	uint64_t version;

	pthread_mutex_lock(&m->lock);
	version = m->version;
	pthread_mutex_unlock(&m->lock);
	return version;
}

/* ---- alerts ---- */

static void add_alert(struct monitor *m, const struct list *l, const struct latest *e,
		      int64_t now_ns)
{
	struct monitor_alert *a = &m->alerts[m->n_alerts++ % MONITOR_ALERTS_MAX];

	*a = (struct monitor_alert){ .peer = e->metric.peer,
				     .expire_ns = e->metric.expire_ns,
				     .triggered_ns = now_ns };
	memcpy(a->name, l->name, l->name_len + 1);
}

/* At most as many as are kept; the others are for the next check. The lock is held. */
static size_t find_alerts(struct monitor *m, int64_t now_ns)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_lists; i++) {
		const struct list *l = m->lists[i];

		for (size_t j = 0; j < l->n && n < MONITOR_ALERTS_MAX; j++) {
			struct latest *e = l->v[j];

			if (e->told || !e->metric.valid || !is_over(&e->metric, now_ns))
				continue;
			e->told = true;
			add_alert(m, l, e, now_ns);
			n++;
		}
	}
	return n;
}

static bool is_done_with(const struct latest *e, const void *now_ns)
{
	return (e->told || !e->metric.valid) && is_over(&e->metric, *(const int64_t *)now_ns);
}

void monitor_check(struct monitor *m, int64_t now_ns)
{
	struct monitor_alert a;
	size_t n, first;

	pthread_mutex_lock(&m->lock);
	n = find_alerts(m, now_ns);
	first = m->n_alerts - n;
	if (m->n_metrics == MONITOR_METRICS_MAX || m->n_lists == MONITOR_NAMES_MAX ||
	    m->values > MONITOR_VALUES_MAX - METRIC_VALUE_MAX)
		drop(m, is_done_with, &now_ns);
	pthread_mutex_unlock(&m->lock);
	for (size_t i = 0; m->alert && i < n; i++) {
		pthread_mutex_lock(&m->lock);
		a = m->alerts[(first + i) % MONITOR_ALERTS_MAX];
		pthread_mutex_unlock(&m->lock);
		m->alert(m->alert_arg, &a);
	}
}

void monitor_alerts(struct monitor *m, bool (*fn)(void *arg, const struct monitor_alert *a),
		    void *arg)
{
	size_t kept;

	pthread_mutex_lock(&m->lock);
	kept = m->n_alerts < MONITOR_ALERTS_MAX ? m->n_alerts : MONITOR_ALERTS_MAX;
	for (size_t i = 1; i <= kept; i++)
		if (!fn(arg, &m->alerts[(m->n_alerts - i) % MONITOR_ALERTS_MAX]))
			break;
	pthread_mutex_unlock(&m->lock);
}

/* ---- reading ---- */

void monitor_each(struct monitor *m, const char *name, int64_t now_ns,
		  bool (*fn)(void *arg, const struct metric *metric), void *arg)
{
	const struct list *l;

	pthread_mutex_lock(&m->lock);
	l = list_of(m, name);
	for (size_t i = 0; l && i < l->n; i++)
		if (is_valid(&l->v[i]->metric, now_ns) && !fn(arg, &l->v[i]->metric))
			break;
	pthread_mutex_unlock(&m->lock);
}

void monitor_each_any(struct monitor *m, const char *name,
		      bool (*fn)(void *arg, const struct metric *metric), void *arg)
{
	const struct list *l;

	pthread_mutex_lock(&m->lock);
	l = list_of(m, name);
	for (size_t i = 0; l && i < l->n; i++)
		if (!fn(arg, &l->v[i]->metric))
			break;
	pthread_mutex_unlock(&m->lock);
}

bool monitor_find(struct monitor *m, const char *name, const struct peerid *peer,
		  void (*fn)(void *arg, const struct metric *metric), void *arg)
{
	const struct list *l;
	bool found;
	size_t i;

	pthread_mutex_lock(&m->lock);
	l = list_of(m, name);
	found = l && find_peer(l, peer, &i);
	if (found)
		fn(arg, &l->v[i]->metric);
	pthread_mutex_unlock(&m->lock);
	return found;
}

void monitor_names(struct monitor *m, bool (*fn)(void *arg, const char *name), void *arg)
{
	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; i < m->n_lists; i++)
		if (!fn(arg, m->lists[i]->name))
			break;
	pthread_mutex_unlock(&m->lock);
}

int monitor_members(struct monitor *m, const char *name, const struct peerid *self, int64_t now_ns,
		    struct peerid **ret, size_t *ret_n)
{
	const struct list *l;
	struct peerid *v;
	bool has_self = false;
	size_t n = 0;

	pthread_mutex_lock(&m->lock);
	l = list_of(m, name);
	v = calloc((l ? l->n : 0) + 1, sizeof(*v));
	for (size_t i = 0; v && l && i < l->n; i++) {
		const struct metric *metric = &l->v[i]->metric;
		int r = peerid_compare(&metric->peer, self);

		if (r > 0 && !has_self)
			v[n++] = *self;
		has_self = has_self || r >= 0;
		if (r == 0 || is_valid(metric, now_ns))
			v[n++] = metric->peer;
	}
	pthread_mutex_unlock(&m->lock);
	if (!v)
		return -ENOMEM;
	if (!has_self)
		v[n++] = *self;
	*ret = v;
	*ret_n = n;
	return 0;
}

bool monitor_is_alive(struct monitor *m, const struct peerid *peer, int64_t now_ns)
{
	bool alive;

	pthread_mutex_lock(&m->lock);
	alive = is_alive(m, peer, now_ns);
	pthread_mutex_unlock(&m->lock);
	return alive;
}
