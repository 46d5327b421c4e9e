#include "ipfs/kubo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ipfs/kubo_call.h"
#include "util/container.h"
#include "util/varint.h"

struct put_call {
	struct kubo_call call;
	struct cid cid;
	kubo_done done;
	void *arg;
};

/* Kubo takes codecs by number, but hashes by name alone. */
static const struct {
	uint64_t code;
	const char *name;
} hashes[] = {
	{ 0x00, "identity" },      { 0x11, "sha1" },          { 0x12, "sha2-256" },
	{ 0x13, "sha2-512" },      { 0x14, "sha3-512" },      { 0x15, "sha3-384" },
	{ 0x16, "sha3-256" },      { 0x17, "sha3-224" },      { 0x1b, "keccak-256" },
	{ 0x1d, "keccak-512" },    { 0x1e, "blake3" },        { 0x56, "dbl-sha2-256" },
	{ 0xb220, "blake2b-256" }, { 0xb240, "blake2b-512" }, { 0xb260, "blake2s-256" },
};

static const char *hash_name(uint64_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		if (hashes[i].code == code)
			return hashes[i].name;
	return NULL;
}

/* {"Key":"bafk...","Size":9}; the key is of the block as Kubo sees it, always a CIDv1. */
static int put_value(struct kubo_call *c, json_t *v, struct err *e)
{
	struct put_call *x = container_of(c, struct put_call, call);
	const char *text = json_string_value(json_object_get(v, "Key"));
	const uint8_t *got, *want;
	size_t n_got, n_want;
	struct cid key;

	if (!text || cid_parse(text, strlen(text), &key, NULL) < 0)
		return err_set(e, -EBADMSG, "Kubo's answer has no usable \"Key\"");
	got = cid_multihash(&key, &n_got);
	want = cid_multihash(&x->cid, &n_want);
	if (n_got != n_want || memcmp(got, want, n_got) != 0)
		return err_set(e, -EBADMSG, "the block is not that of its CID, but of %.200s",
			       text);
	c->answered = true;
	return 0;
}

static void put_done(struct kubo_call *c, int status, const struct err *e)
{
	struct put_call *x = container_of(c, struct put_call, call);

	kubo_count(c->k, status < 0 ? KUBO_BLOCKS_FAILED : KUBO_BLOCKS_PUT, 1);
	if (status == 0)
		kubo_count(c->k, KUBO_BLOCK_BYTES, c->file.n);
	x->done(x->arg, status, e);
}

static const struct kubo_call_ops put_ops = {
	.value_max = KUBO_LINE_MAX,
	.value = put_value,
	.done = put_done,
};

static void set_path(struct put_call *x, uint64_t hash, uint64_t len)
{
	char path[128];

	snprintf(path, sizeof(path), "block/put?cid-codec=%" PRIu64 "&mhtype=%s&mhlen=%" PRIu64,
		 cid_codec(&x->cid), hash_name(hash), len);
	kubo_call_path_raw(&x->call, path);
}

int kubo_block_put(struct kubo *k, const struct cid *cid, const void *data, size_t n,
		   kubo_done done, void *arg, struct kubo_call **ret_call)
{
	const uint8_t *hash;
	struct put_call *x;
	uint64_t code, len;
	size_t n_hash;
	int r, n_len;

	hash = cid_multihash(cid, &n_hash);
	r = varint_get(hash, n_hash, 1, &code);
	n_len = r < 0 ? r : varint_get(hash + r, n_hash - (size_t)r, 1, &len);
	if (n_len < 0 || !hash_name(code))
		return -EOPNOTSUPP;
	x = kubo_call_new(k, sizeof(*x), &put_ops);
	if (!x)
		return -ENOMEM;
	cid_copy(&x->cid, cid);
	x->done = done;
	x->arg = arg;
	x->call.file = (struct http_file){ n ? data : "", n };
	set_path(x, code, len);
	r = kubo_call_start(&x->call, k->cfg.ipfs_request_timeout_ms, 0, ret_call);
	if (r == 0)
		kubo_count(k, KUBO_BLOCKS_ASKED, 1);
	return r;
}
