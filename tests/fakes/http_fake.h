/*
 * An HTTP server on 127.0.0.1 that answers by script, on the loop of the test. Routes are found by
 * the longest path that the request begins with; each request runs the steps of its route.
 * Allocation failures abort.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct http_fake;

enum http_fake_do {
	FAKE_RAW,   /* @text as it is */
	FAKE_HEAD,  /* the header of a chunked answer with code @n */
	FAKE_CHUNK, /* @text as one chunk */
	FAKE_BYTES, /* @text as one chunk per byte, each written by itself */
	FAKE_FILL,  /* @text as a chunk @n times, each once the one before was sent; 0: for ever */
	FAKE_WAIT,  /* @n milliseconds */
	FAKE_END,   /* the last chunk; @text: trailers, each ended by CRLF */
	FAKE_HANG,  /* nothing more, the connection stays open */
	FAKE_CLOSE, /* ends the connection */
};

struct http_fake_step {
	enum http_fake_do what;
	const char *text;
	size_t n;
};

struct http_fake *http_fake_new(uv_loop_t *loop);
uint16_t http_fake_port(const struct http_fake *f);
/* Steps end at FAKE_END, FAKE_HANG or FAKE_CLOSE, and are borrowed. */
void http_fake_route(struct http_fake *f, const char *path, const struct http_fake_step *steps);
/* What came so far. The text is the request line of the last request. */
size_t http_fake_requests(const struct http_fake *f);
size_t http_fake_connections(const struct http_fake *f); /* ever accepted */
size_t http_fake_open(const struct http_fake *f);        /* open now */
const char *http_fake_last(const struct http_fake *f);
/* The body of the last request, of which the first bytes are kept. */
const char *http_fake_body(const struct http_fake *f, size_t *ret_n);
/* Freed once the loop has run. */
void http_fake_close(struct http_fake *f);
