/* config/: the files of the configuration folder, without secrets. */
#include "fs/text.h"

static int render_from(int (*source)(void *arg, struct buf *out), struct call *c, struct buf *out)
{
	return source ? source(c->fs->opt.source.arg, out) : 0;
}

static int render_service(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	return render_from(c->fs->opt.source.service_json, c, out);
}
TEXT_OPS(service, CLASS_READ_ONLY);

static int render_identity(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	return render_from(c->fs->opt.source.identity_json, c, out);
}
TEXT_OPS(identity, CLASS_READ_ONLY);

static int render_peerstore(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	return render_from(c->fs->opt.source.peerstore, c, out);
}
TEXT_OPS(peerstore, CLASS_READ_ONLY);
