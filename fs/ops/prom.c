/*
 * health/pinfs.prom: the state as a Prometheus text file, for node_exporter's textfile collector.
 * What the reference counts too has its name. Source: observations/ of ipfs-cluster 1.1.6
 * (namespace "ipfscluster").
 */
#include <errno.h>
#include <string.h>

#include "fs/ops/views.h"

static int gauge(struct buf *out, const char *name, const char *help, int64_t value)
{
	return buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %lld\n", name, help, name, name,
			  (long long)value);
}

static int write_reference(const struct store_info *info, uint64_t pinning, struct buf *out)
{
	uint64_t queued = info->by_status[STATUS_PIN_QUEUED];
	int r = gauge(out, "ipfscluster_pins", "Total number of cluster pins", (int64_t)info->pins);

	if (r == 0)
		r = gauge(out, "ipfscluster_pins_pin_queued",
			  "Current number of pins queued for pinning",
			  queued > pinning ? (int64_t)(queued - pinning) : 0);
	if (r == 0)
		r = gauge(out, "ipfscluster_pins_pinning",
			  "Current number of pins currently pinning", (int64_t)pinning);
	if (r == 0)
		r = gauge(out, "ipfscluster_pins_pin_error",
			  "Current number of pins in pin_error state",
			  (int64_t)info->by_status[STATUS_PIN_ERROR]);
	return r < 0 ? r
		     : gauge(out, "ipfscluster_pins_ipfs_pins",
			     "Current number of items pinned on IPFS",
			     (int64_t)info->by_status[STATUS_PINNED]);
}

static int write_disk(struct fs *fs, const struct tracker_kubo *k, struct buf *out)
{
	bool size = strcmp(cluster_options(fs->cluster)->informer->disk_metric, "reposize") == 0;
	int64_t free_bytes = (int64_t)(k->repo.storage_max - k->repo.repo_size);

	if (k->repo_ns == 0)
		return 0;
	if (k->repo.repo_size > k->repo.storage_max)
		free_bytes = 0;
	return gauge(out, "ipfscluster_informer_disk",
		     "The metric value weight issued by disk informer",
		     size ? -(int64_t)k->repo.repo_size : free_bytes);
}

static int write_statuses(const struct store_info *info, struct buf *out)
{
	int r = buf_str(out, "# HELP pinfs_status_pins Pins by their stored status on this peer\n"
			     "# TYPE pinfs_status_pins gauge\n");

	for (unsigned s = STATUS_CLUSTER_ERROR; r == 0 && s < STATUS_NR; s++)
		r = buf_printf(out, "pinfs_status_pins{status=\"%s\"} %llu\n",
			       status_name((enum status)s), (unsigned long long)info->by_status[s]);
	return r;
}

static int write_ours(struct call *c, const struct store_info *info, bool up, struct buf *out)
{
	uint64_t unpins = 0, free_bytes = 0, used = 0;
	int r = unpin_count(c->txn, &unpins);

	store_space(c->fs->store, &free_bytes, &used);
	if (r == 0)
		r = write_statuses(info, out);
	if (r == 0)
		r = gauge(out, "pinfs_unpins_waiting", "CIDs to be unpinned in Kubo",
			  (int64_t)unpins);
	if (r == 0)
		r = gauge(out, "pinfs_kubo_up", "Kubo answers", up);
	if (r == 0)
		r = gauge(out, "pinfs_revision", "Committed changes of the pinset",
			  (int64_t)info->revision);
	if (r == 0)
		r = gauge(out, "pinfs_export_bytes", "Length of the dump",
			  (int64_t)info->export_bytes);
	if (r == 0)
		r = gauge(out, "pinfs_store_bytes", "Size of the data file", (int64_t)used);
	return r < 0 ? r
		     : gauge(out, "pinfs_store_free_bytes", "Free bytes where the state lies",
			     (int64_t)free_bytes);
}

static uint64_t count_pinning(struct fs *fs)
{
	struct tracker *t = cluster_tracker(fs->cluster);
	uint64_t serial = 0, n = 0;

	while (t && tracker_next_pinning(t, serial, &serial) == 0)
		n++;
	return n;
}

static int render_prom(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	const struct store_info *info = call_info(c);
	struct tracker_kubo k = { 0 };
	int r = info ? write_reference(info, count_pinning(c->fs), out) : -EMFILE;

	view_kubo(c->fs, &k);
	if (r == 0)
		r = write_disk(c->fs, &k, out);
	return r < 0 ? r : write_ours(c, info, k.up, out);
}
TEXT_OPS(prom, CLASS_READ_ONLY);
