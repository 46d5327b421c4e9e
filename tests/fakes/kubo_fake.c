#include "tests/fakes/kubo_fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/list.h"

#define PINS_MAX 4096

struct fake_pin {
	struct cid cid;
	enum kubo_pin_kind kind;
};

struct kubo {
	uv_timer_t timer;
	struct list calls;
	struct fake_pin pins[PINS_MAX];
	size_t n_pins;
	bool away, closing;
	struct {
		int status;
		const char *text;
		bool hold;
		unsigned calls;
	} of[KUBO_FAKE_NR];
	const struct peerid *peers;
	size_t n_peers;
	size_t put_bytes, put_sum;
	struct cid put_last;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct kubo_call {
	struct list link;
	struct kubo *k;
	enum kubo_fake_what what;
	struct cid cid, from;
	enum kubo_pin_kind kind; /* of pin/ls, or that pin/add makes */
	bool cancelled;
	void *arg;
	union {
		kubo_done done;
		kubo_id_done id;
		kubo_repo_done repo;
		kubo_pin_kind_done kind;
		kubo_peers_done peers;
	} fn;
	const uint8_t *data; /* of a block */
	size_t n;
	kubo_pin_each each;
	kubo_gc_each gc_each;
};

static void on_timer(uv_timer_t *timer);

static void wake(struct kubo *k)
{
	uv_timer_start(&k->timer, on_timer, 0, 0);
}

struct kubo *kubo_fake_new(uv_loop_t *loop)
{
	struct kubo *k = calloc(1, sizeof(*k));

	if (!k || uv_timer_init(loop, &k->timer) < 0)
		abort();
	list_init(&k->calls);
	return k;
}

static struct fake_pin *find(const struct kubo *k, const struct cid *cid)
{
	for (size_t i = 0; i < k->n_pins; i++)
		if (cid_equal(&k->pins[i].cid, cid))
			return (struct fake_pin *)(uintptr_t)&k->pins[i];
	return NULL;
}

enum kubo_pin_kind kubo_fake_kind(const struct kubo *k, const struct cid *cid)
{
	const struct fake_pin *p = find(k, cid);

