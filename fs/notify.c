/*
 * The notifier: a thread of its own, since the kernel can hold a folder's lock for a request that
 * is still to be answered, and a notification waits for that lock. The queue is bounded; what does
 * not fit is dropped, and the kernel's one-second timeouts do the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "fs/internal.h"

#define NOTIFY_QUEUE 1024

struct notice {
	uint64_t ino;   /* of the inode, or of the folder */
	char name[256]; /* "": the inode's attributes and content */
};

struct notifier {
	struct fs *fs;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ready;
	struct notice ring[NOTIFY_QUEUE];
	unsigned first, count;
	bool stopping;
};

static void *notifier_main(void *arg)
{
	struct notifier *n = arg;
	struct notice next;

	pthread_mutex_lock(&n->lock);
	for (;;) {
		while (n->count == 0 && !n->stopping)
			pthread_cond_wait(&n->ready, &n->lock);
		if (n->stopping)
			break;
		next = n->ring[n->first];
		n->first = (n->first + 1) % NOTIFY_QUEUE;
		n->count--;
		pthread_mutex_unlock(&n->lock);
		/* ENOENT: the kernel has nothing of it. */
		if (next.name[0])
			fuse_lowlevel_notify_inval_entry(n->fs->session, next.ino, next.name,
							 strlen(next.name));
		else
			fuse_lowlevel_notify_inval_inode(n->fs->session, next.ino, 0, 0);
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

int notifier_start(struct fs *fs, struct notifier **ret)
{
	struct notifier *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	n->fs = fs;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->ready, NULL);
	r = pthread_create(&n->thread, NULL, notifier_main, n);
	if (r != 0) {
		free(n);
		return -r;
	}
	pthread_setname_np(n->thread, "notifier");
	*ret = n;
	return 0;
}

void notifier_stop(struct notifier *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	n->stopping = true;
	pthread_cond_signal(&n->ready);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);
	pthread_cond_destroy(&n->ready);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

static void notify(struct notifier *n, uint64_t ino, const char *name)
{
	struct notice *next;

	pthread_mutex_lock(&n->lock);
	if (n->count < NOTIFY_QUEUE && !n->stopping) {
		next = &n->ring[(n->first + n->count++) % NOTIFY_QUEUE];
		next->ino = ino;
		strncpy(next->name, name, sizeof(next->name) - 1);
		next->name[sizeof(next->name) - 1] = '\0';
		pthread_cond_signal(&n->ready);
	}
	pthread_mutex_unlock(&n->lock);
}

void notifier_inode(struct notifier *n, uint64_t ino)
{
	notify(n, ino, "");
}

void notifier_entry(struct notifier *n, uint64_t dir, const char *name)
{
	notify(n, dir, name);
}
