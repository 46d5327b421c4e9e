/*
 * The bytes of a call: msgpack objects one after the other, without lengths. What a caller says is
 * a ServiceID and then arguments; what a server says are pairs of header and value. No I/O. One
 * thread at a time.
 * Source: go-libp2p-gorpc 0.6; "RPC" in docs/network.md; vectors/cluster-rpc-streams.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/gorpc.h"
#include "types/msgpack_scan.h"
#include "util/buf.h"
#include "util/err.h"

/* Bytes that one direction may have here: a value that is not whole, and what a held one gets. */
#define GORPC_BUFFER_MAX (GORPC_VALUE_MAX + (512u << 10))

enum gorpc_frame {
	GORPC_FRAME_ID,
	GORPC_FRAME_ARGUMENT,
	GORPC_FRAME_HEADER,
	GORPC_FRAME_VALUE,
};

/* One direction. */
struct gorpc_frames {
	bool of_caller;
	size_t n; /* frames that were whole */
	struct buf in;
	size_t at; /* bytes of it that are over */
	struct mp_scan scan;
};

void gorpc_frames_init(struct gorpc_frames *f, bool of_caller);
void gorpc_frames_clear(struct gorpc_frames *f);
/* -ENOMEM; -EFBIG: more than GORPC_BUFFER_MAX waits. */
int gorpc_frames_feed(struct gorpc_frames *f, const uint8_t *p, size_t n);
/* The next whole object: 1 and its bytes, valid until the next feed or clear; 0: more are needed;
 * -EBADMSG: no msgpack; -EFBIG: larger than its kind may be. */
int gorpc_frames_next(struct gorpc_frames *f, enum gorpc_frame *ret_kind, const uint8_t **ret,
		      size_t *ret_n);
/* Bytes that wait. After gorpc_frames_next has said 0: of an object that is not whole. */
size_t gorpc_frames_waiting(const struct gorpc_frames *f);

struct gorpc_id {
	char service[GORPC_NAME_MAX + 1], method[GORPC_NAME_MAX + 1];
};

int gorpc_id_write(const struct gorpc_id *id, struct buf *out);
/* -EBADMSG: also for a name that is too long or has a zero byte in it. */
int gorpc_id_read(const uint8_t *p, size_t n, struct gorpc_id *ret, struct err *e);

struct gorpc_header {
	bool failed;
	enum gorpc_error type; /* where failed; one that is unknown is the server's */
	char error[GORPC_ERROR_TEXT_MAX + 1]; /* UTF-8, "" where not failed */
};

/* @error: NULL for none. */
int gorpc_header_write(const struct gorpc_id *id, enum gorpc_error type, const char *error,
		       struct buf *out);
int gorpc_header_read(const uint8_t *p, size_t n, struct gorpc_header *ret, struct err *e);
