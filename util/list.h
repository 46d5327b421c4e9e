/* An intrusive doubly linked list, for objects that are in one list at a time. */
#pragma once

#include <stdbool.h>

#include "util/container.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_tail(struct list *head, struct list *item)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

static inline void list_add(struct list *head, struct list *item)
{
	list_add_tail(head->next, item);
}

/* Takes the item out; it is then a list of its own, and taking it out again is harmless. */
static inline void list_del(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

#define list_each(it, head) for ((it) = (head)->next; (it) != (head); (it) = (it)->next)
#define list_each_safe(it, n, head)                                                                \
	for ((it) = (head)->next, (n) = (it)->next; (it) != (head); (it) = (n), (n) = (it)->next)
