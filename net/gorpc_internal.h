/* What the two halves of calls share: serving (gorpc_serve.c) and calling (gorpc_request.c).
 * Private. */
#pragma once

#include "net/gorpc_frames.h"
#include "util/list.h"

#define GORPC_NEVER UINT64_MAX

struct gorpc {
	struct host *host;
	const struct gorpc_config *cfg;
	struct list callers;  /* peers with calls that we serve */
	size_t waiting;       /* bytes in all of those */
	struct list requests; /* calls of ours */
	uv_timer_t timer;
	uint64_t wake_at; /* ms; when the timer fires */
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

extern const char *const gorpc_protocol[1];

uint64_t gorpc_now(const struct gorpc *g);
/* The timer fires at @ms at the latest. */
void gorpc_wake(struct gorpc *g, uint64_t ms);

/* A stream of a peer that wants to call us. */
void serve_accepted(void *arg, struct stream *s);
/* Ends what is overdue; returns when the next is. */
uint64_t serve_expire(struct gorpc *g, uint64_t now_ms);
void serve_end_all(struct gorpc *g);

uint64_t requests_expire(struct gorpc *g, uint64_t now_ms);
void requests_end_all(struct gorpc *g);
