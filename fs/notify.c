/*
 * The notifier: tells the kernel that what it keeps of an inode is old, from a thread of its own,
 * so that nobody waits for the kernel. The queue is bounded; what does not fit is dropped, and the
 * kernel's one-second timeouts do the rest.
 *
 * Only attributes are taken back (a file whose size or time changed is read anew by itself). Taking
 * back names or pages would sleep on a lock that a request still to be answered holds; were the
 * daemon killed then, the sleeping thread would keep the connection, and every user of the mount
 * would hang.
 */
#include <stdlib.h>

#include "fs/internal.h"

#define NOTIFY_QUEUE 1024

struct notifier {
	struct fs *fs;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ready;
	uint64_t ring[NOTIFY_QUEUE]; /* inodes */
	unsigned first, count;
	bool stopping;
};

static void *notifier_main(void *arg)
{
	struct notifier *n = arg;
	uint64_t next;

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
		/* A negative offset: attributes alone. ENOENT: the kernel has nothing of it. */
		fuse_lowlevel_notify_inval_inode(n->fs->session, next, -1, 0);
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

void notifier_inode(struct notifier *n, uint64_t ino)
{
	pthread_mutex_lock(&n->lock);
	if (n->count < NOTIFY_QUEUE && !n->stopping) {
		n->ring[(n->first + n->count++) % NOTIFY_QUEUE] = ino;
		pthread_cond_signal(&n->ready);
	}
	pthread_mutex_unlock(&n->lock);
}
