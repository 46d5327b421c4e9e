/*
 * HTTP requests on the libuv loop: curl's multi interface with one uv_poll per socket and one
 * uv_timer for everything that waits. All of it on the loop's thread.
 *
 * No callback runs inside http_start, http_cancel or http_close; each request that was started
 * ends with exactly one done. Callbacks may start, cancel and close.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "util/err.h"

#define HTTP_CACHED_CONNECTIONS 16
#define HTTP_STREAM_ERROR_MAX 256

struct http;
struct http_req; /* valid until its done returns */

/* What is known of the answer when a request ends. */
struct http_answer {
	int code;                 /* 0: there was none */
	const char *stream_error; /* trailer X-Stream-Error: failed after it began; or NULL */
};

struct http_ops {
	/* Bytes of the answer's body. Runs inside curl. A negative return ends the request with
	 * that status, and @e if it was set. */
	int (*body)(void *arg, int code, const void *p, size_t n, struct err *e);
	/* @status: 0 for a whole answer of whatever code; -ETIMEDOUT, -ECANCELED, -EFBIG, what
	 * body returned, -EBADMSG (not HTTP), or the reason why there is no connection. */
	void (*done)(void *arg, int status, const struct http_answer *a, const struct err *e);
};

struct http_limits {
	int64_t total_ms; /* from the start to the end; 0: none */
	int64_t idle_ms;  /* from the start or the last http_touch; 0: none */
	size_t body_max;  /* bytes; 0: none, for callers that bound what they keep */
};

/* curl_global_init was called. */
int http_new(uv_loop_t *loop, struct http **ret);
/* Cancels every request, lets their callbacks run, closes all handles, frees, calls @closed. */
void http_close(struct http *h, void (*closed)(void *arg), void *arg);

/* Sent along as the only file of a form. The bytes are the caller's, until done. */
struct http_file {
	const void *p;
	size_t n;
};

/* POST, without a body where @file is NULL. -ECANCELED once closing. */
int http_post(struct http *h, const char *url, const struct http_file *file,
	      const struct http_limits *limits, const struct http_ops *ops, void *arg,
	      struct http_req **ret);
void http_cancel(struct http_req *r);        /* of a request that is over already: no-op */
bool http_is_over(const struct http_req *r); /* cancelled or ended; done may be yet to come */
void http_touch(struct http_req *r);         /* starts the idle deadline anew */
