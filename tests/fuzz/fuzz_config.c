/*
 * service.json as arbitrary bytes: whatever loads can be shown and written, and what is written
 * loads again as the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct conf_source src = { .file = CONFIG_FILE };
	struct buf text = BUF_INIT(0), shown = BUF_INIT(0);
	struct config *c = NULL, *again = NULL;
	struct err e = { 0 };

	if (config_parse(data, size, &src, &c, &e) < 0)
		return 0;
	if (config_json_public(c, &shown) < 0 || config_json(c, &text) < 0)
		abort();
	if (config_parse(text.data, text.len, &src, &again, &e) < 0)
		abort();
	if (!json_equal(c->doc, again->doc))
		abort();
	config_free(again);
	config_free(c);
	buf_deinit(&shown);
	buf_deinit(&text);
	return 0;
}
