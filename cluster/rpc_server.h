/*
 * What other peers call on this one: the methods, who may call them, and what they do. A table in
 * rpc_policy.c says which exist and who may; the functions are in rpc_*.c. Loop's thread.
 * Source: ipfs-cluster 1.1.6 rpc_api.go, rpc_policy.go; "Methods" in docs/network.md.
 */
#pragma once

#include "net/gorpc.h"
#include "net/host.h"

struct cluster;
struct rpc_server;

/* Serves /ipfscluster/1.0/rpc; before the host connects to anybody. @c and @host live longer. */
int rpc_server_new(struct cluster *c, struct host *host, struct rpc_server **ret, struct err *e);
/* For the calls that this peer makes. */
struct gorpc *rpc_server_gorpc(struct rpc_server *s);
/* Ends all calls, then calls @closed. What they began in Kubo or the store goes on without them. */
void rpc_server_close(struct rpc_server *s, void (*closed)(void *arg), void *arg);
