/* What the files of the import share. Private. */
#pragma once

#include <stdatomic.h>

#include "cluster/import.h"
#include "cluster/internal.h"

struct import {
	struct cluster *cluster;
	bool check; /* nothing is to change */
	struct dump_reader reader;
	struct consensus_loader *loader;
	struct buf value, text; /* of the pin at hand */
	char *file, *temp;      /* where the dump is kept, and under which name it gets there */
	int fd;                 /* the dump as it came; -1 when only checked */
	bool named;             /* it has the name temp */
	uint64_t received, written_back;
	int64_t mtime_ns; /* given by who wrote it; 0: none */
	bool finished;
	bool resolved;    /* its result says how it ended */
	struct err error; /* the first failure */
	struct import_result result;
	atomic_bool abort;
	atomic_bool cancelled; /* aborted by who wrote it */

	/* while committing */
	struct consensus_load load;
};

int set_file_time(int fd, int64_t ns); /* import_result.c */
/* Shows what there is so far as the result of the open import. */
void import_publish(struct import *im);
/* How it ended; the next one may begin. */
void import_resolve(struct import *im, int status, const char *reason);

/* ---- import_run.c ---- */

/* What the writer's thread, or that of a check, does first: claims the request, reads the options.
 */
int import_run_begin(struct cluster_request *rq);
/* Says in rq->error why @r gave up, where it did. Returns the code. */
int import_run_explain(struct cluster_request *rq, int r);
/* Loop's thread: the result, then the end of the request. */
void import_run_end(struct cluster_request *rq, int status);

/* import_check.c: compares, and ends the request. Loop's thread. */
void import_check_start(struct cluster_request *rq);
