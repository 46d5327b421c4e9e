/* The LMDB environment: opening, versions, closing; read transactions. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/internal.h"
#include "util/clock.h"
#include "util/path.h"

#define LOG_AREA "store"
#include "util/log.h"

/* No less than LMDB's own, which has this plus one line of the processor's cache per reader. */
#define LOCK_HEAD_BYTES 4096
#define LOCK_READER_BYTES 64

int store_info_load(struct store_txn *t)
{
	MDB_val val;
	int r = meta_get(t, "info", &val);

	if (r < 0)
		return r;
	if (val.mv_size != sizeof(t->info))
		return -EBADMSG;
	memcpy(&t->info, val.mv_data, sizeof(t->info));
	return 0;
}

/* ---- opening ---- */

static int create_schema(struct store_txn *t)
{
	uint64_t schema = STORE_SCHEMA;
	int r;

	t->info = (struct store_info){
		.next_serial = 1, .next_block = 1, .generation = 1, .changed_ns = clock_now_ns()
	};
	r = meta_put(t, "schema", &schema, sizeof(schema));
	if (r == 0)
		r = meta_put(t, "info", &t->info, sizeof(t->info));
	return r;
}

static int check_schema(struct store_txn *t, struct err *e)
{
	MDB_val val;
	int r = meta_get(t, "schema", &val);

	if (r == -ENOENT) {
		r = create_schema(t);
		return r < 0 ? err_sys(e, r, "making the data") : 0;
	}
	if (r < 0)
		return err_sys(e, r, "reading the version of the data");
	if (get_u64(&val) != STORE_SCHEMA)
		return err_set(e, -EBADMSG, "the data is of version %llu, this program knows %d",
			       (unsigned long long)get_u64(&val), STORE_SCHEMA);
	r = store_info_load(t);
	return r < 0 ? err_sys(e, r, "reading the counters of the data") : 0;
}

static int open_tables(struct store *s, struct err *e)
{
	struct store_txn t = { .store = s, .write = true };
	MDB_dbi main_dbi;
	MDB_val val;
	int r = lmdb_errno(mdb_txn_begin(s->env, NULL, 0, &t.txn));

	if (r < 0)
		return err_sys(e, r, "opening the data");
	r = lmdb_errno(mdb_dbi_open(t.txn, "meta", MDB_CREATE, &s->meta));
	if (r == 0)
		r = lmdb_errno(
		    mdb_dbi_open(t.txn, "unpins", MDB_CREATE | MDB_INTEGERKEY, &s->unpins));
	if (r == 0)
		r = lmdb_errno(mdb_dbi_open(t.txn, NULL, 0, &main_dbi));
	if (r < 0) {
		err_sys(e, r, "opening the tables");
		goto out_abort;
	}
	r = check_schema(&t, e);
	if (r < 0)
		goto out_abort;
	s->killed = meta_get(&t, MARK_RUNNING, &val) == 0;
	atomic_store(&s->marked, s->killed);
	r = generation_open(s, t.txn, t.info.generation, true, &t.gen);
	if (r == 0)
		r = generation_adopt(s, t.txn, main_dbi, t.info.generation);
	if (r < 0) {
		err_sys(e, r, "opening the tables");
		goto out_abort;
	}
	r = txn_commit(s, t.txn);
	names_note(s, &t.info);
	return r < 0 ? err_sys(e, r, "opening the data") : 0;

out_abort:
	mdb_txn_abort(t.txn);
	return r;
}

/* LMDB writes into a mapping of lock.mdb: where the disk has no room for one of its pages, that is
 * SIGBUS. So all of them are there from the beginning. */
static int reserve_lock(const struct store *s, unsigned readers)
{
	off_t size = LOCK_HEAD_BYTES + (off_t)readers * LOCK_READER_BYTES;
	char *path = path_join(s->folder, "lock.mdb");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1, r = 0;
	struct stat st;

	if (fd < 0)
		r = path ? -errno : -ENOMEM;
	else if (fstat(fd, &st) < 0)
		r = -errno;
	else if (st.st_size < size)
		r = -posix_fallocate(fd, 0, size);
	if (fd >= 0)
		close(fd);
	free(path);
	return r;
}

static int open_env(struct store *s, const struct store_options *opt, struct err *e)
{
	int r = reserve_lock(s, opt->max_readers), dead;

	if (r < 0)
		return err_sys(e, r, "making %s/lock.mdb", s->folder);
	r = lmdb_errno(mdb_env_create(&s->env));
	if (r < 0)
		return err_sys(e, r, "opening the data");
	r = lmdb_errno(mdb_env_set_maxdbs(s->env, 8 + TABLE_NR * STORE_GENERATIONS_MAX));
	if (r == 0)
		r = lmdb_errno(mdb_env_set_mapsize(s->env, opt->map_size));
	if (r == 0)
		r = lmdb_errno(mdb_env_set_maxreaders(s->env, opt->max_readers));
	if (r == 0)
		r = lmdb_errno(mdb_env_open(s->env, s->folder, MDB_NOTLS, 0600));
	if (r < 0)
		return err_sys(e, r, "opening %s/data.mdb", s->folder);
	mdb_reader_check(s->env, &dead);
	return 0;
}

static int mark_running(struct store *s)
{
	struct store_txn *t;
	int r;

	if (atomic_load(&s->marked))
		return 0;
	r = store_write(s, &t);
	return r < 0 ? r : store_commit(t);
}

