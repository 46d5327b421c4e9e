/* Who of the members does what only one of them needs to do for a pin. */
#include <errno.h>
#include <stdlib.h>

#include "cluster/internal.h"
#include "consensus/crdt/crdt_net.h"
#include "util/clock.h"

int closest_take(struct cluster *c, const struct peerid *without, struct closest *ret)
{
	struct candidates_view *v;
	int r = candidates_view(c->candidates, clock_now_ns(), &v);

	*ret = (struct closest){ .self = c->opt.self };
	if (r < 0)
		return r;
	ret->others = malloc((v->n_members + 1) * sizeof(*ret->others));
	for (size_t i = 0; ret->others && i < v->n_members; i++) {
		const struct peerid *one = &v->members[i];

		if (!peerid_equal(one, &c->opt.self) && !(without && peerid_equal(one, without)) &&
		    crdt_trusts(c->opt.crdt, &c->opt.self, one))
			ret->others[ret->n++] = *one;
	}
	candidates_view_put(v);
	return ret->others ? 0 : -ENOMEM;
}

bool closest_is_self(const struct closest *cl, const struct cid *cid)
{
	return alloc_is_closest(cid, &cl->self, cl->others, cl->n);
}

void closest_clear(struct closest *cl)
{
	free(cl->others);
	cl->others = NULL;
	cl->n = 0;
}
