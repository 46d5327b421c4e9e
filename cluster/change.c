/* Pins, unpins and batches of them: decided on the writer's thread, in the transaction that
 * applies. */
#include <errno.h>
#include <stdlib.h>

#include "cluster/internal.h"
#include "cluster/pinning.h"
#include "store/pinset.h"
#include "types/pin_pb.h"
#include "util/clock.h"
#include "util/container.h"
#include "util/json_write.h"

#define LOG_AREA "cluster"
#include "util/log.h"

/* One audit entry per item: "cid":...,"before":...,"after":..., lines end in a newline. */
static int note_change(struct cluster_request *rq, const struct cid *cid, const struct pin *before,
		       const struct pin *after)
{
	struct buf *b = &rq->audit;
	char text[CID_TEXT_MAX + 1];
	size_t n = cid_format(cid, text);
	int r;

	if (rq->source.next) /* one entry for all, and a dump of what there was */
		return 0;
	r = json_write_member(b, "cid", text, n);
	if (r == 0)
		r = buf_str(b, ",\"before\":");
	if (r == 0)
		r = before ? pin_json_line(before, b) : buf_str(b, "null");
	if (r == 0)
		r = buf_str(b, ",\"after\":");
	if (r == 0)
		r = after ? pin_json_line(after, b) : buf_str(b, "null");
	return r < 0 ? r : buf_byte(b, '\n');
}

static int decide_unpin(const struct store_txn *t, struct cluster_request *rq,
			const struct cluster_item *item, struct pin *stored, struct err *e)
{
	struct pin_row row;
	int r = pinset_find(t, &item->pin.cid, &row);

	if (r == -ENOENT && rq->kind == CHANGE_LOGGED)
		return 0; /* as the reference does */
	if (r == -ENOENT)
		return err_set(e, -ENOENT, "pin is not part of the pinset");
	if (r < 0)
		return r;
	r = pinset_decode(&row, stored, e);
	if (r < 0)
		return r;
	if (rq->kind == CHANGE_EXPIRY &&
	    (stored->expire_at == PIN_TIME_UNSET || stored->expire_at > clock_now_s()))
		return 0; /* changed since */
	r = note_change(rq, &item->pin.cid, stored, NULL);
	return r < 0 ? r : 1;
}

/* What is accepted must be possible to show and to restore: escapes can make a document longer than
 * what was written. */
static int check_size(const struct pin *p, struct err *e)
{
	struct buf line = BUF_INIT(0);
	int r = pin_json_line(p, &line);
	size_t n = line.len;

	buf_deinit(&line);
	if (r < 0)
		return r;
	if (pin_json_document_len(p, n) > PIN_BYTES_MAX)
		return err_set(e, -EFBIG, "the pin's document would be over 1 MiB, as it is shown");
	return 0;
}

static int decide_pin(const struct store_txn *t, struct cluster_request *rq,
		      const struct cluster_item *item, struct pin *stored,
		      struct consensus_change *ch, struct err *e)
{
	const struct cluster_options *opt = &rq->cluster->opt;
	struct pin next;
	int r;

	pin_init(&next);
	if (rq->kind == CHANGE_REPIN)
		r = pinning_repin(t, rq->candidates, repin_gone(rq->repin), &item->pin.cid, stored,
				  &next, e);
	else
		r = pinning_decide(t, opt->config, rq->candidates, item, stored, &next, e);
	if (r == -ENOSPC && opt->config->follower_mode)
		r = err_set(e, -EROFS, CHANGE_FOLLOWER);
	if (r == 1) {
		r = check_size(&next, e);
		if (r == 0)
			r = pin_pb_encode(&next, &ch->value);
		if (r == 0)
			r = note_change(rq, &next.cid, cid_defined(&stored->cid) ? stored : NULL,
					&next);
		r = r < 0 ? r : 1;
	}
	pin_deinit(&next);
	return r;
}

/* A pin of a trusted peer, who has decided all there is to decide. */
static int decide_logged(const struct store_txn *t, struct cluster_request *rq,
			 const struct cluster_item *item, struct pin *stored,
			 struct consensus_change *ch, struct err *e)
{
	const struct pin *next = &item->pin;
	struct pin_row row;
	int r = pinset_find(t, &next->cid, &row);

	if (r == 0)
		r = pinset_decode(&row, stored, NULL);
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return r;
	if (r == 0 && pin_equal_but_time(stored, next) && stored->timestamp == next->timestamp)
		return 0;
	r = check_size(next, e);
	if (r == 0)
		r = pin_pb_encode(next, &ch->value);
	if (r == 0)
		r = note_change(rq, &next->cid, cid_defined(&stored->cid) ? stored : NULL, next);
	return r < 0 ? r : 1;
}

int change_decide_item(const struct store_txn *t, struct cluster_request *rq,
		       const struct cluster_item *item, struct consensus_change *ch, struct err *e)
{
	struct pin stored;
	int r;

	pin_init(&stored);
	cid_copy(&ch->cid, &item->pin.cid);
	ch->unpin = item->unpin;
	if (item->unpin)
		r = decide_unpin(t, rq, item, &stored, e);
	else if (rq->kind == CHANGE_LOGGED)
		r = decide_logged(t, rq, item, &stored, ch, e);
	else
		r = decide_pin(t, rq, item, &stored, ch, e);
	pin_deinit(&stored);
	return r;
}

