/*
 * A pin's name as the name of a folder in by-name/: percent-encoded, at most NAME_FOLDER_MAX bytes.
 * Pure.
 */
#pragma once

#include <stddef.h>

#define NAME_FOLDER_MAX 240
#define NAME_UNNAMED "_unnamed" /* stands for the empty name */

/* '/', '%', control bytes, a leading '.' and a name equal to NAME_UNNAMED are encoded; what gets
 * longer than the limit is cut and ends in '~' and 16 hex digits of the name's hash. Always
 * terminated; returns the length. */
size_t name_folder(const char *name, size_t n, char out[NAME_FOLDER_MAX + 1]);
/* The same cut for any file name that is too long (@name is taken as it is). */
size_t name_cut(const char *name, size_t n, char out[NAME_FOLDER_MAX + 1]);
