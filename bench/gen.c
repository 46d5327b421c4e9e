/*
 * bench-gen N: a dump of N pins on standard output, in the order in which dumps are.
 * bench-gen N FOLDER: N files of a pin's size in FOLDER, for comparisons.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cids.h"

struct line {
	char cid[BENCH_CID_LEN + 1];
	uint64_t n;
};

static int fail(const char *what)
{
	fprintf(stderr, "bench-gen: %s: %s\n", what, strerror(errno));
	return 1;
}

/* By the base32 of the datastore's keys, in which digits come before letters. */
static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->cid, ((const struct line *)b)->cid);
}

static int write_dump(uint64_t n)
{
	struct line *lines = calloc(n + 1, sizeof(*lines));

	if (!lines)
		return fail("the dump");
	for (uint64_t i = 0; i < n; i++) {
		lines[i].n = i;
		bench_cid(i, lines[i].cid);
	}
	qsort(lines, n, sizeof(*lines), by_key);
	for (uint64_t i = 0; i < n; i++)
		printf("{\"replication_factor_min\":-1,\"replication_factor_max\":-1,"
		       "\"name\":\"pin %llu\",\"mode\":\"recursive\",\"shard_size\":0,"
		       "\"user_allocations\":null,\"expire_at\":\"0001-01-01T00:00:00Z\","
		       "\"metadata\":null,\"pin_update\":null,\"origins\":[],\"cid\":\"%s\","
		       "\"type\":\"pin\",\"allocations\":[],\"max_depth\":-1,\"reference\":null,"
		       "\"timestamp\":\"2026-01-02T03:04:05Z\"}\n",
		       (unsigned long long)lines[i].n, lines[i].cid);
	free(lines);
	return fflush(stdout) == 0 ? 0 : fail("the dump");
}

static int write_files(uint64_t n, const char *folder)
{
	char name[BENCH_CID_LEN + 8], text[512];
	int dir = open(folder, O_DIRECTORY | O_PATH);

	if (dir < 0)
		return fail(folder);
	memset(text, ' ', sizeof(text));
	for (uint64_t i = 0; i < n; i++) {
		int fd;

		bench_cid(i, name);
		strcat(name, ".json");
		fd = openat(dir, name, O_CREAT | O_WRONLY, 0644);
		if (fd < 0 || write(fd, text, sizeof(text)) < 0)
			return fail(name);
		close(fd);
	}
	close(dir);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return write_dump(strtoull(argv[1], NULL, 10));
	if (argc == 3)
		return write_files(strtoull(argv[1], NULL, 10), argv[2]);
	fprintf(stderr, "usage: bench-gen N [FOLDER]\n");
	return 2;
}
