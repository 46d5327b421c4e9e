#include "cluster/pinning.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/candidates.h"
#include "cluster/cluster.h"
#include "store/pinset.h"
#include "util/clock.h"
#include "util/rfc3339.h"

#define LOG_AREA "cluster"
#include "util/log.h"

int pinning_factors(const struct cluster_config *cfg, int32_t *min, int32_t *max, struct err *e)
{
	if (*min == 0)
		*min = cfg->replication_factor_min;
	if (*max == 0)
		*max = cfg->replication_factor_max;
	if (*min < -1 || *min == 0)
		return err_set(e, -EINVAL, "replication_factor_min is wrong (-1, or from 1 up)");
	if (*max < -1 || *max == 0)
		return err_set(e, -EINVAL, "replication_factor_max is wrong (-1, or from 1 up)");
	if ((*min == -1) != (*max == -1))
		return err_set(e, -EINVAL,
			       "replication_factor_min and max must be -1 when one of them is");
	if (*min > *max)
		return err_set(e, -EINVAL, "replication_factor_min is larger than max");
	return 0;
}

/* Where the two keys say different things, the one that was changed counts. */
static int decide_depth(const struct cluster_item *item, const struct pin *stored, struct pin *ret,
			struct err *e)
{
	bool has_mode = item->keys.given & PIN_KEY_MODE;
	bool has_depth = item->keys.given & PIN_KEY_MAX_DEPTH;
	int32_t by_mode = item->mode == PIN_MODE_DIRECT ? PIN_DEPTH_DIRECT : PIN_DEPTH_RECURSIVE;
	bool mode_changed, depth_changed;

	if (!has_depth)
		ret->max_depth = has_mode ? by_mode : PIN_DEPTH_RECURSIVE;
	if (!has_depth || !has_mode || pin_mode(ret) == item->mode)
		return 0;
	mode_changed = !cid_defined(&stored->cid) || pin_mode(stored) != item->mode;
	depth_changed = !cid_defined(&stored->cid) || stored->max_depth != ret->max_depth;
	if (mode_changed == depth_changed)
		return err_set(e, -EINVAL, "mode is \"%s\" but max_depth is %d: change one of them",
			       pin_mode_name(item->mode), ret->max_depth);
	if (mode_changed)
		ret->max_depth = by_mode;
	return 0;
}

static bool is_among(const struct peerid *list, size_t n, const struct peerid *id)
{
	for (size_t i = 0; i < n; i++)
		if (peerid_equal(&list[i], id))
			return true;
	return false;
}

/* What a restored pin names, as far as they are members, at most @max of them. */
static int keep_members(const struct candidates_view *c, const struct pin *from, size_t max,
			struct pin *ret)
{
	struct peerid *out = pin_alloc(ret, sizeof(*out) * (from->n_allocations + 1));
	size_t n = 0;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_allocations && n < max; i++) {
		const struct peerid *id = &from->allocations[i];

		if (is_among(c->members, c->n_members, id) && !is_among(out, n, id))
			out[n++] = *id;
	}
	ret->allocations = out;
	ret->n_allocations = n;
	return 0;
}

/* Says who there was: the reason of a refusal sends its reader to the log. */
static void log_candidates(const struct candidates_view *c, const struct cid *cid)
{
	char text[CID_TEXT_MAX + 1], peers[8 * PEERID_TEXT_MAX] = "";
	size_t shown = 0, len = 0;

	for (; shown < c->n_peers && shown < 7; shown++) {
		peers[len++] = ' ';
		len += peerid_format(&c->peers[shown].peer, peers + len);
	}
	cid_format(cid, text);
	log_info(
	    "too few peers for %s; members: %zu; candidates (with a valid metric of every name "
	    "in allocate_by, and trusted as configured): %zu%s%s",
	    text, c->n_members, c->n_peers, peers, shown < c->n_peers ? " ..." : "");
}

