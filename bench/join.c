/*
 * How fast a peer that joins takes in the history of others: a chain of blocks as the reference's
 * import makes it, given to the engine as soon as it asks. No network, the real store.
 *
 *   bench-join FOLDER [PINS]
 *
 * FOLDER is empty. Prints seconds, pins per second, the peak of anonymous memory, and the size of
 * the data. Blocks are in a mapped file, so that they are not in that peak.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "consensus/crdt/broadcast.h"
#include "consensus/crdt/chain.h"
#include "consensus/crdt/crdt.h"
#include "consensus/crdt/crdt_net.h"
#include "types/hash.h"
#include "types/pin_pb.h"
#include "util/clock.h"
#include "util/path.h"

#define BLOCKS_MAX 4096

struct blocks {
	int fd;
	const uint8_t *data;
	size_t size, n;
	struct {
		struct cid cid;
		size_t at, len;
	} v[BLOCKS_MAX];
};

struct join {
	struct blocks *blocks;
	struct consensus *engine;
	size_t asked[BLOCKS_MAX], n_asked;
	bool closed;
};

static void die(const char *what, int r)
{
	fprintf(stderr, "bench-join: %s: %s\n", what, strerror(-r));
	exit(1);
}

/* ---- the history ---- */

static int take_block(void *arg, const struct cid *cid, const void *data, size_t len,
		      uint64_t height)
{
	struct blocks *b = arg;

	if (b->n == BLOCKS_MAX)
		return -EFBIG;
	cid_copy(&b->v[b->n].cid, cid);
	b->v[b->n].at = b->size;
	b->v[b->n++].len = len;
	b->size += len;
	return path_write_all(b->fd, data, len);
}

static void make_blocks(struct blocks *b, const char *folder, unsigned pins)
{
	struct buf value = BUF_INIT(0);
	struct chain *chain;
	struct cid head;
	uint64_t height, block;
	void *data;
	struct pin p;
	int r;

	b->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	r = b->fd < 0 ? -errno : chain_new(take_block, b, &chain);
	pin_init(&p);
	for (unsigned i = 0; r == 0 && i < pins; i++) {
		char name[32];

		pin_reset(&p);
		cid_of_block(CODEC_RAW, &i, sizeof(i), &p.cid);
		snprintf(name, sizeof(name), "name-%u", i);
		p.type = PIN_TYPE_DATA;
		p.replication_min = p.replication_max = -1;
		p.max_depth = PIN_DEPTH_RECURSIVE;
		p.timestamp = 1700000000 + i;
		p.name.p = name;
		p.name.n = strlen(name);
		buf_reset(&value);
		r = pin_pb_encode(&p, &value);
		if (r == 0)
			r = chain_add(chain, &p.cid, value.data, value.len, &block);
	}
	if (r == 0)
		r = chain_finish(chain, &head, &height);
	if (r < 0)
		die("making the history", r);
	pin_deinit(&p);
	buf_deinit(&value);
	chain_free(chain);
	data = mmap(NULL, b->size, PROT_READ, MAP_SHARED, b->fd, 0);
	if (data == MAP_FAILED)
		die("mapping the history", -errno);
	b->data = data;
}

/* ---- the network ---- */

static int net_publish(void *arg, const void *p, size_t n)
{
	return 0;
}

static int net_want(void *arg, const struct cid *cid, const struct peerid *hint)
{
	struct join *j = arg;

	for (size_t i = 0; i < j->blocks->n; i++)
		if (cid_equal(&j->blocks->v[i].cid, cid))
			j->asked[j->n_asked++] = i;
	return 0;
}

static void net_cancel(void *arg, const struct cid *cid)
{
}

static void net_have(void *arg, const struct cid *cid)
{
}

static void give(struct join *j)
{
	static const struct peerid peer = { .len = 1 };

	while (j->n_asked > 0) {
		size_t i = j->asked[--j->n_asked];
		const struct blocks *b = j->blocks;

		crdt_block(j->engine, &b->v[i].cid, &peer, b->data + b->v[i].at, b->v[i].len);
	}
}

