#include "store/bulk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/bulk_internal.h"
#include "store/sortkey.h"

int bulk_new(const char *folder, struct bulk **ret)
{
	struct bulk *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->records.fd = b->blocks.fd = b->keys.file.fd = -1;
	b->folder = strdup(folder);
	r = b->folder ? bulk_file_open(&b->records, folder) : -ENOMEM;
	if (r == 0)
		r = bulk_file_open(&b->blocks, folder);
	if (r == 0)
		r = sorter_open(&b->keys, folder, BULK_SORT_BYTES);
	if (r < 0) {
		bulk_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

void bulk_free(struct bulk *b)
{
	if (!b)
		return;
	bulk_file_close(&b->records);
	bulk_file_close(&b->blocks);
	sorter_close(&b->keys);
	free(b->folder);
	free(b);
}

int bulk_add(struct bulk *b, const struct bulk_pin *p)
{
	char folder[NAME_FOLDER_MAX + 1];
	struct bulk_record rec = { .head = { .priority = p->height,
					     .timestamp = p->timestamp,
					     .expire_at = p->expire_at,
					     .document_len = p->document_len,
					     .line_len = p->line_len,
					     .cid_len = p->cid->len },
				   .block = p->block,
				   .value_len = (uint32_t)p->value_len };
	uint64_t offset = b->records.size;
	struct sortkey key;
	int r;

	rec.folder_len = (uint16_t)name_folder(p->name, p->name_len, folder);
	sortkey_of_cid(p->cid->bytes, p->cid->len, &key);
	r = bulk_file_append(&b->records, &rec, sizeof(rec));
	if (r == 0)
		r = bulk_file_append(&b->records, p->cid->bytes, p->cid->len);
	if (r == 0)
		r = bulk_file_append(&b->records, p->value, p->value_len);
	if (r == 0)
		r = bulk_file_append(&b->records, folder, rec.folder_len);
	return r < 0 ? r : sorter_add(&b->keys, key.bytes, key.len, offset);
}

int bulk_add_block(struct bulk *b, const struct cid *cid, const void *data, size_t len,
		   uint64_t height)
{
	struct bulk_block h = { .height = height, .len = (uint32_t)len, .cid_len = cid->len };
	int r = bulk_file_append(&b->blocks, &h, sizeof(h));

	if (r == 0)
		r = bulk_file_append(&b->blocks, cid->bytes, cid->len);
	if (r == 0)
		r = bulk_file_append(&b->blocks, data, len);
	b->n_blocks += r == 0;
	return r;
}

int bulk_seal(struct bulk *b)
{
	int r = bulk_file_map(&b->records);

	if (r == 0)
		r = bulk_file_map(&b->blocks);
	return r < 0 ? r : sorter_seal(&b->keys);
}

void bulk_view(const struct bulk *b, uint64_t offset, struct bulk_view *ret)
{
	const uint8_t *p = b->records.map + offset;

	memcpy(&ret->rec, p, sizeof(ret->rec));
	ret->cid = p + sizeof(ret->rec);
	ret->value = ret->cid + ret->rec.head.cid_len;
	ret->folder = (const char *)ret->value + ret->rec.value_len;
}