/* @base has the allocations that are kept where they can be. */
static int pick(const struct candidates_view *c, const struct cluster_item *item,
		const struct pin *base, struct pin *ret, struct err *e)
{
	const struct alloc_request rq = {
		.min = ret->replication_min,
		.max = ret->replication_max,
		.n_metrics = c->n_metrics,
		.peers = c->peers,
		.n_peers = c->n_peers,
		.current = base->allocations,
		.n_current = base->n_allocations,
		.priority = item->pin.user_allocations,
		.n_priority = item->pin.n_user_allocations,
	};
	struct peerid *picked, *list;
	size_t n;
	bool kept;
	int r = alloc_pick(&rq, &picked, &n, &kept, e);

	if (r < 0)
		return r;
	list = pin_alloc(ret, sizeof(*list) * (n + 1));
	if (list && n > 0)
		memcpy(list, picked, sizeof(*list) * n);
	free(picked);
	ret->allocations = list;
	ret->n_allocations = n;
	return list ? 0 : -ENOMEM;
}

static int decide_allocations(const struct candidates_view *c, const struct cluster_item *item,
			      const struct pin *base, bool restored, struct pin *ret, struct err *e)
{
	if (ret->replication_min == -1) {
		ret->allocations = NULL;
		ret->n_allocations = 0;
		return 0;
	}
	if (restored) {
		int r = keep_members(c, base, (size_t)ret->replication_max, ret);

		if (r < 0 || ret->n_allocations >= (size_t)ret->replication_min)
			return r;
		base = ret;
	}
	return pick(c, item, base, ret, e);
}

/* pin_update: the options of the pin it names, but for name and expiry where given. */
static int decide_update(const struct store_txn *t, const struct cluster_item *item,
			 struct pin *ret, struct err *e)
{
	struct cid cid, update;
	const struct pin_text *name = &item->pin.name; /* the copy in @ret goes with its reset */
	int64_t expire_at = ret->expire_at, timestamp = ret->timestamp;
	struct pin_row row;
	struct pin from;
	int r = pinset_find(t, &ret->pin_update, &row);

	if (r == -ENOENT)
		return err_set(e, -ENOENT, "pin_update: that pin is not part of the pinset");
	if (r < 0)
		return r;
	cid_copy(&cid, &ret->cid);
	cid_copy(&update, &ret->pin_update);
	pin_init(&from);
	r = pinset_decode(&row, &from, e);
	if (r == 0 && from.type != PIN_TYPE_DATA)
		r = err_set(e, -EINVAL, "pin_update: that is a %s", pin_type_name(from.type));
	if (r == 0)
		r = pin_copy(ret, &from);
	pin_deinit(&from);
	if (r < 0)
		return r;
	cid_copy(&ret->cid, &cid);
	cid_copy(&ret->pin_update, &update);
	if (name->n > 0)
		ret->name = *name;
	if (item->keys.given & PIN_KEY_EXPIRE_AT)
		ret->expire_at = expire_at;
	ret->timestamp = timestamp;
	return 0;
}

static int check_against_stored(const struct pin *stored, const struct pin *ret, struct err *e)
{
	if (!cid_defined(&stored->cid))
		return 0;
	if (stored->type != ret->type && stored->type != PIN_TYPE_BAD)
		return err_set(e, -EINVAL, "the CID is pinned with type %s: unpin it first",
			       pin_type_name(stored->type));
	if (pin_mode(stored) == PIN_MODE_RECURSIVE && pin_mode(ret) == PIN_MODE_DIRECT)
		return err_set(e, -EBUSY,
			       "cannot repin a CID which is already pinned in recursive mode (new "
			       "pin is pinned as direct). Unpin it first.");
	return 0;
}

static int load_stored(const struct store_txn *t, const struct cid *cid, struct pin *stored)
{
	struct pin_row row;
	int r = pinset_find(t, cid, &row);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = pinset_decode(&row, stored, NULL);
	return r == -EBADMSG ? 0 : r;
}

