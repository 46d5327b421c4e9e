/*
 * The last refusals, in words, for the file `why`: the answer to a command that failed. The FUSE
 * thread and the loop add to it; a lock inside.
 */
#pragma once

#include <sys/types.h>

#include "util/buf.h"

struct why;

struct why *why_new(void);
void why_free(struct why *w);
/* Repeats of one user, program, code and reason become one line with a count. */
void why_add(struct why *w, uid_t uid, const char *program, const char *path, int code,
	     const char *reason);
/* The last 64 of @uid (0: of everybody), newest first. */
int why_render(struct why *w, uid_t uid, struct buf *out);
int64_t why_changed_ns(struct why *w);
