/* The optional first object of a dump, {"import":{...}}. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/dump.h"

/* True when the first key of the object is "import". */
bool dump_options_here(const char *text, size_t n);
/* Sets @ret, which is empty; on failure too dump_options_clear is the caller's. -EINVAL names the
 * place, where the text begins at @pos of the dump. */
int dump_options_parse(const char *text, size_t n, const struct dump_pos *pos,
		       struct dump_options *ret, struct err *e);
void dump_options_clear(struct dump_options *o);
