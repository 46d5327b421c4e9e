/*
 * States of a pin on one peer, with the reference's names and filter bits.
 * Source: "Status values" in docs/formats.md. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum status {
	STATUS_UNDEFINED,
	STATUS_CLUSTER_ERROR, /* the peer that should answer is unreachable */
	STATUS_PIN_ERROR,
	STATUS_UNPIN_ERROR,
	STATUS_PINNED,
	STATUS_PINNING,
	STATUS_UNPINNING,
	STATUS_UNPINNED, /* not in the pinset */
	STATUS_REMOTE,   /* allocated to other peers */
	STATUS_PIN_QUEUED,
	STATUS_UNPIN_QUEUED,
	STATUS_SHARDED,
	STATUS_UNEXPECTEDLY_UNPINNED, /* should be pinned, Kubo does not have it */
	STATUS_NR
};

const char *status_name(enum status s);
/* The reference's bit: 0 for undefined, else 1 << s. */
uint32_t status_bit(enum status s);
/* One status, or the unions "error" and "queued": the set as bits 1 << status. 0: unknown name. */
uint32_t status_set(const char *name, size_t n);
