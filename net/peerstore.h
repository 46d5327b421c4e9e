/*
 * The peerstore file: addresses of known peers, one multiaddress with /p2p per line. Lines that do
 * not begin with '/' are comments and are passed over. Blocking file access: before the loop runs
 * or from the pool. Source: ipfs-cluster 1.1.6 pstoremgr/pstoremgr.go.
 */
#pragma once

#include <stddef.h>

#include "types/multiaddr.h"
#include "util/err.h"

#define PEERSTORE_BYTES_MAX (4 * 1024 * 1024)
#define PEERSTORE_ENTRIES_MAX 16384

struct peerstore {
	struct multiaddr *v;
	size_t n;
};

/* A line that says no peer, with its number (from 1) and what is wrong; it is skipped. */
typedef void (*peerstore_bad)(void *arg, size_t line, const struct err *why);

/* A file that is missing is an empty one. On 0 the caller owns *ret (peerstore_clear). @bad may be
 * NULL. -EFBIG. */
int peerstore_read(const char *path, peerstore_bad bad, void *arg, struct peerstore *ret,
		   struct err *e);
/* The same for bytes in memory. */
int peerstore_parse(const char *text, size_t len, peerstore_bad bad, void *arg,
		    struct peerstore *ret, struct err *e);
void peerstore_clear(struct peerstore *p);
/* Replaces the file atomically, 0644. */
int peerstore_write(const char *path, const struct multiaddr *v, size_t n, struct err *e);
