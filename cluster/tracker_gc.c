/* Garbage collection in Kubo, and its result as the reference's "ipfs gc" shows it. */
#include "cluster/tracker_internal.h"

#include <errno.h>
#include <string.h>

#include "util/json_write.h"

#define GC_KEYS_MAX (4u << 20) /* bytes of the result; more keys are left out */

static int write_text(struct buf *out, const char *key, const char *value)
{
	int r = buf_printf(out, "\"%s\":", key);

	return r < 0 ? r : json_write_string(out, value, strlen(value));
}

static int write_entry(struct buf *out, const char *key, const char *error)
{
	int r = buf_str(out, out->len ? ",{" : "{");

	if (r == 0 && key)
		r = write_text(out, "key", key);
	if (r == 0 && key && error)
		r = buf_byte(out, ',');
	if (r == 0 && error)
		r = write_text(out, "error", error);
	return r < 0 ? r : buf_byte(out, '}');
}

static void on_each(void *arg, const char *key, const char *error)
{
	struct tracker *t = arg;
	size_t before = t->gc_keys.len;

	pthread_mutex_lock(&t->lock);
	if (write_entry(&t->gc_keys, key, error) < 0)
		t->gc_keys.len = before;
	pthread_mutex_unlock(&t->lock);
	if (t->gc_watch)
		t->gc_watch->each(t->gc_watch, key, error);
}

static void on_done(void *arg, int status, const struct err *e)
{
	struct tracker *t = arg;
	struct tracker_gc_watch *watch = t->gc_watch;

	t->gc_watch = NULL;
	pthread_mutex_lock(&t->lock);
	t->gc_call = NULL;
	if (status < 0 && e)
		t->gc_error = *e;
	pthread_mutex_unlock(&t->lock);
	if (watch)
		watch->done(watch, status, e);
	tracker_tell_worked(t);
	tracker_unuse(t);
}

int tracker_gc(struct tracker *t, struct tracker_gc_watch *watch)
{
	int r;

	if (t->gc_call)
		return -EBUSY;
	if (t->closing)
		return -ECANCELED;
	pthread_mutex_lock(&t->lock);
	t->gc_keys.max = GC_KEYS_MAX;
	buf_reset(&t->gc_keys);
	t->gc_error = (struct err){ 0 };
	pthread_mutex_unlock(&t->lock);
	tracker_use(t);
	r = kubo_repo_gc(t->opt.kubo, on_each, on_done, t, &t->gc_call);
	if (r < 0)
		tracker_unuse(t);
	else
		t->gc_watch = watch;
	return r;
}

static int write_result(struct tracker *t, struct buf *out)
{
	char self[PEERID_TEXT_MAX];
	int r;

	peerid_format(&t->opt.self, self);
	r = buf_printf(out, "{\"peer_map\":{\"%s\":{\"peer\":\"%s\",\"keys\":[", self, self);
	if (r == 0 && t->gc_keys.len)
		r = buf_append(out, t->gc_keys.data, t->gc_keys.len);
	if (r == 0)
		r = buf_byte(out, ']');
	if (r == 0 && t->gc_error.code)
		r = buf_byte(out, ',');
	if (r == 0 && t->gc_error.code)
		r = write_text(out, "error", t->gc_error.msg);
	return r < 0 ? r : buf_str(out, "}}}\n");
}

int tracker_gc_result(struct tracker *t, struct buf *out)
{
	int r;

	pthread_mutex_lock(&t->lock);
	r = write_result(t, out);
	pthread_mutex_unlock(&t->lock);
	return r;
}
