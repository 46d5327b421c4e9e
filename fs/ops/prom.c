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

static int counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
	return buf_printf(out, "# HELP %s %s\n# TYPE %s counter\n%s %llu\n", name, help, name, name,
			  (unsigned long long)value);
}

struct row {
	const char *name, *help;
	uint64_t value;
};

static int write_rows(struct buf *out, const struct row *rows, size_t n, bool counters)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = counters ? counter(out, rows[i].name, rows[i].help, rows[i].value)
			     : gauge(out, rows[i].name, rows[i].help, (int64_t)rows[i].value);
	return r;
}

static int write_kubo_counts(struct fs *fs, struct buf *out)
{
	struct kubo_counts n = { 0 };
	struct kubo *k = cluster_options(fs->cluster)->kubo;

	if (k)
		kubo_counts(k, &n);
	const struct row rows[] = {
		{ "ipfscluster_pins_pin_add", "Total number of IPFS pin requests", n.pins_asked },
		{ "ipfscluster_pins_pin_add_errors", "Total number of failed pin requests",
		  n.pins_failed },
		{ "ipfscluster_blocks_put", "Total number of blocks/put requests", n.blocks_asked },
		{ "ipfscluster_blocks_added_size", "Total size of blocks added in bytes",
		  n.block_bytes },
		{ "ipfscluster_blocks_added", "Total number of blocks added", n.blocks_put },
		{ "ipfscluster_blocks_put_errors", "Total number of block/put errors",
		  n.blocks_failed },
	};
	return write_rows(out, rows, sizeof(rows) / sizeof(*rows), true);
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

static bool count_alive(void *arg, const struct member *m)
{
	*(uint64_t *)arg += m->alive;
	return true;
}

static bool count_alert(void *arg, const struct monitor_alert *a)
{
	++*(uint64_t *)arg;
	return true;
}

static int write_network(struct fs *fs, struct buf *out)
{
	struct cluster_network n;
	uint64_t alive = 1, alerts = 0;
	int r;

	if (!cluster_network(fs->cluster, &n))
		return 0;
	cluster_each_member(fs->cluster, count_alive, &alive);
	cluster_each_alert(fs->cluster, count_alert, &alerts);
	const struct row now[] = {
		{ "pinfs_peers", "Members of the cluster that are alive, this one included",
		  alive },
		{ "pinfs_peers_connected", "Peers that are connected", n.connected },
		{ "pinfs_alerts", "Metrics that ran out, as far as they are remembered", alerts },
	};
	const struct row since[] = {
		{ "pinfs_net_accepted_total", "Connections accepted", n.host.accepted },
		{ "pinfs_net_refused_total", "Connections closed for a limit", n.host.refused },
		{ "pinfs_net_dialled_total", "Addresses dialled", n.host.dialled },
		{ "pinfs_net_dial_failures_total", "Dials that failed", n.host.dial_failures },
		{ "pinfs_net_other_secret_total", "Connections that began as with another secret",
		  n.host.bad_first_token },
		{ "pinfs_net_bad_handshake_total", "Handshakes that failed", n.host.bad_handshake },
		{ "pinfs_net_in_bytes_total", "Bytes received", n.host.bytes_in },
		{ "pinfs_net_out_bytes_total", "Bytes sent", n.host.bytes_out },
		{ "pinfs_gossip_delivered_total", "Messages delivered", n.gossip.delivered },
		{ "pinfs_gossip_published_total", "Messages published", n.gossip.published },
		{ "pinfs_gossip_duplicates_total", "Messages that were known",
		  n.gossip.duplicates },
		{ "pinfs_gossip_rejected_total", "Messages refused", n.gossip.rejected },
		{ "pinfs_gossip_bad_signature_total", "Messages not signed by their author",
		  n.gossip.bad_signature },
		{ "pinfs_gossip_malformed_total", "Malformed frames and messages",
		  n.gossip.malformed },
		{ "pinfs_gossip_dropped_total", "Messages dropped for a full queue",
		  n.gossip.dropped },
	};
	r = write_rows(out, now, sizeof(now) / sizeof(*now), false);
	return r < 0 ? r : write_rows(out, since, sizeof(since) / sizeof(*since), true);
}

static int write_sync(struct fs *fs, struct buf *out)
{
	struct crdt_sync sync;
	int r;

	if (!cluster_sync(fs->cluster, &sync))
		return 0;
	r = gauge(out, "pinfs_crdt_wanted_blocks", "Blocks known of and not here",
		  (int64_t)sync.wanted);
	if (r == 0)
		r = gauge(out, "pinfs_crdt_last_heard_seconds",
			  "Unix time of the last broadcast of another peer", sync.last_heard_s);
	if (r == 0)
		r = counter(out, "pinfs_crdt_merged_blocks_total", "Blocks of others merged",
			    sync.merged);
	return r < 0 ? r
		     : counter(out, "pinfs_crdt_failed_blocks_total",
			       "Blocks refused or not to be had", sync.failed);
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
		r = write_kubo_counts(c->fs, out);
	if (r == 0)
		r = write_disk(c->fs, &k, out);
	if (r == 0)
		r = write_ours(c, info, k.up, out);
	if (r == 0)
		r = write_network(c->fs, out);
	return r < 0 ? r : write_sync(c->fs, out);
}
TEXT_OPS(prom, CLASS_READ_ONLY);
