/*
 * The functions of net/gorpc.h without a network: the test calls the methods that were registered,
 * and answers what they call. Linked in place of the real ones. What the real ones forbid (two
 * answers, an answer after the end) aborts, as do allocation failures.
 */
#pragma once

#include "net/gorpc.h"

/* ---- the test calls a method ---- */

enum gorpc_fake_state {
	GORPC_FAKE_OPEN,
	GORPC_FAKE_FINISHED,
	GORPC_FAKE_FAILED,
	GORPC_FAKE_GONE, /* cancelled by the test, or by gorpc_close */
};

/* Where the method is not served, or not to @peer, it has failed at once. Freed by
 * gorpc_fake_free. */
struct gorpc_call *gorpc_fake_call(struct gorpc *g, const struct peerid *peer, const char *service,
				   const char *method);
/* NULL: there are no more. Ignored once it is over. */
void gorpc_fake_argument(struct gorpc_call *c, const void *p, size_t n);
void gorpc_fake_cancel(struct gorpc_call *c);
void gorpc_fake_free(struct gorpc_call *c);
/* It takes @n more values, then is full; SIZE_MAX: never. Has room again where it was full. */
void gorpc_fake_room(struct gorpc_call *c, size_t n);

enum gorpc_fake_state gorpc_fake_state(const struct gorpc_call *c);
enum gorpc_error gorpc_fake_error(const struct gorpc_call *c); /* of a failed one */
const char *gorpc_fake_text(const struct gorpc_call *c);       /* the same */
bool gorpc_fake_is_held(const struct gorpc_call *c);
size_t gorpc_fake_values(const struct gorpc_call *c);
const uint8_t *gorpc_fake_value(const struct gorpc_call *c, size_t i, size_t *ret_n);

/* ---- a method calls another peer ---- */

/* The last call that is open, NULL: none. Dead once it was answered or cancelled. */
struct gorpc_request *gorpc_fake_request(const struct gorpc *g);
const struct peerid *gorpc_fake_request_peer(const struct gorpc_request *r);
const char *gorpc_fake_request_name(const struct gorpc_request *r); /* "Cluster.ID" */
/* One value, and the end; or the end with an error. */
void gorpc_fake_answer(struct gorpc_request *r, const void *p, size_t n);
void gorpc_fake_refuse(struct gorpc_request *r, int status, const char *text);
/* Calls are refused as where there is no connection. */
void gorpc_fake_away(struct gorpc *g, bool away);
