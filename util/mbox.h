/*
 * The only way onto the event loop: a locked queue and one uv_async_t. Any thread may post; the
 * functions run on the loop's thread, in the order of posting. Sends coalesce, so the receiver
 * drains the whole queue at each wake-up.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

struct mbox_msg {
	struct mbox_msg *next;
	void (*fn)(struct mbox_msg *m); /* takes the message over; it is not touched afterwards */
};

struct mbox {
	pthread_mutex_t lock;
	struct mbox_msg *head, **tail;
	uv_async_t async;
	bool closed;
};

int mbox_init(struct mbox *m, uv_loop_t *loop);
/* The message is embedded in the caller's object, which must live until fn ran. */
void mbox_post(struct mbox *m, struct mbox_msg *msg);
/* Runs what is queued now, on the caller's thread; for the loop's orderly end. */
void mbox_drain(struct mbox *m);
/* Loop thread. Later posts still queue, and run at mbox_drain only. */
void mbox_close(struct mbox *m);