void change_count(struct cluster_request *rq, uint64_t removals)
{
	rq->counted = removals;
	rq->spent = brake_count(rq->cluster->brake, removals);
}

void change_uncount(struct cluster_request *rq)
{
	brake_uncount(rq->cluster->brake, rq->counted, rq->spent);
}

static int change_decide(struct store_txn *t, struct consensus_op *op)
{
	struct cluster_request *rq = container_of(op, struct cluster_request, op);
	struct cluster *c = rq->cluster;
	uint64_t removals = 0;
	int r = request_begin(rq, &op->error);

	if (r == 0 && rq->kind == CHANGE_REPIN)
		r = repin_collect(t, rq);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rq->n_items; i++) {
		struct consensus_change *ch = &op->changes[op->n_changes];

		r = change_decide_item(t, rq, &rq->items[i], ch, &op->error);
		if (r == -ENOSPC && rq->kind == CHANGE_REPIN) {
			op->error = (struct err){ 0 };
			rq->too_few++;
			r = 0;
		}
		if (r < 0 && rq->n_items > 1) {
			char text[CID_TEXT_MAX + 1];

			cid_format(&rq->items[i].pin.cid, text);
			err_wrap(&op->error, r, "entry %zu, %.80s", i + 1, text);
		}
		if (r < 0)
			break;
		op->n_changes += r == 1;
		removals += r == 1 && ch->unpin;
	}
	if (r >= 0 && op->n_changes > 0 && c->opt.config->follower_mode &&
	    rq->kind != CHANGE_LOGGED)
		r = err_set(&op->error, -EROFS, CHANGE_FOLLOWER);
	if (r >= 0 && removals > 0 && rq->kind == CHANGE_ASKED) {
		r = brake_check(c->brake, t, removals, &op->error);
		if (r == 0)
			change_count(rq, removals);
	}
	if (r < 0)
		op->n_changes = 0;
	return r < 0 ? r : op->n_changes > 0;
}

static void write_audit(struct cluster_request *rq)
{
	static const char *const what[] = { [CHANGE_ASKED] = "change",
					    [CHANGE_LOGGED] = "change",
					    [CHANGE_EXPIRY] = "expire",
					    [CHANGE_REPIN] = "repin" };
	bool own = rq->kind == CHANGE_EXPIRY || rq->kind == CHANGE_REPIN;
	const char *p = (const char *)rq->audit.data, *end;

	if (buf_terminate(&rq->audit) < 0)
		return;
	for (p = (const char *)rq->audit.data; *p; p = end + 1) {
		end = strchrnul(p, '\n');
		if (*end == '\0')
			break;
		rq->audit.data[end - (const char *)rq->audit.data] = '\0';
		audit_line(rq->cluster, own ? NULL : &rq->who, what[rq->kind], p, 0, NULL);
	}
}

/* A pin that is stored like that already: try again what failed. */
static void recover_items(struct cluster_request *rq)
{
	struct cluster *c = rq->cluster;
	struct store_txn *t;

	if (!c->tracker || store_read(c->opt.store, &t) < 0)
		return;
	for (size_t i = 0; i < rq->n_items; i++) {
		struct pin_row row;

		if (!rq->items[i].unpin && pinset_find(t, &rq->items[i].pin.cid, &row) == 0)
			tracker_recover(c->tracker, row.serial);
	}
	store_read_end(t);
}

static void change_done(struct consensus_op *op, int status)
{
	struct cluster_request *rq = container_of(op, struct cluster_request, op);
	struct cluster *c = rq->cluster;

	if (status < 0)
		change_uncount(rq);
	if (status < 0)
		rq->error = op->error;
	else if (op->n_changes > 0)
		write_audit(rq);
	else if (rq->kind == CHANGE_ASKED)
		recover_items(rq);
	for (size_t i = 0; i < rq->n_items; i++)
		buf_deinit(&op->changes[i].value);
	free(op->changes);
	if (status == -EPERM)
		keep_before_burst(c);
	request_end(rq, status);
}

void change_start(struct cluster_request *rq)
{
	int r = candidates_view(rq->cluster->candidates, clock_now_ns(), &rq->candidates);

	if (r < 0) {
		request_end(rq, err_sys(&rq->error, r, "looking for peers that could pin"));
		return;
	}
	if (rq->source.next) {
		many_start(rq);
		return;
	}
	rq->op.changes = calloc(rq->n_items + 1, sizeof(*rq->op.changes));
	if (!rq->op.changes) {
		request_end(rq, err_sys(&rq->error, -ENOMEM, "changing the pinset"));
		return;
	}
	rq->op.decide = change_decide;
	rq->op.done = change_done;
	rq->cluster->consensus->ops->submit(rq->cluster->consensus, &rq->op);
}
