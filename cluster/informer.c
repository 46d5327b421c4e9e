#include "cluster/informer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/container.h"

#define LOG_AREA "informer"
#include "util/log.h"

/* What has a period of its own. */
enum topic {
	PING,
	DISK,
	TAGS,
	PINQUEUE,
	NUMPIN,
	TOPICS_NR
};

struct turn {
	struct informer *informer;
	enum topic topic;
	uv_timer_t timer;
	bool failing;
};

struct informer {
	const struct cluster_config *cfg;
	const struct informer_config *icfg;
	struct peerid self;
	struct informer_source source;
	struct turn turns[TOPICS_NR];
	struct buf ping; /* the last one */
	int32_t triggers;

	bool closing;
	size_t open; /* timers */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- what is told ---- */

static int64_t in_ms(int64_t ms)
{
	int64_t now = clock_now_ns();

	return ms > (INT64_MAX - now) / NS_PER_MS ? INT64_MAX : now + ms * NS_PER_MS;
}

static int64_t ping_ttl_ms(const struct cluster_config *cfg)
{
	int64_t interval = cfg->monitor_ping_interval_ms;

	return interval < INT64_MAX / 2 ? 2 * interval : INT64_MAX;
}

int64_t informer_ping_end_ns(const struct cluster_config *cfg)
{
	return in_ms(ping_ttl_ms(cfg));
}

static int publish(struct informer *i, struct metric m, int64_t ttl_ms)
{
	m.peer = i->self;
	m.expire_ns = in_ms(ttl_ms);
	m.valid = true;
	return i->source.publish(i->source.arg, &m);
}

static int publish_number(struct informer *i, const char *name, uint64_t value, int64_t weight,
			  int64_t ttl_ms)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRIu64, value);

	return publish(i,
		       (struct metric){ .name = name,
					.name_len = strlen(name),
					.value = text,
					.value_len = (size_t)n,
					.weight = weight },
		       ttl_ms);
}

static int publish_ping(struct informer *i, int64_t ttl_ms)
{
	struct buf now = BUF_INIT(METRIC_VALUE_MAX);

	if (i->source.ping(i->source.arg, &now) == 0) {
		buf_deinit(&i->ping);
		i->ping = now;
	} else {
		buf_deinit(&now);
	}
	return publish(i,
		       (struct metric){ .name = "ping",
					.name_len = strlen("ping"),
					.value = (const char *)i->ping.data,
					.value_len = i->ping.len },
		       ttl_ms);
}

/* Weights as in the reference: the smaller repository, the larger space goes first. Without any
 * space left the peer is no candidate. */
static int publish_disk(struct informer *i, int64_t ttl_ms)
{
	const char *name = i->icfg->disk_metric;
	uint64_t size, max;

	if (!i->source.repo(i->source.arg, &size, &max))
		return 0;
	if (strcmp(name, "reposize") == 0)
		return publish_number(i, name, size, (int64_t)(0 - size), ttl_ms);
	if (size >= max)
		return 0;
	return publish_number(i, name, max - size, (int64_t)(max - size), ttl_ms);
}

static int publish_tag(struct informer *i, const struct conf_pair *tag, int64_t ttl_ms)
{
	char name[METRIC_NAME_MAX + 1];
	int n = snprintf(name, sizeof(name), "tag:%s", tag->key);

	if (n > METRIC_NAME_MAX)
		return -EFBIG;
	return publish(i,
		       (struct metric){ .name = name,
					.name_len = (size_t)n,
					.value = tag->value,
					.value_len = strlen(tag->value),
					.partitionable = true },
		       ttl_ms);
}

static int publish_tags(struct informer *i, int64_t ttl_ms)
{
	int r = 0;

	for (size_t k = 0; k < i->icfg->tags.n; k++) {
		int failed = publish_tag(i, &i->icfg->tags.v[k], ttl_ms);

		r = failed < 0 ? failed : r;
	}
	return r;
}

static int publish_pinqueue(struct informer *i, int64_t ttl_ms)
{
	int64_t queued = (int64_t)i->source.queued(i->source.arg);
	int32_t bucket = i->icfg->pinqueue_bucket_size;

	return publish_number(i, "pinqueue", (uint64_t)queued,
			      bucket > 0 ? -queued / bucket : -queued, ttl_ms);
}

