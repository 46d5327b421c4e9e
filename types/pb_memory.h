/*
 * Bounded memory for what protobuf-c decodes. Its messages are not freed one by one, but with the
 * bump memory they came from.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "util/bump.h"

static inline void *pb_memory_alloc(void *bump, size_t n)
{
	return bump_alloc(bump, n);
}

static inline void pb_memory_keep(void *bump, void *p)
{
}

static inline ProtobufCAllocator pb_memory(struct bump *b)
{
	return (ProtobufCAllocator){ pb_memory_alloc, pb_memory_keep, b };
}
