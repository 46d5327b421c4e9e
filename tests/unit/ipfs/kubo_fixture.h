/*
 * A loop, a fake Kubo and a client of it, for the tests of ipfs/kubo.
 */
#pragma once

#include <stdbool.h>

#include "ipfs/kubo.h"
#include "tests/fakes/http_fake.h"

#define CID_A "QmX4Pgvi62L3h6hxrJPUVhssLgdYjHEeGif5kSAe3iTJSK"
#define CID_B "bafkreibg2c5mt4ghunns6mzcud2k2rixezpvnmwa6szo27fvzpjqywdi4i"
#define LONG_MS 5000 /* a deadline that no test should meet */

/* Parts of answers. */
#define HEAD(code)                                                                                 \
	{                                                                                          \
		FAKE_HEAD, .n = (code)                                                             \
	}
#define PINS_A "{\"Pins\":[\"" CID_A "\"]}\n"
#define LINE(cid) "{\"Cid\":\"" cid "\",\"Type\":\"recursive\"}\n"

struct fix {
	uv_loop_t loop;
	uv_timer_t guard; /* fails a test that hangs */
	struct http_fake *fake;
	uint16_t port;
	struct kubo_config cfg;
	struct kubo *kubo;
	bool kubo_closed;
	struct cid a, b;
	struct http_fake_step text_steps[3]; /* of fix_serve_text */
};

/* What the callbacks of one call brought. */
struct got {
	struct fix *f;
	int done; /* how often */
	int status;
	struct err err;
	bool has_err;
	struct kubo_call *call;
	size_t each; /* of pin_ls, gc, progress */
	uint64_t nodes;
	enum kubo_pin_kind kind;
	struct kubo_repo repo;
	struct kubo_id id;
	char address[128]; /* the first one */
	char text[256];    /* the last key or error of gc */
	struct peerid peers[4];
	size_t n_peers;
	struct got *other;              /* for the two below */
	void (*on_each)(struct got *g); /* further things to do */
	void (*on_done)(struct got *g);
};

int fix_setup(void **state);
int fix_teardown(void **state);
/* After changes of the configuration, before the first call. */
void fix_open(struct fix *f);
void fix_open_at(struct fix *f, const char *host); /* "/dns4/localhost" */
/* Opens, with a route to @steps or to an answer of one chunk. */
void fix_serve(struct fix *f, const char *path, const struct http_fake_step *steps);
void fix_serve_text(struct fix *f, const char *path, const char *text);
void fix_wait(struct fix *f, const int *flag); /* until it is not 0 */
void fix_on_closed(void *arg);                 /* for kubo_close; @arg: the struct fix */

/* Callbacks, arg: struct got. */
void got_done(void *arg, int status, const struct err *e);
void got_id(void *arg, int status, const struct kubo_id *id, const struct err *e);
void got_repo(void *arg, int status, const struct kubo_repo *r, const struct err *e);
void got_peers(void *arg, int status, const struct peerid *v, size_t n, const struct err *e);
void got_kind(void *arg, int status, enum kubo_pin_kind kind, const struct err *e);
void got_progress(void *arg, uint64_t nodes);
void got_pin(void *arg, const struct cid *cid);
void got_gc(void *arg, const char *key, const char *error);

/* Waits for the end of a call: it went well. */
void wants_ok(struct got *g);
/* The last request was a POST to this path, below /api/v0/. */
void wants_request(struct fix *f, const char *path);
