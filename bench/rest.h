/* The REST API of ipfs-cluster-service over one kept-alive connection. One thread at a time. */
#pragma once

#include <stdbool.h>

/* Whether @target is such an API: http:ADDRESS:PORT, IPv4. */
bool rest_is(const char *target);
/* A connection to it, which the caller closes, or -errno; -EINVAL: a bad address. */
int rest_connect(const char *target);
/* Sends a request without a body and reads the answer to its end: the HTTP status, or -errno. */
int rest_call(int fd, const char *method, const char *path);
