/*
 * --randomports: ports that nobody listens on, in place of the defaults. Private to --init.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "util/err.h"

#define INIT_PORTS_MAX 8

/* Sockets bound to the ports that were found, so that none is found twice. Zeroed at first. */
struct init_ports {
	int fds[INIT_PORTS_MAX];
	size_t n;
};

/* @addresses: "/ip4/IP/tcp/PORT" or udp, perhaps with more behind it; one string or a list.
 * *ret: the same with other ports, a new reference. */
int init_ports_replace(struct init_ports *p, const json_t *addresses, json_t **ret, struct err *e);
/* The ports are free again. */
void init_ports_close(struct init_ports *p);
