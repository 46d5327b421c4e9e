/* A dump on its way in: spooled as it comes, parsed, completed with defaults, handed to the loader.
 */
#include "cluster/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster/import_internal.h"
#include "types/pin_pb.h"
#include "util/clock.h"
#include "util/path.h"

#define IMPORT_FILE "import.json"
#define IMPORT_TEMP "import.json.new"

/* ---- the spool ---- */

static int open_spool(struct import *im)
{
	const char *folder = im->cluster->opt.data_folder;

	im->file = path_join(folder, IMPORT_FILE);
	im->temp = path_join(folder, IMPORT_TEMP);
	if (!im->file || !im->temp)
		return -ENOMEM;
	im->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (im->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		im->fd = open(im->temp, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
		im->named = im->fd >= 0;
	}
	return im->fd < 0 ? -errno : 0;
}

static int spool(struct import *im, const void *p, size_t n)
{
	int r = im->fd < 0 ? 0 : path_write_all(im->fd, p, n);

	if (r < 0)
		return r;
	im->received += n;
	if (im->fd >= 0)
		path_write_back(im->fd, im->received, &im->written_back);
	return 0;
}

/* ---- life ---- */

static int claim(struct cluster *c, bool check, bool take)
{
	int r = 0;

	pthread_mutex_lock(&c->lock);
	if (take && c->import_open[check])
		r = -EBUSY;
	else
		c->import_open[check] = take;
	pthread_mutex_unlock(&c->lock);
	return r;
}

int cluster_import_begin(struct cluster *c, bool check, struct import **ret)
{
	struct import *im;
	int r = claim(c, check, true);

	if (r < 0)
		return r;
	im = calloc(1, sizeof(*im));
	if (!im) {
		claim(c, check, false);
		return -ENOMEM;
	}
	im->cluster = c;
	im->check = im->result.check = check;
	im->fd = -1;
	dump_reader_init(&im->reader);
	im->result.started_ns = clock_now_ns();
	r = check ? 0 : open_spool(im);
	if (r == 0)
		r = c->consensus->ops->load(c->consensus, &im->loader);
	if (r < 0) {
		import_free(im);
		return r;
	}
	*ret = im;
	return 0;
}

void import_publish(struct import *im)
{
	struct cluster *c = im->cluster;

	im->result.bytes = im->received;
	im->result.lines = im->reader.pos.line - (im->reader.pos.column == 1);
	im->result.pins = im->reader.objects;
	im->result.unknown_keys = im->reader.unknown_keys;
	im->result.defaulted = im->reader.defaulted;
	pthread_mutex_lock(&c->lock);
	c->import_results[im->check] = im->result;
	pthread_mutex_unlock(&c->lock);
}

void import_resolve(struct import *im, int status, const char *reason)
{
	if (im->resolved)
		return;
	im->resolved = true;
	snprintf(im->result.state, sizeof(im->result.state), status < 0 ? "failed" : "done");
	if (status < 0)
		snprintf(im->result.error, sizeof(im->result.error), "%s", reason);
	im->result.ended_ns = clock_now_ns();
	import_publish(im);
	claim(im->cluster, im->check, false);
}

void import_free(struct import *im)
{
	if (!im)
		return;
	if (im->received == 0 && !im->resolved)
		claim(im->cluster, im->check, false); /* no import, so no result */
	else
		import_resolve(im, -ECANCELED,
			       im->error.code ? im->error.msg : "the writer went away");
	if (im->loader)
		im->loader->ops->free(im->loader);
	if (im->fd >= 0)
		close(im->fd);
	if (im->named)
		unlink(im->temp);
	free(im->file);
	free(im->temp);
	dump_reader_deinit(&im->reader);
	buf_deinit(&im->value);
	buf_deinit(&im->text);
	free(im);
}

/* ---- pins ---- */

/* A factor that is not given is the configured one, or where that does not fit, as the other. */
static void fill_factors(const struct cluster_config *cfg, struct pin *p)
{
	int32_t min = p->replication_min, max = p->replication_max;

	if (min == 0)
		min = max == 0 || (max > 0 && cfg->replication_factor_min > 0 &&
				   cfg->replication_factor_min <= max)
			  ? cfg->replication_factor_min
			  : max;
	if (max == 0)
		max = p->replication_min == 0 || (min > 0 && cfg->replication_factor_max >= min)
			  ? cfg->replication_factor_max
			  : min;
	p->replication_min = min;
	p->replication_max = max;
}

static bool complete(const struct dump_options *o, const struct pin *p)
{
	return p->replication_min != 0 && p->replication_max != 0 && o->replication_min == 0 &&
	       o->replication_max == 0 && !o->has_allocations;
}

/* @p is a copy whose lists belong to others. */
static void override(const struct dump_options *o, struct pin *p)
{
	if (o->replication_min != 0)
		p->replication_min = o->replication_min;
	if (o->replication_max != 0)
		p->replication_max = o->replication_max;
	if (o->has_allocations) {
		p->allocations = o->allocations;
		p->n_allocations = o->n_allocations;
	}
}

static int hand_over(struct import *im, const struct pin *p, size_t line_len)
{
	struct consensus_pin cp = { .cid = &p->cid,
				    .name = p->name.p,
				    .name_len = p->name.n,
				    .timestamp = p->timestamp,
				    .expire_at = p->expire_at };
	int r;

	buf_reset(&im->value);
	r = pin_pb_encode(p, &im->value);
	if (r == 0 && line_len == 0) {
		buf_reset(&im->text);
		r = pin_json_line(p, &im->text);
		line_len = im->text.len + 1;
	}
	if (r < 0)
		return r;
	cp.value = im->value.data;
	cp.value_len = im->value.len;
	cp.line_len = (uint32_t)line_len;
	cp.document_len = (uint32_t)pin_json_document_len(p, line_len - 1);
	return im->loader->ops->add(im->loader, &cp);
}

static int take_pin(void *arg, const struct pin *p, struct err *e)
{
	struct import *im = arg;
	struct dump_reader *rd = &im->reader;
	struct pin changed;
	int r;

	if (complete(&rd->options, p)) {
		r = hand_over(im, p, rd->line_len);
	} else {
		changed = *p;
		override(&rd->options, &changed);
		fill_factors(im->cluster->opt.config, &changed);
		r = hand_over(im, &changed, 0);
	}
	return r < 0 ? err_sys(e, r, "keeping a pin") : 0;
}

/* ---- bytes ---- */

static int fail(struct import *im, int code, const struct err *why, struct err *e)
{
	im->error = *why;
	if (im->error.code == 0)
		err_sys(&im->error, code, "the import");
	import_resolve(im, code, im->error.msg);
	return err_set(e, code, "%s", im->error.msg);
}

/* The first failure, again. */
static int failed_before(const struct import *im, struct err *e)
{
	return err_set(e, im->error.code, "%s", im->error.msg);
}

int import_feed(struct import *im, const void *p, size_t n, struct err *e)
{
	struct err why = { 0 };
	int r;

	if (im->error.code < 0)
		return failed_before(im, e);
	if (im->finished)
		return err_set(e, -EINVAL, "the dump was complete before");
	r = spool(im, p, n);
	if (r < 0)
		err_sys(&why, r, "spooling the dump");
	else
		r = dump_reader_feed(&im->reader, p, n, take_pin, im, &why);
	if (r < 0)
		return fail(im, r, &why, e);
	snprintf(im->result.state, sizeof(im->result.state), "receiving");
	import_publish(im);
	return 0;
}

static int finish(struct import *im, struct err *why)
{
	int r = dump_reader_finish(&im->reader, why);

	if (r < 0)
		return r;
	if (im->reader.objects == 0)
		return err_set(why, -EINVAL,
			       "an empty dump; rm -r of the folder state empties the pinset");
	if (im->reader.options.peerset[0])
		return err_set(why, -EINVAL, "peerset: there is none in crdt");
	r = im->loader->ops->seal(im->loader);
	return r < 0 ? err_sys(why, r, "spooling the pins") : 0;
}

int import_finish(struct import *im, struct err *e)
{
	struct err why = { 0 };
	int r;

	if (im->error.code < 0)
		return failed_before(im, e);
	if (im->finished)
		return 0;
	r = finish(im, &why);
	if (r < 0)
		return fail(im, r, &why, e);
	im->finished = true;
	return 0;
}

void import_set_time(struct import *im, int64_t ns)
{
	im->mtime_ns = ns;
}

bool import_failed(const struct import *im)
{
	return im->error.code < 0;
}

uint64_t import_received(const struct import *im)
{
	return im->received;
}

bool import_complete(const struct import *im)
{
	return im->error.code == 0 && im->reader.complete;
}
