/*
 * A scratch folder per test, below the working directory. Include after cmocka.h.
 */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/path.h"

/* *state becomes the folder's name. */
static inline int folder_make(void **state)
{
	char *name = strdup("config-XXXXXX");

	*state = name ? mkdtemp(name) : NULL;
	return *state ? 0 : -1;
}

static inline void folder_empty(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char *path;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		path = path_join(folder, d->d_name);
		if (unlink(path) < 0) {
			folder_empty(path);
			rmdir(path);
		}
		free(path);
	}
	if (dir)
		closedir(dir);
}

static inline void folder_delete(const char *folder)
{
	folder_empty(folder);
	rmdir(folder);
}

static inline int folder_remove(void **state)
{
	folder_delete(*state);
	free(*state);
	return 0;
}

static inline void folder_put(const char *folder, const char *name, const char *text)
{
	char *path = path_join(folder, name);

	assert_int_equal(path_write_atomic(path, text, strlen(text), 0644, NULL), 0);
	free(path);
}

/* The file as a string; the caller frees. */
static inline char *folder_get(const char *folder, const char *name)
{
	struct buf text = BUF_INIT(1 << 20);
	char *path = path_join(folder, name);

	assert_int_equal(path_read(path, 1 << 20, &text, NULL), 0);
	assert_int_equal(buf_terminate(&text), 0);
	free(path);
	return (char *)text.data;
}

static inline bool folder_has(const char *folder, const char *name)
{
	char *path = path_join(folder, name);
	struct stat st;
	bool r = lstat(path, &st) == 0;

	free(path);
	return r;
}

static inline mode_t folder_mode(const char *folder, const char *name)
{
	char *path = path_join(folder, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	free(path);
	return st.st_mode & 07777;
}
