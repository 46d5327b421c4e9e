#include "fs/hidden.h"

#include <stddef.h>

static bool is_over(const struct hidden_process *p, int64_t now_ms)
{
	return p->names == 0 || now_ms - p->last_ms > HIDDEN_FOR_MS;
}

/* NULL: nothing is hidden from this one. */
static const struct hidden_process *find(const struct hidden *h, pid_t group, int64_t now_ms)
{
	for (unsigned i = 0; i < HIDDEN_PROCESSES; i++) {
		const struct hidden_process *p = &h->processes[i];

		if (p->group == group && !is_over(p, now_ms))
			return p;
	}
	return NULL;
}

/* That of the process, or else one that is free or to be given up. */
static struct hidden_process *place_of(struct hidden *h, pid_t group, int64_t now_ms)
{
	struct hidden_process *best = h->processes;

	for (unsigned i = 0; i < HIDDEN_PROCESSES; i++) {
		struct hidden_process *p = &h->processes[i];

		if (is_over(p, now_ms))
			p->names = 0;
		if (p->names != 0 && p->group == group)
			return p;
		if (best->names != 0 && (p->names == 0 || p->last_ms < best->last_ms))
			best = p;
	}
	best->names = 0;
	best->group = group;
	return best;
}

void hidden_add(struct hidden *h, pid_t group, unsigned name, int64_t now_ms)
{
	struct hidden_process *p = place_of(h, group, now_ms);

	p->names |= 1ULL << name;
	p->last_ms = now_ms;
}

bool hidden_has(const struct hidden *h, pid_t group, unsigned name, int64_t now_ms)
{
	const struct hidden_process *p = find(h, group, now_ms);

	return p && (p->names & 1ULL << name);
}

bool hidden_any(const struct hidden *h, int64_t now_ms)
{
	for (unsigned i = 0; i < HIDDEN_PROCESSES; i++)
		if (!is_over(&h->processes[i], now_ms))
			return true;
	return false;
}

void hidden_show(struct hidden *h, unsigned name)
{
	for (unsigned i = 0; i < HIDDEN_PROCESSES; i++)
		h->processes[i].names &= ~(1ULL << name);
}

void hidden_clear(struct hidden *h)
{
	*h = (struct hidden){ 0 };
}
