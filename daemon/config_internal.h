/*
 * What config*.c and init.c share. Private to the two.
 */
#pragma once

#include <jansson.h>

#include "types/identity.h"
#include "util/buf.h"
#include "util/err.h"

/* Puts @section (borrowed) at "group.name" or "name". -ENOMEM. */
int config_doc_put(json_t *doc, const char *path, json_t *section);
/* Gives a normalized section cluster the host's name where it has none. */
int config_doc_peername(json_t *cluster);
/* Appends @doc as the reference writes it, without final newline. */
int config_doc_text(const json_t *doc, struct buf *out);

/* identity.json with CLUSTER_ID and CLUSTER_PRIVATEKEY on top; where the file is missing, the
 * variables alone, or the keys id and private_key of section @cluster (may be NULL), where the
 * reference kept them before 0.11. */
int config_identity_load(const char *folder, json_t *cluster, struct identity *ret, struct err *e);
