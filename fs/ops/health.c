/* health/: is it well, and if not, what is to be done. */
#include <errno.h>
#include <string.h>

#include "fs/ops/views.h"

#define DISK_LOW (256ull << 20) /* bytes free under our data that are a problem */

/* ---- ready ---- */

static bool is_ready(struct fs *fs)
{
	return !cluster_options(fs->cluster)->offline && !fs->opt.read_only &&
	       !atomic_load(&fs->frozen);
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

static int peer_problems(struct call *c, const struct store_info *info, struct buf *out)
{
	int r = 0;

	if (cluster_options(c->fs->cluster)->offline)
		r = buf_str(out, "offline: nothing is pinned in Kubo and no other peer is asked\n");
	if (r == 0 && cluster_braked(c->fs->cluster))
		r = buf_str(out, "a mass removal is being refused; the file why says how to let it "
				 "pass\n");
	if (r == 0 && info->dirty)
		r = buf_str(out, "blocks of the state are missing and are being looked for\n");
	return r;
}

static int render_problems(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	const struct store_info *info = call_info(c);
	int r = info ? peer_problems(c, info, out) : -EMFILE;

	if (r == 0)
		r = kubo_problems(c->fs, out);
	if (r == 0)
		r = disk_problems(c->fs, out);
	return r < 0 ? r : pin_problems(info, out);
}
TEXT_OPS(problems, CLASS_READ_ONLY);
