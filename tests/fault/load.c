#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fault/load.h"

#include "tests/lib/store_fixture.h"

#define EXPIRES 1900000000

static int add(struct consensus_loader *l, unsigned i, const char *name)
{
	struct consensus_pin cp = { .name = name, .name_len = strlen(name) };
	struct buf value = BUF_INIT(0), line = BUF_INIT(0);
	struct pin p;
	int r;

	pin_init(&p);
	store_fix_pin(&p, i, name);
	p.expire_at = cp.expire_at = i % 4 ? PIN_TIME_UNSET : EXPIRES;
	cp.timestamp = p.timestamp;
	cp.cid = &p.cid;
	r = pin_pb_encode(&p, &value);
	cp.value = value.data;
	cp.value_len = value.len;
	if (r == 0)
		r = pin_json_line(&p, &line);
	cp.line_len = (uint32_t)line.len + 1;
	cp.document_len = (uint32_t)pin_json_document_len(&p, line.len);
	if (r == 0)
		r = l->ops->add(l, &cp);
	buf_deinit(&line);
	buf_deinit(&value);
	pin_deinit(&p);
	return r;
}

int load_spool(struct store *s, unsigned from, unsigned to, const char *name,
	       struct consensus_loader **ret)
{
	struct consensus_loader *l;
	int r = crdt_load_new(s, NULL, &l);

	if (r < 0)
		return r;
	for (unsigned i = from; r == 0 && i < to; i++)
		r = add(l, i, name);
	if (r == 0)
		r = l->ops->seal(l);
	if (r == 0)
		*ret = l;
	else
		l->ops->free(l);
	return r;
}

int load_pins(struct store *s, enum consensus_method method, unsigned from, unsigned to,
	      const char *name)
{
	struct consensus_load ld = { .method = method };
	struct consensus_loader *l;
	struct err e = { 0 };
	int r = load_spool(s, from, to, name, &l);

	if (r < 0)
		return r;
	r = l->ops->commit(l, &ld, &e);
	l->ops->free(l);
	return r;
}
