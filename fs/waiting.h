/*
 * Requests of the kernel that wait for the peer: each gets one answer, in time. The peer's, or at
 * its deadline ETIMEDOUT; a caller that is being stopped takes its request back where it has not
 * begun.
 */
#pragma once

#include "fs/handle.h"
#include "util/err.h"

struct waiting_set;

/* Loop's thread, all but waiting_set_new and _free; the timer is closed on the loop. */
struct waiting_set *waiting_set_new(int64_t deadline_ms);
void waiting_set_start(struct waiting_set *set, uv_loop_t *loop);
void waiting_set_stop(struct waiting_set *set);
void waiting_set_free(struct waiting_set *set); /* after the loop has closed the timer */

/* A change for which no request of the kernel waits any more: what came of it stands in `why` and
 * audit alone. FUSE thread; takes @rq over. @path: of the file, for these. */
void waiting_post_late(struct handle *h, struct cluster_request *rq, const char *path);

/* How long an answer may take, in milliseconds. @folder: the kernel holds a folder's lock until
 * then. @bytes: of the dump that is read or written for it, 0 for a change of pins. */
int64_t waiting_deadline(int64_t configured_ms, bool folder, uint64_t bytes);
