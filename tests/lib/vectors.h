/*
 * Recorded vectors for unit tests: files of tests/vectors, whose folder is in PINFS_VECTORS. A
 * missing file or key fails the test. Include after cmocka.h.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/base_enc.h"
#include "util/buf.h"
#include "util/path.h"

#define VECTORS_FILE_MAX (16u << 20)

static inline void vectors_path(const char *name, char *path, size_t n)
{
	const char *dir = getenv("PINFS_VECTORS");

	assert_non_null(dir);
	assert_true(snprintf(path, n, "%s/%s", dir, name) < (int)n);
}

/* The bytes of a file, never none, and a NUL behind them. */
static inline struct buf vectors_file(const char *name)
{
	struct buf file = BUF_INIT(VECTORS_FILE_MAX);
	char path[4096];

	vectors_path(name, path, sizeof(path));
	assert_int_equal(0, path_read(path, VECTORS_FILE_MAX, &file, NULL));
	assert_true(file.len > 0);
	assert_int_equal(0, buf_terminate(&file));
	return file;
}

/* A recorded file of a configuration folder as a text; the caller frees. */
static inline char *vectors_config(const char *name)
{
	char path[64];

	assert_true(snprintf(path, sizeof(path), "config/%s", name) < (int)sizeof(path));
	return (char *)vectors_file(path).data;
}

/* A new reference. */
static inline json_t *vectors_load(const char *name)
{
	json_error_t error;
	char path[4096];
	json_t *root;

	vectors_path(name, path, sizeof(path));
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return root;
}

/* The array under @key, which may not be empty: a loop over it is to check something. */
static inline json_t *vectors_array(json_t *root, const char *key)
{
	json_t *array = json_object_get(root, key);

	if (json_array_size(array) == 0)
		fail_msg("no cases under \"%s\"", key);
	return array;
}

static inline const char *vectors_str(json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	if (!s)
		fail_msg("no text under \"%s\"", key);
	return s;
}

/* The hex text under @key as bytes; returns the count. */
static inline size_t vectors_hex(json_t *object, const char *key, uint8_t *out, size_t cap)
{
	const char *s = vectors_str(object, key);
	int n = base16_decode(s, strlen(s), out, cap);

	if (n < 0)
		fail_msg("\"%s\" under \"%s\" is not hex", s, key);
	return (size_t)n;
}
