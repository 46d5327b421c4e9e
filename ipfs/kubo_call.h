/*
 * The common part of the calls in kubo.h, for kubo*.c alone. A call is a struct that begins with
 * struct kubo_call; it is freed after its done returned.
 */
#pragma once

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "ipfs/http.h"
#include "ipfs/kubo.h"
#include "ipfs/stream.h"
#include "util/buf.h"

#define KUBO_VALUE_MAX (1 << 20)  /* bytes of one JSON value: "id" of a well connected node */
#define KUBO_PEERS_MAX (4 << 20)  /* bytes of "swarm/peers": some 20 000 connections */
#define KUBO_LINE_MAX (16 << 10)  /* bytes of one value of the streams, which hold one CID */
#define KUBO_ERROR_MAX (64 << 10) /* bytes of an answer that is an error */
#define KUBO_PATH_MAX (16 << 10)

enum kubo_count {
	KUBO_PINS_ASKED,
	KUBO_PINS_FAILED,
	KUBO_BLOCKS_ASKED,
	KUBO_BLOCKS_FAILED,
	KUBO_BLOCKS_PUT,
	KUBO_BLOCK_BYTES,
	KUBO_COUNTS
};

struct kubo {
	struct http *http;
	struct kubo_config cfg;
	char *base; /* "http://host:port/api/v0/" */
	atomic_uint_fast64_t counts[KUBO_COUNTS];
	void (*closed)(void *arg);
	void *closed_arg;
};

struct kubo_call_ops {
	size_t value_max; /* bytes of one JSON value */
	bool stream;      /* any number of values, else one at least and all within value_max */
	/* A value of the answer. Runs inside curl. */
	int (*value)(struct kubo_call *c, json_t *v, struct err *e);
	void (*done)(struct kubo_call *c, int status, const struct err *e);
};

struct kubo_call {
	struct kubo *k;
	struct http_req *req;
	const struct kubo_call_ops *ops;
	struct buf path; /* "pin/rm?arg=..." */
	bool path_broken;
	struct http_file file; /* to be sent along; set between new and start */
	struct stream stream;  /* an answer with code 200 */
	struct buf refusal;    /* an answer with another code */
	bool answered;         /* set by value: the answer says that it is done */
	struct err told;       /* an error that came as a value of the answer */
};

static inline void kubo_count(struct kubo *k, enum kubo_count which, uint64_t n)
{
	atomic_fetch_add_explicit(&k->counts[which], n, memory_order_relaxed);
}

/* NULL without memory. @size: of the struct that begins with the call. */
void *kubo_call_new(struct kubo *k, size_t size, const struct kubo_call_ops *ops);
/* Append to the path, _raw as it is, the others escaped. Failures show in kubo_call_start. */
void kubo_call_path_raw(struct kubo_call *c, const char *text);
void kubo_call_path_text(struct kubo_call *c, const char *text);
void kubo_call_path_cid(struct kubo_call *c, const struct cid *cid);
/* What had to go into the path could not be had. */
void kubo_call_path_broken(struct kubo_call *c);
/* Takes @c over, also when it fails. */
int kubo_call_start(struct kubo_call *c, int64_t total_ms, int64_t idle_ms,
		    struct kubo_call **ret_call);
