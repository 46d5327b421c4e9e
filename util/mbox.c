#include "util/mbox.h"

#include "util/container.h"

static void mbox_wake(uv_async_t *a)
{
	mbox_drain(container_of(a, struct mbox, async));
}

int mbox_init(struct mbox *m, uv_loop_t *loop)
{
	m->head = NULL;
	m->tail = &m->head;
	m->closed = false;
	pthread_mutex_init(&m->lock, NULL);
	return uv_async_init(loop, &m->async, mbox_wake);
}

void mbox_post(struct mbox *m, struct mbox_msg *msg)
{
	bool wake;

	msg->next = NULL;
	pthread_mutex_lock(&m->lock);
	wake = m->head == NULL && !m->closed;
	*m->tail = msg;
	m->tail = &msg->next;
	/* Under the lock: mbox_close must not free the async between the check and the send. */
	if (wake)
		uv_async_send(&m->async);
	pthread_mutex_unlock(&m->lock);
}

void mbox_drain(struct mbox *m)
{
	struct mbox_msg *msg, *next;

	pthread_mutex_lock(&m->lock);
	msg = m->head;
	m->head = NULL;
	m->tail = &m->head;
	pthread_mutex_unlock(&m->lock);
	for (; msg; msg = next) {
		next = msg->next;
		msg->fn(msg);
	}
}

void mbox_close(struct mbox *m)
{
	pthread_mutex_lock(&m->lock);
	if (!m->closed)
		uv_close((uv_handle_t *)&m->async, NULL);
	m->closed = true;
	pthread_mutex_unlock(&m->lock);
}
