/*
 * Where a msgpack object ends, found without decoding it and without memory that its headers ask
 * for. Goes on where it stopped when more bytes have come, so that an object in many pieces is
 * looked at once. Pure; any thread.
 * Source: the msgpack specification; "msgpack" in docs/formats.md.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "types/msgpack_wire.h"

/* Zero-initialised: at the start of an object. */
struct mp_scan {
	size_t at;    /* bytes that are looked at, or known to be passed over */
	size_t items; /* objects so far, those inside others too */
	unsigned depth;
	uint64_t left[MSGPACK_DEPTH_MAX]; /* objects still to come in each open container */
};

/* @p: the object from its start, of which @n bytes are here, at least as many as last time. 1: it
 * is whole and has s->at bytes; 0: more are needed; -EBADMSG: no msgpack, or deeper than
 * MSGPACK_DEPTH_MAX; -EFBIG: what it announces does not fit into @max bytes. */
int mp_scan(struct mp_scan *s, const uint8_t *p, size_t n, size_t max);