static bool is_restored(const struct cluster_item *item, const struct pin *stored)
{
	return (item->keys.given & PIN_KEY_TIMESTAMP) && item->pin.timestamp != PIN_TIME_UNSET &&
	       (!cid_defined(&stored->cid) || stored->timestamp != item->pin.timestamp);
}

/* Later than what it had, so that a change of a pin is seen; as far as a time can be shown. */
static int64_t next_time(const struct pin *stored, int64_t now)
{
	if (!cid_defined(&stored->cid) || stored->timestamp < now)
		return now;
	return stored->timestamp < RFC3339_MAX ? stored->timestamp + 1 : RFC3339_MAX;
}

int pinning_decide(const struct store_txn *t, const struct cluster_config *cfg,
		   const struct candidates_view *candidates, const struct cluster_item *item,
		   struct pin *stored, struct pin *ret, struct err *e)
{
	const struct pin *base = stored;
	int64_t now = clock_now_s();
	bool restored;
	int r = load_stored(t, &item->pin.cid, stored);

	if (r < 0)
		return r;
	if (item->touch && cid_defined(&stored->cid))
		return 0;
	restored = is_restored(item, stored);
	if (restored)
		base = &item->pin;
	r = pin_copy(ret, &item->pin);
	if (r == 0 && !(item->keys.given & PIN_KEY_TYPE))
		ret->type = PIN_TYPE_DATA;
	if (r == 0)
		r = decide_depth(item, stored, ret, e);
	if (r == 0 && !restored && cid_defined(&ret->pin_update) &&
	    !cid_equal(&ret->pin_update, &ret->cid) &&
	    !(cid_defined(&stored->cid) && cid_equal(&stored->pin_update, &ret->pin_update))) {
		r = decide_update(t, item, ret, e);
		base = ret;
	}
	if (r == 0)
		r = pinning_factors(cfg, &ret->replication_min, &ret->replication_max, e);
	if (r == 0)
		r = check_against_stored(stored, ret, e);
	if (r == 0)
		r = decide_allocations(candidates, item, base, restored, ret, e);
	if (r == -ENOSPC)
		log_candidates(candidates, &ret->cid);
	if (r < 0)
		return r;
	ret->n_user_allocations = 0;
	if (cid_defined(&stored->cid) && !restored && pin_equal_but_time(stored, ret))
		return 0;
	if (!restored && ret->expire_at != PIN_TIME_UNSET && ret->expire_at <= now &&
	    ret->expire_at != stored->expire_at)
		return err_set(e, -EINVAL, "expire_at is before the current time");
	if (!restored)
		ret->timestamp = next_time(stored, now);
	return 1;
}

/* A peer that fell silent may have other metrics that did not run out yet. */
static int pick_without(const struct candidates_view *c, const struct peerid *gone,
			const struct pin *stored, struct pin *ret, struct err *e)
{
	const struct cluster_item none = { 0 };
	struct candidates_view others = { .n_metrics = c->n_metrics };
	int r;

	others.peers = malloc((c->n_peers + 1) * sizeof(*others.peers));
	if (!others.peers)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_peers; i++)
		if (!peerid_equal(&c->peers[i].peer, gone))
			others.peers[others.n_peers++] = c->peers[i];
	r = pick(&others, &none, stored, ret, e);
	free(others.peers);
	return r;
}

int pinning_repin(const struct store_txn *t, const struct candidates_view *candidates,
		  const struct peerid *gone, const struct cid *cid, struct pin *stored,
		  struct pin *ret, struct err *e)
{
	int r = load_stored(t, cid, stored);

	if (r < 0 || !cid_defined(&stored->cid) || stored->replication_min == -1 ||
	    is_among(candidates->members, candidates->n_members, gone))
		return r;
	r = pin_copy(ret, stored);
	if (r == 0)
		r = pick_without(candidates, gone, stored, ret, e);
	if (r < 0 || pin_equal_but_time(stored, ret))
		return r;
	ret->timestamp = next_time(stored, clock_now_s());
	return 1;
}
