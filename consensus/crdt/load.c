#include "consensus/crdt/load.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "consensus/crdt/chain.h"
#include "util/container.h"

#define PACKET_BYTES (256u << 10)
#define PACKETS 4 /* under way between the two threads */

/* In front of a pin in a packet. */
struct packet_pin {
	int64_t timestamp, expire_at;
	uint32_t value_len, name_len;
	uint32_t document_len, line_len;
	uint16_t cid_len;
	/* CID, value, name */
};

struct loader {
	struct consensus_loader base;
	struct store *store;
	const atomic_bool *among;
	struct bulk *bulk;
	struct chain *chain;
	struct cid head;
	uint64_t height;
	bool sealed;

	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* what follows, but for the bytes of packets */
	pthread_cond_t changed;
	struct buf packets[PACKETS];
	unsigned filled,
	    done; /* packets so far; the one being filled is packets[filled % PACKETS] */
	bool ending;
	int error; /* of the thread */
};

/* ---- the thread ---- */

static int take_block(void *arg, const struct cid *cid, const void *data, size_t len,
		      uint64_t height)
{
	struct loader *l = arg;

	return bulk_add_block(l->bulk, cid, data, len, height);
}

/* One pin at @p; returns its bytes. */
static int take_pin(struct loader *l, const uint8_t *p)
{
	struct packet_pin h;
	struct bulk_pin pin;
	struct cid cid;
	int r;

	memcpy(&h, p, sizeof(h));
	p += sizeof(h);
	cid.len = h.cid_len;
	memcpy(cid.bytes, p, h.cid_len);
	p += h.cid_len;
	pin = (struct bulk_pin){ .cid = &cid,
				 .value = p,
				 .value_len = h.value_len,
				 .name = (const char *)p + h.value_len,
				 .name_len = h.name_len,
				 .timestamp = h.timestamp,
				 .expire_at = h.expire_at,
				 .document_len = h.document_len,
				 .line_len = h.line_len };
	r = chain_add(l->chain, &cid, p, h.value_len, &pin.block);
	pin.height = pin.block + 1;
	if (r == 0)
		r = bulk_add(l->bulk, &pin);
	return r < 0 ? r : (int)(sizeof(h) + h.cid_len + h.value_len + h.name_len);
}

static int take_packet(struct loader *l, const struct buf *packet)
{
	for (size_t at = 0; at < packet->len;) {
		int n = take_pin(l, packet->data + at);

		if (n < 0)
			return n;
		at += (size_t)n;
	}
	return 0;
}

