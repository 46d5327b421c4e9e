/* What is in backups/, and the dump that should be there. Include after cmocka.h. */
#pragma once

#include "tests/fault/peer.h"
#include "util/buf.h"

#define DUMPS_TEXT_MAX (1u << 20)

/* The dump of now; replaces what is in @out. */
void dumps_text(struct peer *p, struct buf *out);
/* Dumps with the content of @text; every other one must be of @also, where that is given. */
unsigned dumps_of(struct peer *p, const struct buf *text, const struct buf *also);
unsigned dumps_files(struct peer *p); /* files of the folder, whatever their names */
