/* health/: is it well, and if not, what is to be done. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fs/ops/views.h"
#include "util/clock.h"

#define OTHER_SECRET_NS (10 * 60 * NS_PER_S) /* how long one that was seen is a problem */
#define SKEW_RECENT_NS (2 * 60 * NS_PER_S)   /* of a peer that is heard of no longer: none */
#define PING_AHEAD_NS (60 * 60 * NS_PER_S)   /* nobody's ping lasts so long, but by another clock */
#define DISK_LOW (256ull << 20)              /* bytes free under our data that are a problem */

/* ---- ready ---- */

/* Everything that trusted peers told of is here. */
static bool in_step(struct fs *fs)
{
	struct crdt_sync sync;

	return !cluster_sync(fs->cluster, &sync) || sync.wanted == 0;
}

static bool is_ready(struct fs *fs)
{
	return !cluster_options(fs->cluster)->offline && !fs->opt.read_only &&
	       !atomic_load(&fs->frozen) && in_step(fs);
}

static int render_ready(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	return buf_str(out, is_ready(c->fs) ? "1\n" : "0\n");
}
TEXT_OPS(ready, CLASS_READ_ONLY);

/* ---- problems ---- */

/* Words from elsewhere on one line. */
static int add_line(struct buf *out, const char *before, const char *words)
{
	size_t from = out->len;
	int r = buf_printf(out, "%s%s", before, words);

	for (size_t i = from; r == 0 && i < out->len; i++)
		if (out->data[i] < ' ')
			out->data[i] = ' ';
	return r < 0 ? r : buf_byte(out, '\n');
}

static int kubo_problems(struct fs *fs, struct buf *out)
{
	struct tracker_kubo k = { 0 };
	char line[STATUS_ERROR_MAX + 64];

	if (!view_kubo(fs, &k) || !k.asked)
		return 0;
	if (!k.up) {
		snprintf(line, sizeof(line), "%s (since %s)", k.error, view_time(k.since_ns).s);
		return add_line(out, "Kubo does not answer, pins stay queued: ", line);
	}
	if (k.repo_ns && k.repo.storage_max > 0 && k.repo.repo_size >= k.repo.storage_max)
		return buf_printf(
		    out,
		    "Kubo's repository is full: %llu of %llu bytes; write to ipfs/gc, "
		    "or raise Datastore.StorageMax\n",
		    (unsigned long long)k.repo.repo_size, (unsigned long long)k.repo.storage_max);
	return 0;
}

static int disk_problems(struct fs *fs, struct buf *out)
{
	uint64_t free_bytes, used;

	if (store_space(fs->store, &free_bytes, &used) < 0 || free_bytes >= DISK_LOW)
		return 0;
	return buf_printf(out, "the disk is nearly full: %llu MiB are free where the state lies\n",
			  (unsigned long long)(free_bytes >> 20));
}

static int pin_problems(const struct store_info *info, struct buf *out)
{
	const uint32_t set = status_set("error", strlen("error"));
	uint64_t n = 0;

	for (unsigned s = 0; s < STATUS_NR; s++)
		if (set & 1u << s)
			n += info->by_status[s];
	return n == 0 ? 0
		      : buf_printf(out, "pins in error: %llu; see status/errors\n",
				   (unsigned long long)n);
}

static int peer_problems(struct call *c, struct buf *out)
{
	int r = 0;

	if (cluster_options(c->fs->cluster)->offline)
		r = buf_str(out, "offline: nothing is pinned in Kubo and no other peer is asked\n");
	if (r == 0 && cluster_braked(c->fs->cluster))
		r = buf_str(out, "a mass removal is being refused; the file why says how to let it "
				 "pass\n");
	return r;
}

static int network_problems(struct fs *fs, struct buf *out)
{
	struct cluster_network net;
	int r = 0;

	if (!cluster_network(fs->cluster, &net))
		return 0;
	if (net.announced == 0)
		r = buf_str(out,
			    "no address is listened on: other peers cannot reach this one; see "
			    "cluster.listen_multiaddress\n");
	/* Among peers, those with another secret are of another cluster. */
	if (r == 0 && net.connected == 0 && net.other_secret_ns > clock_now_ns() - OTHER_SECRET_NS)
		r = buf_printf(out,
			       "connections fail as they do where the secrets differ: %" PRIu64
			       " since the start, the last one at %s; compare cluster.secret\n",
			       net.host.bad_first_token, view_time(net.other_secret_ns).s);
	if (r == 0 && net.trusted_known > 0 && net.trusted_connected == 0)
		r = buf_printf(out,
			       "none of the %zu other trusted peers is connected: changes neither "
			       "go there nor come from there\n",
			       net.trusted_known);
	return r;
}

static int sync_problems(struct fs *fs, const struct store_info *info, struct buf *out)
{
	struct crdt_sync sync = { 0 };

	if (!cluster_sync(fs->cluster, &sync) && !info->dirty)
		return 0;
	if (!sync.dirty && !info->dirty)
		return 0;
	return buf_printf(
	    out,
	    "blocks of the state are missing and cannot be had at the moment: %" PRIu64
	    " wanted; they are asked for again and again\n",
	    sync.wanted);
}

/* ---- clocks ---- */

struct skew {
	struct buf *out;
	const struct peerid *self;
	int r;
};

/* A metric tells when it runs out by the clock of its peer. One that had run out when it came is of
 * a clock behind ours, or waited for the end of a partition; one that lasts for hours is of a clock
 * ahead. */
static bool judge_clock(void *arg, const struct metric *m)
{
	struct skew *s = arg;
	int64_t left_ns = m->expire_ns - m->received_ns;
	char id[PEERID_TEXT_MAX];

	if (peerid_equal(&m->peer, s->self) || m->received_ns < clock_now_ns() - SKEW_RECENT_NS)
		return true;
	peerid_format(&m->peer, id);
	if (left_ns < -MONITOR_SKEW_WARN_NS)
		s->r = buf_printf(s->out,
				  "the ping of peer %s that came at %s had run out for %" PRId64
				  " s: it was held up, or that peer's clock is behind ours; it "
				  "counts as away\n",
				  id, view_time(m->received_ns).s, (int64_t)(-left_ns / NS_PER_S));
	else if (left_ns >= PING_AHEAD_NS)
		s->r = buf_printf(s->out,
				  "the clock of peer %s is ahead of ours: its ping of %s lasts for "
				  "%" PRId64 " s; it counts as alive long after it is gone\n",
				  id, view_time(m->received_ns).s, (int64_t)(left_ns / NS_PER_S));
	return s->r == 0;
}

static int clock_problems(struct fs *fs, struct buf *out)
{
	struct skew s = { .out = out, .self = &cluster_options(fs->cluster)->self };

	cluster_each_metric(fs->cluster, MONITOR_PING, true, judge_clock, &s);
	return s.r;
}

static int render_problems(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	const struct store_info *info = call_info(c);
	int r = info ? peer_problems(c, out) : -EMFILE;

	if (r == 0)
		r = network_problems(c->fs, out);
	if (r == 0)
		r = clock_problems(c->fs, out);
	if (r == 0)
		r = sync_problems(c->fs, info, out);
	if (r == 0)
		r = kubo_problems(c->fs, out);
	if (r == 0)
		r = disk_problems(c->fs, out);
	return r < 0 ? r : pin_problems(info, out);
}
TEXT_OPS(problems, CLASS_READ_ONLY);