	return p ? p->kind : KUBO_UNPINNED;
}

void kubo_fake_set(struct kubo *k, const struct cid *cid, enum kubo_pin_kind kind)
{
	struct fake_pin *p = find(k, cid);

	if (!p) {
		if (k->n_pins == PINS_MAX)
			abort();
		p = &k->pins[k->n_pins++];
		cid_copy(&p->cid, cid);
	}
	p->kind = kind;
}

void kubo_fake_away(struct kubo *k, bool away)
{
	k->away = away;
}

void kubo_fake_fail(struct kubo *k, enum kubo_fake_what what, int status, const char *text)
{
	k->of[what].status = status;
	k->of[what].text = text;
}

void kubo_fake_hold(struct kubo *k, enum kubo_fake_what what, bool hold)
{
	k->of[what].hold = hold;
	wake(k);
}

unsigned kubo_fake_calls(const struct kubo *k, enum kubo_fake_what what)
{
	return k->of[what].calls;
}

unsigned kubo_fake_open(const struct kubo *k)
{
	const struct list *it;
	unsigned n = 0;

	list_each (it, &k->calls)
		n++;
	return n;
}

static struct kubo_call *begin(struct kubo *k, enum kubo_fake_what what, const struct cid *cid,
			       void *arg, struct kubo_call **ret)
{
	struct kubo_call *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->k = k;
	c->what = what;
	c->arg = arg;
	if (cid)
		cid_copy(&c->cid, cid);
	list_add_tail(&k->calls, &c->link);
	k->of[what].calls++;
	if (ret)
		*ret = c;
	wake(k);
	return c;
}

/* What the set of pins says to the call. */
static int decide(struct kubo_call *c, struct err *e)
{
	struct kubo *k = c->k;
	enum kubo_pin_kind now = kubo_fake_kind(k, &c->cid);

	if (c->cancelled || k->closing)
		return err_set(e, -ECANCELED, "context canceled");
	if (k->away)
		return err_set(e, -ECONNREFUSED, "connect: connection refused");
	if (k->of[c->what].status)
		return err_set(e, k->of[c->what].status, "%s", k->of[c->what].text);
	if (c->what == KUBO_FAKE_RM) {
		if (now == KUBO_UNPINNED)
			return err_set(e, -ENOENT, "not pinned or pinned indirectly");
		kubo_fake_set(k, &c->cid, KUBO_UNPINNED);
	}
	if (c->what == KUBO_FAKE_ADD && c->kind == KUBO_DIRECT && now == KUBO_RECURSIVE)
		return err_set(e, -EREMOTEIO, "already pinned recursively");
	if (c->what == KUBO_FAKE_ADD || c->what == KUBO_FAKE_UPDATE)
		kubo_fake_set(k, &c->cid, c->kind);
	return 0;
}

static void list_pins(struct kubo_call *c)
{
	for (size_t i = 0; i < c->k->n_pins; i++)
		if (c->k->pins[i].kind == c->kind)
			c->each(c->arg, &c->k->pins[i].cid);
}

void kubo_fake_peers(struct kubo *k, const struct peerid *peers, size_t n)
{
	k->peers = peers;
	k->n_peers = n;
}

size_t kubo_fake_put_bytes(const struct kubo *k)
{
	return k->put_bytes;
}

const struct cid *kubo_fake_put_last(const struct kubo *k)
{
	return &k->put_last;
}

/* Reads the block now, as the real one may: it has to be there until the end. */
static void take_block(struct kubo_call *c)
{
	for (size_t i = 0; i < c->n; i++)
		c->k->put_sum += c->data[i];
	c->k->put_bytes += c->n;
	cid_copy(&c->k->put_last, &c->cid);
}

static void end(struct kubo_call *c)
{
	static const char *const addresses[] = { "/ip4/127.0.0.1/tcp/4001", "/ip6/::1/tcp/4001" };
	const struct kubo_id id = { KUBO_FAKE_ID_TEXT, "fake/1", addresses, 2 };
	const struct kubo_repo repo = { 10, 100, 3 };
	struct err why = { 0 };
	int status = decide(c, &why);
	const struct err *e = status < 0 ? &why : NULL;

	switch (c->what) {
	case KUBO_FAKE_ID:
		c->fn.id(c->arg, status, status < 0 ? NULL : &id, e);
		break;
	case KUBO_FAKE_STAT:
		c->fn.repo(c->arg, status, status < 0 ? NULL : &repo, e);
		break;
	case KUBO_FAKE_LS_ONE:
		c->fn.kind(c->arg, status,
			   status < 0 ? KUBO_UNPINNED : kubo_fake_kind(c->k, &c->cid), e);
		break;
	case KUBO_FAKE_LS:
		if (status == 0)
			list_pins(c);
		c->fn.done(c->arg, status, e);
		break;
	case KUBO_FAKE_GC:
		if (status == 0) {
			c->gc_each(c->arg, "bafkgone", NULL);
			c->gc_each(c->arg, NULL, "one \"bad\" block");
		}
		c->fn.done(c->arg, status, e);
		break;
	case KUBO_FAKE_PEERS:
		c->fn.peers(c->arg, status, c->k->peers, status < 0 ? 0 : c->k->n_peers, e);
		break;
	case KUBO_FAKE_PUT:
		take_block(c);
		c->fn.done(c->arg, status, e);
		break;
	case KUBO_FAKE_ADD:
	case KUBO_FAKE_UPDATE:
	case KUBO_FAKE_RM:
	case KUBO_FAKE_CONNECT:
	case KUBO_FAKE_NR:
		c->fn.done(c->arg, status, e);
		break;
	}
}

static bool is_held(const struct kubo_call *c)
{
	return c->k->of[c->what].hold && !c->cancelled && !c->k->closing;
}

static void on_closed(uv_handle_t *h)
{
	struct kubo *k = (struct kubo *)(void *)h; /* the timer comes first */
	void (*closed)(void *arg) = k->closed;
	void *arg = k->closed_arg;

	free(k);
	if (closed)
		closed(arg);
}

/* Ends the calls there are now; what their ends begin is for the next time. */
static void on_timer(uv_timer_t *timer)
{
	struct kubo *k = container_of(timer, struct kubo, timer);
	unsigned n = kubo_fake_open(k);
	struct list *it = k->calls.next, *next;

	for (; n > 0; n--, it = next) {
		struct kubo_call *c = container_of(it, struct kubo_call, link);

		next = it->next;
		if (is_held(c))
			continue;
		list_del(&c->link);
		end(c);
		free(c);
	}
	if (k->closing && !uv_is_closing((uv_handle_t *)&k->timer))
		uv_close((uv_handle_t *)&k->timer, on_closed);
}

void kubo_close(struct kubo *k, void (*closed)(void *arg), void *arg)
{
	k->closing = true;
	k->closed = closed;
	k->closed_arg = arg;
	wake(k);
}

void kubo_cancel(struct kubo_call *c)
{
	c->cancelled = true;
	wake(c->k);
}

int kubo_id(struct kubo *k, kubo_id_done done, void *arg, struct kubo_call **ret_call)
{
	begin(k, KUBO_FAKE_ID, NULL, arg, ret_call)->fn.id = done;
	return 0;
}

int kubo_repo_stat(struct kubo *k, kubo_repo_done done, void *arg, struct kubo_call **ret_call)
{
	begin(k, KUBO_FAKE_STAT, NULL, arg, ret_call)->fn.repo = done;
	return 0;
}

int kubo_pin_add(struct kubo *k, const struct cid *cid, int32_t depth, const char *name,
		 kubo_progress progress, kubo_done done, void *arg, struct kubo_call **ret_call)
{
	struct kubo_call *c = begin(k, KUBO_FAKE_ADD, cid, arg, ret_call);

	c->kind = depth == 0 ? KUBO_DIRECT : KUBO_RECURSIVE;
	c->fn.done = done;
	return 0;
}

int kubo_pin_update(struct kubo *k, const struct cid *from, const struct cid *to, kubo_done done,
		    void *arg, struct kubo_call **ret_call)
{
	struct kubo_call *c = begin(k, KUBO_FAKE_UPDATE, to, arg, ret_call);

	cid_copy(&c->from, from);
	c->kind = KUBO_RECURSIVE;
	c->fn.done = done;
	return 0;
}

int kubo_pin_rm(struct kubo *k, const struct cid *cid, kubo_done done, void *arg,
		struct kubo_call **ret_call)
{
	begin(k, KUBO_FAKE_RM, cid, arg, ret_call)->fn.done = done;
	return 0;
}

int kubo_pin_ls_one(struct kubo *k, const struct cid *cid, kubo_pin_kind_done done, void *arg,
		    struct kubo_call **ret_call)
{
	begin(k, KUBO_FAKE_LS_ONE, cid, arg, ret_call)->fn.kind = done;
	return 0;
}

int kubo_pin_ls(struct kubo *k, enum kubo_pin_kind kind, kubo_pin_each each, kubo_done done,
		void *arg, struct kubo_call **ret_call)
{
	struct kubo_call *c = begin(k, KUBO_FAKE_LS, NULL, arg, ret_call);

	c->kind = kind;
	c->each = each;
	c->fn.done = done;
	return 0;
}

int kubo_swarm_connect(struct kubo *k, const struct multiaddr *addr, kubo_done done, void *arg,
		       struct kubo_call **ret_call)
{
	begin(k, KUBO_FAKE_CONNECT, NULL, arg, ret_call)->fn.done = done;
	return 0;
}

int kubo_repo_gc(struct kubo *k, kubo_gc_each each, kubo_done done, void *arg,
		 struct kubo_call **ret_call)
{
	struct kubo_call *c = begin(k, KUBO_FAKE_GC, NULL, arg, ret_call);

	c->gc_each = each;
	c->fn.done = done;
	return 0;
}

int kubo_swarm_peers(struct kubo *k, kubo_peers_done done, void *arg, struct kubo_call **ret_call)
{
	begin(k, KUBO_FAKE_PEERS, NULL, arg, ret_call)->fn.peers = done;
	return 0;
}

int kubo_block_put(struct kubo *k, const struct cid *cid, const void *data, size_t n,
		   kubo_done done, void *arg, struct kubo_call **ret_call)
{
	struct kubo_call *c = begin(k, KUBO_FAKE_PUT, cid, arg, ret_call);

	c->data = data;
	c->n = n;
	c->fn.done = done;
	return 0;
}