static int publish_numpin(struct informer *i, int64_t ttl_ms)
{
	return publish_number(i, "numpin", i->source.pins(i->source.arg), 0, ttl_ms);
}

/* ---- when ---- */

static int (*const publishers[])(struct informer *i, int64_t ttl_ms) = {
	[PING] = publish_ping,         [DISK] = publish_disk,     [TAGS] = publish_tags,
	[PINQUEUE] = publish_pinqueue, [NUMPIN] = publish_numpin,
};

static const char *const what[] = { [PING] = "ping",
				    [DISK] = "disk",
				    [TAGS] = "tags",
				    [PINQUEUE] = "pinqueue",
				    [NUMPIN] = "numpin" };

/* 0: it is not told. */
static int64_t ttl_ms(const struct informer *i, enum topic topic)
{
	switch (topic) {
	case PING:
		return ping_ttl_ms(i->cfg);
	case DISK:
		return i->icfg->disk_ttl_ms;
	case TAGS:
		return i->icfg->tags_ttl_ms;
	case PINQUEUE:
		return i->icfg->pinqueue_ttl_ms;
	case NUMPIN:
		return i->icfg->numpin_ttl_ms;
	case TOPICS_NR:
		break;
	}
	return 0;
}

static void on_timer(uv_timer_t *timer);

static void take_turn(struct turn *turn)
{
	struct informer *i = turn->informer;
	int64_t ttl = ttl_ms(i, turn->topic), next;
	int r;

	if (ttl <= 0)
		return;
	r = publishers[turn->topic](i, ttl);
	if (r < 0 && !turn->failing)
		log_warn("metrics of %s cannot be published (%s), trying again", what[turn->topic],
			 strerror(-r));
	turn->failing = r < 0;
	next = r < 0 ? ttl / 4 : ttl / 2;
	uv_timer_start(&turn->timer, on_timer, next > 0 ? (uint64_t)next : 1, 0);
}

static void on_timer(uv_timer_t *timer)
{
	take_turn(container_of(timer, struct turn, timer));
}

void informer_start(struct informer *i)
{
	informer_publish_all(i);
}

void informer_publish_all(struct informer *i)
{
	for (size_t k = 0; k < TOPICS_NR && !i->closing; k++)
		take_turn(&i->turns[k]);
}

void informer_publish_disk(struct informer *i)
{
	if (!i->closing)
		take_turn(&i->turns[DISK]);
}

void informer_trigger(struct informer *i, int32_t interval)
{
	if (interval <= 0 || i->closing || ++i->triggers < interval)
		return;
	i->triggers = 0;
	for (size_t k = 0; k < TOPICS_NR; k++)
		if (k != PING && k != DISK)
			take_turn(&i->turns[k]);
	i->source.ask_repo(i->source.arg);
}

/* ---- life ---- */

int informer_new(uv_loop_t *loop, const struct cluster_config *cfg,
		 const struct informer_config *icfg, const struct peerid *self,
		 const struct informer_source *source, struct informer **ret, struct err *e)
{
	struct informer *i = calloc(1, sizeof(*i));

	if (!i)
		return err_sys(e, -ENOMEM, "starting the informers");
	i->cfg = cfg;
	i->icfg = icfg;
	i->self = *self;
	i->source = *source;
	for (; i->open < TOPICS_NR; i->open++) {
		struct turn *turn = &i->turns[i->open];

		turn->informer = i;
		turn->topic = (enum topic)i->open;
		uv_timer_init(loop, &turn->timer);
	}
	*ret = i;
	return 0;
}

static void timer_closed(uv_handle_t *h)
{
	struct turn *turn = container_of(h, struct turn, timer);
	struct informer *i = turn->informer;
	void (*closed)(void *) = i->closed;
	void *arg = i->closed_arg;

	if (--i->open > 0)
		return;
	buf_deinit(&i->ping);
	free(i);
	closed(arg);
}

void informer_close(struct informer *i, void (*closed)(void *arg), void *arg)
{
	i->closing = true;
	i->closed = closed;
	i->closed_arg = arg;
	for (size_t k = 0; k < TOPICS_NR; k++)
		uv_close((uv_handle_t *)&i->turns[k].timer, timer_closed);
}