static void *loader_main(void *arg)
{
	struct loader *l = arg;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		struct buf *packet = &l->packets[l->done % PACKETS];
		int r;

		while (l->done == l->filled && !l->ending)
			pthread_cond_wait(&l->changed, &l->lock);
		if (l->done == l->filled || l->error < 0)
			break;
		pthread_mutex_unlock(&l->lock);
		r = take_packet(l, packet);
		pthread_mutex_lock(&l->lock);
		if (r < 0)
			l->error = r;
		l->done++;
		pthread_cond_signal(&l->changed);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* ---- feeding ---- */

/* Hands the packet over and waits for a free one. */
static int next_packet(struct loader *l)
{
	int r;

	pthread_mutex_lock(&l->lock);
	l->filled++;
	pthread_cond_signal(&l->changed);
	while (l->filled - l->done == PACKETS && l->error == 0)
		pthread_cond_wait(&l->changed, &l->lock);
	r = l->error;
	pthread_mutex_unlock(&l->lock);
	if (r == 0)
		buf_reset(&l->packets[l->filled % PACKETS]);
	return r;
}

static int loader_add(struct consensus_loader *base, const struct consensus_pin *p)
{
	struct loader *l = container_of(base, struct loader, base);
	struct buf *b = &l->packets[l->filled % PACKETS];
	struct packet_pin h = { .timestamp = p->timestamp,
				.expire_at = p->expire_at,
				.value_len = (uint32_t)p->value_len,
				.name_len = (uint32_t)p->name_len,
				.document_len = p->document_len,
				.line_len = p->line_len,
				.cid_len = p->cid->len };
	size_t start = b->len;
	int r = buf_append(b, &h, sizeof(h));

	if (r == 0)
		r = buf_append(b, p->cid->bytes, p->cid->len);
	if (r == 0)
		r = buf_append(b, p->value, p->value_len);
	if (r == 0)
		r = buf_append(b, p->name, p->name_len);
	if (r < 0) {
		b->len = start;
		return r;
	}
	return b->len >= PACKET_BYTES ? next_packet(l) : 0;
}

static void stop_thread(struct loader *l)
{
	if (!l->started)
		return;
	pthread_mutex_lock(&l->lock);
	l->ending = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	l->started = false;
}

static int loader_seal(struct consensus_loader *base)
{
	struct loader *l = container_of(base, struct loader, base);
	int r = next_packet(l);

	stop_thread(l);
	if (r == 0)
		r = l->error;
	if (r == 0)
		r = chain_finish(l->chain, &l->head, &l->height);
	if (r == 0)
		r = bulk_seal(l->bulk);
	chain_free(l->chain);
	l->chain = NULL;
	for (unsigned i = 0; i < PACKETS; i++)
		buf_deinit(&l->packets[i]);
	l->sealed = r == 0;
	return r;
}

static void loader_free(struct consensus_loader *base)
{
	struct loader *l = container_of(base, struct loader, base);

	if (l->started) {
		pthread_mutex_lock(&l->lock);
		l->error = -ECANCELED; /* what waits need not be done any more */
		pthread_mutex_unlock(&l->lock);
	}
	stop_thread(l);
	chain_free(l->chain);
	bulk_free(l->bulk);
	for (unsigned i = 0; i < PACKETS; i++)
		buf_deinit(&l->packets[i]);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* ---- committing ---- */

/* What is known before the pinset is looked at. */
static int choose(const struct loader *l, struct consensus_load *ld, struct err *e)
{
	if (!l->sealed)
		return err_set(e, -EINVAL, "the dump is not complete");
	ld->used = ld->method;
	if (ld->used == CONSENSUS_DEFAULT)
		ld->used = l->among && atomic_load(l->among) ? CONSENSUS_UPDATE : CONSENSUS_REPLACE;
	if (ld->used == CONSENSUS_REPLACE) {
		cid_copy(&ld->head, &l->head);
		ld->height = l->height;
	}
	return 0;
}

static int loader_compare(struct consensus_loader *base, struct consensus_load *ld, struct err *e)
{
	struct loader *l = container_of(base, struct loader, base);
	int r = choose(l, ld, e);

	if (r < 0)
		return r;
	r = crdt_load_compare(l->store, l->bulk, ld);
	return r < 0 ? err_sys(e, r, "comparing with the pinset") : 0;
}

static int loader_commit(struct consensus_loader *base, struct consensus_load *ld, struct err *e)
{
	struct loader *l = container_of(base, struct loader, base);
	struct bulk_check check = { .allow = ld->allow, .arg = ld->arg, .abort = ld->abort };
	int r = choose(l, ld, e);

	if (r < 0)
		return r;
	if (ld->used != CONSENSUS_REPLACE)
		return crdt_load_update(l->store, l->bulk, ld, e);
	return bulk_load(l->store, l->bulk, &check, &ld->counts, e);
}

static const struct consensus_loader_ops loader_ops = {
	.add = loader_add,
	.seal = loader_seal,
	.compare = loader_compare,
	.commit = loader_commit,
	.free = loader_free,
};

int crdt_load_new(struct store *s, const atomic_bool *among, struct consensus_loader **ret)
{
	struct loader *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->base.ops = &loader_ops;
	l->store = s;
	l->among = among;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->changed, NULL);
	r = bulk_new(store_folder(s), &l->bulk);
	if (r == 0)
		r = chain_new(take_block, l, &l->chain);
	if (r == 0)
		r = -pthread_create(&l->thread, NULL, loader_main, l);
	if (r < 0) {
		loader_free(&l->base);
		return r;
	}
	l->started = true;
	pthread_setname_np(l->thread, "import");
	*ret = &l->base;
	return 0;
}
