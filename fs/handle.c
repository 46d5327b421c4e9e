#include "fs/handle.h"

#include <stdlib.h>
#include <unistd.h>

#include "fs/internal.h"

#define TEXT_MAX (64u << 20) /* of rendered files; far above any of them */

struct handle *handle_new(struct fs *fs, uint64_t ino, int flags)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->fs = fs;
	h->ino = ino;
	h->ops = node_ops(ino);
	h->flags = flags;
	h->fd = -1;
	buf_init(&h->text, TEXT_MAX);
	list_init(&h->export_link);
	pthread_mutex_init(&h->lock, NULL);
	atomic_init(&h->refs, 1);
	list_add(&fs->handles, &h->link);
	return h;
}

struct handle *handle_ref(struct handle *h)
{
	atomic_fetch_add(&h->refs, 1);
	return h;
}

void handle_unref(struct handle *h)
{
	if (!h || atomic_fetch_sub(&h->refs, 1) > 1)
		return;
	buf_deinit(&h->text);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

struct handle *handle_of_caller(struct call *c, uint64_t ino)
{
	struct list *it;

	list_each (it, &c->fs->handles) {
		struct handle *h = container_of(it, struct handle, link);

		if (h->ino == ino && h->opener != 0 && h->opener == call_group(c))
			return h;
	}
	return NULL;
}

bool handle_conflicts(struct fs *fs, uint64_t ino, const struct handle *but)
{
	struct list *it;

	list_each (it, &fs->handles) {
		struct handle *h = container_of(it, struct handle, link);

		if (h != but && h->ino == ino && (h->dirty || atomic_load(&h->busy)))
			return true;
	}
	return false;
}
