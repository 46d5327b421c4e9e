/*
 * How far one peer is with a pin, as the text that status/ shows: a member of the object peer_map.
 * Written by hand, since a listing renders one per entry to tell its size. Pure.
 * Source: PinInfoShort of ipfs-cluster 1.1.6 (api/types.go).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "types/pin.h"
#include "types/status.h"
#include "util/buf.h"

struct pin_info_text {
	const char *peer; /* its ID as text, the key */
	struct pin_text peername, ipfs_peer, error;
	enum status status;
	int64_t since_ns;
	uint32_t attempts;
	bool priority;
};

/* Appends a newline, the member in its indentation, and no comma. */
int pin_info_json_write(const struct pin_info_text *info, struct buf *out);
/* One of @s, whose memory it borrows. */
struct pin_text pin_text_of(const char *s);