/* What a start writes. Where the disk is full it is put off, so that what is there can be read: the
 * mark comes with the first change, which is durable with it or not at all. */
static int write_first(struct store *s, struct err *e)
{
	int r = mark_running(s);

	if (r == 0)
		r = bulk_settle(s);
	if (store_broken(s))
		return err_set(e, -EIO, "%s", store_broken(s));
	if (r < 0 && r != -ENOSPC)
		return err_sys(e, r, "writing %s/data.mdb", s->folder);
	if (r < 0)
		log_warn("no space for changes of %s/data.mdb: they fail until there is some",
			 s->folder);
	return 0;
}

static void init_queue_ready(struct store *s)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->queue_ready, &attr);
	pthread_condattr_destroy(&attr);
}

int store_open(const struct store_options *opt, struct mbox *loop, struct store **ret,
	       struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_sys(e, -ENOMEM, "opening the data");
	s->loop = loop;
	s->queue_tail = &s->queue;
	atomic_store(&s->unsettled, true);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->queue_lock, NULL);
	init_queue_ready(s);
	s->folder = strdup(opt->folder);
	r = s->folder ? path_mkdirs(opt->folder, 0700, e) : err_sys(e, -ENOMEM, "opening the data");
	if (r == 0)
		r = open_env(s, opt, e);
	if (r == 0)
		r = open_tables(s, e);
	if (r == 0)
		r = write_first(s, e);
	s->broken_msg = opt->broken;
	if (r == 0)
		r = writer_start(s);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

static int forget_running(struct store *s)
{
	struct store_txn t = { .store = s, .write = true };
	MDB_val key = val_of(MARK_RUNNING, strlen(MARK_RUNNING));
	int r = lmdb_errno(mdb_txn_begin(s->env, NULL, 0, &t.txn));

	if (r < 0)
		return r;
	mdb_del(t.txn, s->meta, &key, NULL);
	return txn_commit(s, t.txn);
}

void store_close(struct store *s)
{
	struct store_txn *t;

	if (!s)
		return;
	if (s->started) {
		writer_stop(s);
		if (forget_running(s) < 0)
			log_warn("the mark of an orderly stop could not be written");
	}
	while ((t = s->idle)) {
		s->idle = t->next_idle;
		mdb_txn_abort(t->txn);
		free(t);
	}
	if (s->env)
		mdb_env_close(s->env);
	names_forget(&s->names);
	pthread_cond_destroy(&s->queue_ready);
	pthread_mutex_destroy(&s->queue_lock);
	pthread_mutex_destroy(&s->lock);
	free(s->folder);
	free(s);
}

bool store_was_killed(const struct store *s)
{
	return s->killed;
}

const char *store_folder(const struct store *s)
{
	return s->folder;
}

int store_space(struct store *s, uint64_t *ret_free, uint64_t *ret_used)
{
	struct statvfs fs;
	struct stat st;
	char *data;
	int r = 0;

	if (statvfs(s->folder, &fs) < 0)
		return -errno;
	*ret_free = (uint64_t)fs.f_bavail * fs.f_frsize;
	data = path_join(s->folder, "data.mdb");
	if (!data)
		return -ENOMEM;
	if (stat(data, &st) < 0)
		r = -errno;
	else
		*ret_used = (uint64_t)st.st_blocks * 512;
	free(data);
	return r;
}

/* ---- reading ---- */

static struct store_txn *idle_take(struct store *s)
{
	struct store_txn *t = s->idle;

	if (t) {
		s->idle = t->next_idle;
		s->n_idle--;
	}
	return t;
}

int store_read(struct store *s, struct store_txn **ret)
{
	struct store_txn *t;
	int r;

	/* One lock over begin and count: a generation is dropped only under it, when no reader
	 * counts and none can begin on it, since it is no longer the current one. */
	pthread_mutex_lock(&s->lock);
	t = idle_take(s);
	if (t) {
		r = lmdb_errno(mdb_txn_renew(t->txn));
	} else {
		t = calloc(1, sizeof(*t));
		r = t ? lmdb_errno(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &t->txn)) : -ENOMEM;
	}
	if (r < 0)
		goto out_abort;
	t->store = s;
	r = store_info_load(t);
	if (r == 0) {
		t->gen = generation_find(s, t->info.generation);
		r = t->gen ? 0 : -EBADMSG;
	}
	if (r < 0)
		goto out_abort;
	t->gen->readers++;
	pthread_mutex_unlock(&s->lock);
	*ret = t;
	return 0;

out_abort:
	if (t && t->txn)
		mdb_txn_abort(t->txn);
	pthread_mutex_unlock(&s->lock);
	free(t);
	return r;
}

void store_read_end(struct store_txn *t)
{
	struct store *s = t->store;

	pthread_mutex_lock(&s->lock);
	t->gen->readers--;
	t->gen = NULL;
	if (s->n_idle < STORE_IDLE_READS) {
		mdb_txn_reset(t->txn);
		t->next_idle = s->idle;
		s->idle = t;
		s->n_idle++;
		t = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (t) {
		mdb_txn_abort(t->txn);
		free(t);
	}
}

uint64_t store_commits_since(const struct store_txn *t)
{
	MDB_envinfo info;

	if (mdb_env_info(t->store->env, &info) != 0)
		return 0;
	return info.me_last_txnid - mdb_txn_id(t->txn);
}

const struct store_info *store_info(const struct store_txn *t)
{
	return &t->info;
}
