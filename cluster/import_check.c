/*
 * The rehearsal of an import: compares the dump with a view of now. It changes nothing, so it is
 * work of the pool, and neither loop nor writer wait for it.
 */
#include <errno.h>

#include "cluster/import_internal.h"
#include "util/container.h"

static void check_work(uv_work_t *w)
{
	struct cluster_request *rq = container_of(w, struct cluster_request, work);
	struct import *im = rq->import;
	int r = import_run_begin(rq);

	if (r == 0)
		r = im->loader->ops->compare(im->loader, &im->load, &rq->error);
	rq->status = import_run_explain(rq, r);
}

static void check_after(uv_work_t *w, int cancelled) /* loop's thread */
{
	struct cluster_request *rq = container_of(w, struct cluster_request, work);
	const struct bulk_counts *n = &rq->import->load.counts;
	int r = cancelled ? -ECANCELED : rq->status;

	if (r == 0)
		r = brake_check_import(rq->cluster->brake, n->pins_before, n->removed, &rq->error);
	import_run_end(rq, r);
}

void import_check_start(struct cluster_request *rq)
{
	int r = uv_queue_work(rq->cluster->opt.loop, &rq->work, check_work, check_after);

	if (r < 0)
		import_run_end(rq, err_sys(&rq->error, r, "comparing with the pinset"));
}
