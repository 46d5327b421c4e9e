/* A peer made known by its address: learnt, connected, and from then on kept. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/internal.h"
#include "net/host.h"
#include "util/clock.h"
#include "util/container.h"
#include "util/json_write.h"

#define PEER_ADD_MS 4000 /* then it counts as not reached; looked at each second */

/* The host tells of the end of a dial in any case, be it after the end of the cluster. */
struct peer_add {
	struct list item;           /* of the cluster, while rq is there */
	struct cluster_request *rq; /* NULL: answered */
	struct multiaddr address;
	struct peerid peer;
	int64_t until_ms;
	bool dialling, dialled_twice;
	struct err why; /* what the last dial said */
};

/* The reason why it was not reached is in pa->why. */
static void end(struct peer_add *pa, int status)
{
	struct cluster_request *rq = pa->rq;
	struct cluster *c = rq->cluster;
	struct buf more = BUF_INIT(0);

	pa->rq = NULL;
	list_del(&pa->item);
	if (status < 0)
		err_set(&rq->error, status, "the peer cannot be reached: %s", pa->why.msg);
	else
		status = request_begin(rq, &rq->error); /* or nobody wants it any more */
	if (status == 0) {
		host_learn(c->host, &pa->peer, &pa->address, HOST_TTL_PERMANENT);
		host_keep(c->host, &pa->peer);
	}
	if (json_write_member(&more, "address", rq->text, strlen(rq->text)) == 0 &&
	    buf_terminate(&more) == 0)
		audit_line(c, &rq->who, "peer_add", (const char *)more.data, status,
			   status < 0 ? rq->error.msg : NULL);
	buf_deinit(&more);
	if (!pa->dialling)
		free(pa);
	request_end(rq, status);
}

static void on_dialled(void *arg, const struct peerid *peer, int status, const struct err *why)
{
	struct peer_add *pa = arg;

	pa->dialling = false;
	if (!pa->rq) {
		free(pa);
	} else if (status == 0) {
		end(pa, 0);
	} else {
		pa->why = *why;
		/* A dial that was under way did not know of this address. */
		if (pa->dialled_twice)
			end(pa, -EHOSTUNREACH);
	}
}

static int dial(struct peer_add *pa)
{
	int r = host_connect(pa->rq->cluster->host, &pa->peer, on_dialled, pa);

	pa->dialling = r == 0;
	return r;
}

void peer_add_tick(struct cluster *c)
{
	struct list *it, *next;

	list_each_safe (it, next, &c->peer_adds) {
		struct peer_add *pa = container_of(it, struct peer_add, item);

		if (clock_mono_ms() >= pa->until_ms) {
			if (pa->why.code == 0)
				err_set(&pa->why, -EHOSTUNREACH, "no answer within %d s",
					PEER_ADD_MS / 1000);
			end(pa, -EHOSTUNREACH);
		} else if (!pa->dialling) {
			pa->dialled_twice = true;
			if (dial(pa) < 0)
				end(pa, -EHOSTUNREACH);
		}
	}
}

void peer_add_abort(struct cluster *c)
{
	while (!list_empty(&c->peer_adds)) {
		struct peer_add *pa = container_of(c->peer_adds.next, struct peer_add, item);

		err_set(&pa->why, -EROFS, "the peer is shutting down");
		end(pa, -EROFS);
	}
}

static int parse(struct peer_add *pa, const char *text, struct err *e)
{
	int r = multiaddr_parse(text, strlen(text), &pa->address, e);

	if (r < 0)
		return r;
	if (multiaddr_peerid(&pa->address, &pa->peer) < 0)
		return err_set(e, -EINVAL, "there is no /p2p/ with the peer's ID in the address");
	if (!multiaddr_is_plain_tcp(&pa->address))
		return err_set(e, -EINVAL, "only addresses of TCP can be dialled");
	return 0;
}

static int begin(struct cluster_request *rq, struct peer_add *pa)
{
	struct cluster *c = rq->cluster;
	int r = parse(pa, rq->text, &rq->error);

	if (r == 0 && peerid_equal(&pa->peer, &c->opt.self))
		r = err_set(&rq->error, -EINVAL, "this is the peer itself");
	if (r == 0 && !c->host)
		r = err_set(&rq->error, -EROFS, "offline: there is no network");
	if (r < 0)
		return r;
	pa->rq = rq;
	pa->until_ms = clock_mono_ms() + PEER_ADD_MS;
	r = host_learn(c->host, &pa->peer, &pa->address, HOST_TTL_HOUR);
	if (r == 0)
		r = dial(pa);
	return r < 0 ? err_sys(&rq->error, r, "dialling") : 0;
}

void peer_add_start(struct cluster_request *rq)
{
	struct peer_add *pa = calloc(1, sizeof(*pa));
	int r = pa ? begin(rq, pa) : -ENOMEM;

	if (r == 0) {
		list_add_tail(&rq->cluster->peer_adds, &pa->item);
		return;
	}
	free(pa);
	request_end(rq, r);
}
