#include "fs/why.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/rfc3339.h"

#define WHY_KEPT 256 /* of all users */
#define WHY_SHOWN 64

struct refusal {
	int64_t time_ns;
	uid_t uid;
	int code;
	unsigned count;
	char program[32];
	char path[128];
	char reason[400];
};

struct why {
	pthread_mutex_t lock;
	struct refusal ring[WHY_KEPT];
	uint64_t added; /* newest is (added - 1) % WHY_KEPT */
	int64_t changed_ns;
};

struct why *why_new(void)
{
	struct why *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	w->changed_ns = clock_now_ns();
	return w;
}

void why_free(struct why *w)
{
	if (!w)
		return;
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static bool same(const struct refusal *a, uid_t uid, const char *program, int code,
		 const char *reason)
{
	return a->uid == uid && a->code == code && strcmp(a->program, program) == 0 &&
	       strncmp(a->reason, reason, sizeof(a->reason) - 1) == 0;
}

/* The same refusal among the last ones, moved to the newest place. */
static struct refusal *find(struct why *w, uid_t uid, const char *program, int code,
			    const char *reason)
{
	uint64_t oldest = w->added > WHY_SHOWN ? w->added - WHY_SHOWN : 0;

	for (uint64_t i = w->added; i-- > oldest;) {
		struct refusal found = w->ring[i % WHY_KEPT];

		if (!same(&found, uid, program, code, reason))
			continue;
		for (; i + 1 < w->added; i++)
			w->ring[i % WHY_KEPT] = w->ring[(i + 1) % WHY_KEPT];
		w->ring[i % WHY_KEPT] = found;
		return &w->ring[i % WHY_KEPT];
	}
	return NULL;
}

void why_add(struct why *w, uid_t uid, const char *program, const char *path, int code,
	     const char *reason)
{
	struct refusal *next;

	pthread_mutex_lock(&w->lock);
	w->changed_ns = clock_now_ns();
	next = find(w, uid, program, code, reason);
	if (!next) {
		next = &w->ring[w->added++ % WHY_KEPT];
		*next = (struct refusal){ .uid = uid, .code = code };
		snprintf(next->program, sizeof(next->program), "%s", program);
		snprintf(next->reason, sizeof(next->reason), "%s", reason);
	}
	next->count++;
	next->time_ns = w->changed_ns;
	snprintf(next->path, sizeof(next->path), "%s", path);
	pthread_mutex_unlock(&w->lock);
}

static int render_one(const struct refusal *f, struct buf *out)
{
	char stamp[RFC3339_LEN], path[300], times[32] = "";
	int r = rfc3339_format(f->time_ns / NS_PER_S, stamp);

	if (r < 0)
		return r;
	if (f->count > 1)
		snprintf(times, sizeof(times), " (%u times)", f->count);
	log_quote(f->path, strlen(f->path), path, sizeof(path));
	return buf_printf(out, "%.*s %s %s: %s: %s%s\n", RFC3339_LEN, stamp,
			  f->program[0] ? f->program : "?", path, strerror(-f->code), f->reason,
			  times);
}

int why_render(struct why *w, uid_t uid, struct buf *out)
{
	unsigned shown = 0;
	int r = 0;

	pthread_mutex_lock(&w->lock);
	for (uint64_t i = 0; r == 0 && i < w->added && i < WHY_KEPT && shown < WHY_SHOWN; i++) {
		const struct refusal *f = &w->ring[(w->added - 1 - i) % WHY_KEPT];

		if (uid != 0 && f->uid != uid)
			continue;
		r = render_one(f, out);
		shown++;
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

int64_t why_changed_ns(struct why *w)
{
	int64_t t;

	pthread_mutex_lock(&w->lock);
	t = w->changed_ns;
	pthread_mutex_unlock(&w->lock);
	return t;
}
