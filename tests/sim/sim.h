/*
 * Replicas of the crdt engine in one process, on a virtual network and a virtual clock. Each has
 * the real store, on a disk whose failures and crashes are the simulation's. All that is random
 * comes from one seed, so that a failure can be repeated. Include after cmocka.h. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "consensus/crdt/crdt.h"
#include "consensus/crdt/crdt_net.h"
#include "store/store.h"
#include "util/list.h"

#define SIM_REPLICAS_MAX 8
#define SIM_CIDS 12  /* that operations fight over */
#define SIM_MANY 600 /* further ones, of large operations */
#define SIM_FOLDER 40

/* ---- sim_clock.c: chance and time ---- */

struct sim_event {
	struct sim_event *next;
	uint64_t at; /* ms */
	void (*fn)(void *arg);
	void *arg;
};

extern uv_loop_t sim_loop;
extern bool sim_trace; /* say what happens */

#define sim_say(...)                                                                               \
	do {                                                                                       \
		if (sim_trace)                                                                     \
			print_message(__VA_ARGS__);                                                \
	} while (0)

void sim_clock_start(uint64_t seed);
void sim_clock_stop(void);
unsigned sim_roll(unsigned n); /* 0 .. n - 1 */
bool sim_chance(unsigned percent);
uint64_t sim_now(void); /* ms since the start */
/* Calls @fn with @arg after @ms; equal times in the order of asking. */
void sim_after(uint64_t ms, void (*fn)(void *arg), void *arg);
/* Lets happen what is due until then. */
void sim_run(uint64_t until);

/* ---- sim_disk.c: the writers of all stores ---- */

struct sim_disk {
	struct store_batch *queue, **tail;
	struct store_batch *ran; /* its end is to be told */
	bool turning;            /* a turn of it is coming */
	unsigned fail_percent;   /* batches that are undone by a full disk */
	unsigned crash_after;    /* commits until the image is taken; 0: none is asked for */
	bool imaged;             /* the folder's image was taken */
	char folder[SIM_FOLDER], image[SIM_FOLDER];
	struct store *store;
	void (*crash)(void *arg); /* the image was taken: use it */
	void *arg;
};

void sim_disk_init(struct sim_disk *d);
void sim_disk_open(struct sim_disk *d);
/* Runs what is queued, then closes the store. */
void sim_disk_close(struct sim_disk *d);
/* One step: tells the end of a batch, or runs one. False: there is nothing to do. */
bool sim_disk_step(struct sim_disk *d);
/* The state as it is on disk now becomes the image. */
void sim_disk_image(struct sim_disk *d);
/* After sim_disk_close: the folder is the image from now on. */
void sim_disk_use_image(struct sim_disk *d);
void sim_disk_remove(struct sim_disk *d);

/* ---- sim_replica.c ---- */

struct sim_replica {
	unsigned number, life;
	struct peerid id;
	struct sim_disk disk;
	struct consensus *engine; /* NULL: it is down */
	struct crdt_config cfg;
	struct crdt_net net;
	struct consensus_events events;
	unsigned group; /* who can reach it */
	struct list wants;
	bool closed;
	unsigned puts, dels, replaced; /* events */
};

struct sim {
	struct sim_replica replicas[SIM_REPLICAS_MAX];
	unsigned n;
	/* percent */
	unsigned lost, doubled, refused;
	unsigned whole;    /* merges that are not in parts */
	uint64_t delay_ms; /* at most, of a message */
};

extern struct sim sim;

void sim_replica_start(struct sim_replica *r);
/* In order, at once; what it still says is not heard. */
void sim_replica_stop(struct sim_replica *r);
/* Stops it as a crash does: what it did since the image of its disk, or since now where there is
 * none, never was. */
void sim_replica_crash(struct sim_replica *r);
void sim_replica_remove(struct sim_replica *r);

/* ---- sim_ops.c: what users do ---- */

void sim_ops_start(void);
void sim_ops_stop(void);
/* One random operation on the replica. */
void sim_op(struct sim_replica *r);
/* The very same on two. */
void sim_op_twice(struct sim_replica *a, struct sim_replica *b);
/* Empties its pinset, keeping its blocks where others can get them. */
void sim_clean(struct sim_replica *r);
/* Many changes as one job. */
void sim_many(struct sim_replica *r);

/* A change that was acknowledged. */
struct sim_ack {
	unsigned replica;
	unsigned cid;
	uint64_t order;
	bool unpin, void_;  /* void: its replica was emptied since */
	uint8_t value[256]; /* that was put, or removed */
	size_t value_len;
};
extern struct sim_ack *sim_acks;
extern size_t sim_n_acks;
/* It must be found in the end. */
bool sim_ack_counts(const struct sim_ack *a);

void sim_cid(unsigned i, struct cid *ret);
/* The protobuf of a pin. */
size_t sim_value(unsigned cid, unsigned name, uint64_t stamp, uint8_t out[256]);

/* ---- sim_stranger.c: a peer that writes what ours would not ---- */

void sim_stranger_start(void);
void sim_stranger_stop(void);
/* Makes and announces something. */
void sim_stranger_act(void);
/* Its blocks, and those of archived replicas. NULL: none. */
const struct buf *sim_stranger_block(const struct cid *cid);
void sim_stranger_keep(const struct cid *cid, const uint8_t *p, size_t n);

/* ---- sim_net.c ---- */

void sim_net_init(struct sim_replica *r);
void sim_net_forget(struct sim_replica *r); /* its wants */
bool sim_net_reaches(const struct sim_replica *a, const struct sim_replica *b);
/* Tells @r of everyone it reaches, and them of it. */
void sim_net_joined(struct sim_replica *r);
/* Groups are made anew: at most @groups. */
void sim_net_part(unsigned groups);
/* To one replica, as if from nobody in particular. */
void sim_net_tell(struct sim_replica *to, const void *p, size_t n);

/* ---- sim_oracle.c: what everyone must have in the end ---- */

/* Fails the test unless all replicas have the same blocks, the heads, the pins and the dump that
 * the rules of the set give for them, and every acknowledged change is in them. */
void sim_oracle_check(void);
/* Whether all have the same heads and nothing is to be fetched, written or cut. */
bool sim_oracle_quiet(void);
