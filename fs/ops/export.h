/* The open dumps, watched so that none holds on to old pages of the store for long. */
#pragma once

#include <uv.h>

struct export_set;

/* Loop's thread; _new and _free on any, _free after the loop has closed the timer. Files are made
 * in
 * @folder. */
struct export_set *export_set_new(const char *folder);
void export_set_start(struct export_set *set, uv_loop_t *loop);
void export_set_stop(struct export_set *set);
void export_set_free(struct export_set *set);
