/*
 * A store in a scratch folder below the working directory, and a loop for it. Changes are made on
 * the test's thread. Include after cmocka.h.
 */
#pragma once

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "store/pinset.h"
#include "store/status.h"
#include "store/store.h"
#include "tests/lib/folder.h"
#include "types/pin_json.h"
#include "types/pin_pb.h"
#include "util/path.h"

struct store_fix {
	char folder[32];
	uv_loop_t loop;
	struct mbox mbox;
	struct store *store;
};

static inline void store_fix_open(struct store_fix *f)
{
	struct store_options opt = { .folder = f->folder, .map_size = 1u << 28, .max_readers = 64 };
	struct err e = { 0 };

	if (store_open(&opt, &f->mbox, &f->store, &e) < 0)
		fail_msg("%s", e.msg);
}

static inline void store_fix_setup(struct store_fix *f)
{
	strcpy(f->folder, "store-XXXXXX");
	assert_true(sodium_init() >= 0);
	assert_non_null(mkdtemp(f->folder));
	assert_int_equal(0, uv_loop_init(&f->loop));
	assert_int_equal(0, mbox_init(&f->mbox, &f->loop));
	store_fix_open(f);
}

static inline void store_fix_teardown(struct store_fix *f)
{
	store_close(f->store);
	mbox_close(&f->mbox);
	mbox_drain(&f->mbox);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(0, uv_loop_close(&f->loop));
	folder_delete(f->folder);
}

/* For a test that needs nothing else: *state is the fixture. */
static inline int store_fix_begin(void **state)
{
	static struct store_fix f;

	store_fix_setup(&f);
	*state = &f;
	return 0;
}

static inline int store_fix_end(void **state)
{
	store_fix_teardown(*state);
	return 0;
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_fix_begin, store_fix_end)

static inline struct store_txn *store_fix_read(struct store_fix *f)
{
	struct store_txn *t;

	assert_int_equal(0, store_read(f->store, &t));
	return t;
}

static inline struct store_txn *store_fix_write(struct store_fix *f)
{
	struct store_txn *t;

	assert_int_equal(0, store_write(f->store, &t));
	return t;
}

/* Sets a pin by its protobuf; returns its serial. */
static inline uint64_t store_fix_set_value(struct store_txn *t, const struct cid *cid,
					   const void *value, size_t n, uint8_t rank)
{
	struct sortkey key;
	struct key_row k;

	sortkey_of_cid(cid->bytes, cid->len, &key);
	assert_int_equal(0, pinset_key_make(t, &key, &k));
	assert_int_equal(0, pinset_set(t, &key, &k, cid, value, n, 1, 0, rank));
	return k.serial;
}

static inline uint64_t store_fix_set(struct store_txn *t, const struct pin *p, uint8_t rank)
{
	struct buf value = BUF_INIT(0);
	uint64_t serial;

	assert_int_equal(0, pin_pb_encode(p, &value));
	serial = store_fix_set_value(t, &p->cid, value.data, value.len, rank);
	buf_deinit(&value);
	return serial;
}

static inline void store_fix_unset(struct store_txn *t, const struct cid *cid)
{
	struct sortkey key;
	struct key_row k;

	sortkey_of_cid(cid->bytes, cid->len, &key);
	assert_int_equal(0, pinset_key(t, &key, &k));
	assert_int_equal(0, pinset_unset(t, &key, &k));
}

/* A raw CID that tells its number. */
static inline void store_fix_cid(unsigned i, struct cid *ret)
{
	cid_of_block(CODEC_RAW, &i, sizeof(i), ret);
}

/* A pin for everybody. */
static inline void store_fix_pin(struct pin *p, unsigned i, const char *name)
{
	pin_reset(p);
	store_fix_cid(i, &p->cid);
	p->type = PIN_TYPE_DATA;
	p->replication_min = p->replication_max = -1;
	p->max_depth = PIN_DEPTH_RECURSIVE;
	p->timestamp = 1700000000;
	p->name.p = name;
	p->name.n = strlen(name);
}
