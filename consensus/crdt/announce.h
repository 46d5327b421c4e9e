/*
 * Telling others our heads: at once after a change of ours, soon after a peer came, and from time
 * to time those that nobody else has named, sooner after many changes. Loop's thread.
 * Source: "Broadcasts" in docs/formats.md (cluster-wire dossier 1.7).
 */
#pragma once

#include "consensus/crdt/crdt_net.h"

#define ANNOUNCE_SOON_MS 300   /* after a peer came, for several that come together */
#define ANNOUNCE_SEEN_MAX 4096 /* heads of others remembered between two times */

/* Changes without such a pause between them are a burst. A peer of the reference keeps 32 messages
 * that it has not come to, and drops what comes then: the last one too, which names what it misses.
 * So that is said again after the pause, and after twice as long each time, up to the interval. */
#define ANNOUNCE_PAUSE_MS 5000
#define ANNOUNCE_BURST 16

struct announce;

int announce_new(struct store *s, uv_loop_t *loop, const struct crdt_config *cfg,
		 const struct crdt_net *net, struct announce **ret);
void announce_close(struct announce *a, void (*closed)(void *arg), void *arg);

void announce_now(struct announce *a);  /* all heads */
void announce_soon(struct announce *a); /* the same, a moment later */
/* Others have named these. */
void announce_heard(struct announce *a, const struct cid *heads, size_t n);