/* ---- measuring ---- */

static long anonymous_kib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "RssAnon:", 8) == 0)
			kib = strtol(line + 8, NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

static void no_event(void *arg, const struct cid *cid, uint64_t serial)
{
}

static void no_events(void *arg)
{
}

static void on_closed(void *arg)
{
	((struct join *)arg)->closed = true;
}

static void wake(uv_timer_t *t)
{
}

/* Until every block is merged; returns the peak of memory, KiB. */
static long run(struct join *j, uv_loop_t *loop)
{
	const struct peerid peer = { .len = 1 };
	struct buf message = BUF_INIT(0);
	struct crdt_sync sync = { 0 };
	int64_t looked = 0;
	uv_timer_t timer;
	long peak = 0;

	if (broadcast_encode(&j->blocks->v[j->blocks->n - 1].cid, 1, &message) < 0)
		die("announcing", -ENOMEM);
	crdt_heard(j->engine, &peer, &peer, message.data, message.len);
	buf_deinit(&message);
	uv_timer_init(loop, &timer);
	uv_timer_start(&timer, wake, 10, 10);
	while (sync.merged < j->blocks->n) {
		give(j);
		uv_run(loop, UV_RUN_ONCE);
		crdt_sync_state(j->engine, &sync);
		if (clock_mono_ms() - looked >= 20) {
			long now = anonymous_kib();

			peak = now > peak ? now : peak;
			looked = clock_mono_ms();
		}
	}
	uv_close((uv_handle_t *)&timer, NULL);
	return peak;
}

static void measure(struct blocks *blocks, const char *folder, unsigned pins)
{
	struct store_options so = { .folder = folder,
				    .map_size = (size_t)1 << 36,
				    .max_readers = 16 };
	struct crdt_config cfg = { .trust_all = true, .rebroadcast_interval_ms = 60000 };
	struct consensus_events events = { no_event, no_event, no_events, NULL };
	struct join j = { .blocks = blocks };
	struct crdt_net net = { net_publish, net_want, net_cancel, net_have, &j };
	uint64_t free_bytes, used = 0;
	struct err e = { 0 };
	struct store *store;
	struct mbox mbox;
	uv_loop_t loop;
	int64_t begun, ms;
	long before, peak;

	uv_loop_init(&loop);
	mbox_init(&mbox, &loop);
	if (store_open(&so, &mbox, &store, &e) < 0 ||
	    crdt_new(store, &loop, &cfg, &events, &j.engine, &e) < 0)
		die(e.msg, e.code);
	if (crdt_attach(j.engine, &net) < 0)
		die("attaching", -ENOMEM);
	before = anonymous_kib();
	begun = clock_mono_ms();
	peak = run(&j, &loop);
	ms = clock_mono_ms() - begun;
	store_space(store, &free_bytes, &used);
	printf("%u pins in %zu blocks: %.1f s, %.0f pins/s, %.1f MiB anonymous (%.1f before), "
	       "%.0f MiB of data\n",
	       pins, blocks->n, (double)ms / 1000, pins / ((double)ms / 1000), (double)peak / 1024,
	       (double)before / 1024, (double)used / (1 << 20));
	j.engine->ops->close(j.engine, on_closed, &j);
	while (!j.closed)
		uv_run(&loop, UV_RUN_ONCE);
	store_close(store);
}

int main(int argc, char **argv)
{
	static struct blocks blocks;
	unsigned pins = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000000;

	if (argc < 2 || rmdir(argv[1]) < 0 || mkdir(argv[1], 0700) < 0) {
		fprintf(stderr, "usage: bench-join FOLDER [PINS], FOLDER empty\n");
		return 2;
	}
	if (hash_init() < 0)
		die("hashing", -EIO);
	make_blocks(&blocks, argv[1], pins);
	measure(&blocks, argv[1], pins);
	return 0;
}
