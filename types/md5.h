/*
 * MD5 (RFC 1321), for the one name that is made with it: the topic of a crdt cluster. No library of
 * ours has it, and nothing is secured by it. Pure; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MD5_BYTES 16

void md5(const void *p, size_t n, uint8_t out[MD5_BYTES]);
