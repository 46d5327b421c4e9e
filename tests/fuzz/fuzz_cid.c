#include <assert.h>
#include <stdint.h>

#include "types/cid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The canonical text of a CID is the only one of that CID. */
static void check_text(const struct cid *cid)
{
	char text[CID_TEXT_MAX + 1], again[CID_TEXT_MAX + 1];
	size_t n = cid_format(cid, text);
	struct cid back;

	assert(n > 0 && n == strlen(text));
	assert(cid_parse(text, n, &back, NULL) == 0);
	assert(cid_equal(cid, &back));
	assert(cid_format(&back, again) == n && memcmp(text, again, n) == 0);
}

static void check_parts(const struct cid *cid)
{
	size_t len;
	const uint8_t *hash = cid_multihash(cid, &len);

	assert(hash >= cid->bytes && hash + len == cid->bytes + cid->len);
	assert(cid_version(cid) == 1 || cid_codec(cid) == CODEC_DAG_PB);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	struct cid cid;
	int n = cid_prefix_len(data, size, &e);

	assert(n < 0 ? e.code == n : (size_t)n <= size);
	if (n > 0) {
		assert(cid_from_bytes(data, (size_t)n, &cid, NULL) == 0);
		assert(memcmp(cid.bytes, data, (size_t)n) == 0);
		check_text(&cid);
		check_parts(&cid);
	}
	if (cid_parse((const char *)data, size, &cid, &e) == 0) {
		check_text(&cid);
		check_parts(&cid);
	}
	return 0;
}
