/*
 * One question put to several members at once: their answers as they come, and the end when each
 * has answered or failed, after SURVEY_MS at the latest. Who did not answer in time is not asked
 * again for a while, so that many questions do not wait for the same peer. Loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/gorpc.h"
#include "types/peerid.h"
#include "util/list.h"

#define SURVEY_MS 5000
#define SURVEY_SILENT_MS 30000 /* without a question to one that did not answer in time */
#define SURVEY_SILENT_MAX 64   /* such peers that are remembered */
#define SURVEYS_MAX 256        /* at a time */

enum survey_end {
	SURVEY_ANSWERED,
	SURVEY_FORBIDDEN, /* it may not be asked by us */
	SURVEY_FAILED,    /* error tells why */
};

struct survey;

struct survey_peer {
	struct peerid peer;
	void *arg; /* of the caller */
	enum survey_end end;
	char error[256];

	/* private */
	struct survey *survey;
	struct gorpc_request *request;
};

struct survey_events {
	/* One value, a whole msgpack object, valid during the call. */
	void (*value)(void *arg, struct survey_peer *peer, const uint8_t *p, size_t n);
	/* All ends are known. The survey is gone after it. Perhaps from within survey_start. */
	void (*done)(void *arg, struct survey_peer *peers, size_t n);
	void *arg;
};

struct surveys {
	struct list list;
	size_t n;
	struct {
		struct peerid peer;
		int64_t until_ms;
	} silent[SURVEY_SILENT_MAX];
	size_t next_silent;
};

struct survey_question {
	const char *service, *method;
	bool streaming;
	const void *argument;
	size_t len;
};

void surveys_init(struct surveys *all);
/* Takes @peers over, memory of malloc, on 0. -EAGAIN: SURVEYS_MAX; -ENOMEM. */
int survey_start(struct surveys *all, struct gorpc *rpc, const struct survey_question *q,
		 struct survey_peer *peers, size_t n, const struct survey_events *events);
/* All that are under way end now. */
void surveys_abort(struct surveys *all);
