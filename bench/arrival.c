/*
 * bench-arrival FIRST COUNT FROM TO...: how long a pin on one peer takes to be there on others.
 *
 * Pins CIDs beginning with number FIRST at FROM, http:ADDRESS:PORT, COUNT for each TO. These take
 * turns, and the next is pinned when the one before has arrived. A TO is a folder, where <CID>.json
 * is to appear, or http:ADDRESS:PORT. Prints the median of each in ms, from before the request.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/cids.h"
#include "bench/rest.h"

#define LOOK_NS (200 * 1000) /* between two looks at TO */
#define PATIENCE_MS 60000.0
#define TO_MAX 8

struct peer {
	const char *target;
	int fd;
	double *ms; /* what was measured there */
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int join(struct peer *p, const char *target, size_t count)
{
	p->target = target;
	p->ms = calloc(count, sizeof(*p->ms));
	if (!p->ms)
		return -ENOMEM;
	p->fd = rest_is(target) ? rest_connect(target) : open(target, O_DIRECTORY | O_RDONLY);
	if (p->fd == -1)
		p->fd = -errno;
	return p->fd < 0 ? p->fd : 0;
}

static int pin(const struct peer *p, const char *cid)
{
	char path[BENCH_CID_LEN + 8];
	int r;

	snprintf(path, sizeof(path), "/pins/%s", cid);
	r = rest_call(p->fd, "POST", path);
	return r < 0 ? r : r / 100 == 2 ? 0 : -EPROTO;
}

/* 1, 0 or -errno. */
static int has(const struct peer *p, const char *cid)
{
	char path[BENCH_CID_LEN + 16];
	int r;

	if (rest_is(p->target)) {
		snprintf(path, sizeof(path), "/allocations/%s", cid);
		r = rest_call(p->fd, "GET", path);
		return r < 0 ? r : r == 200;
	}
	snprintf(path, sizeof(path), "%s.json", cid);
	if (faccessat(p->fd, path, F_OK, 0) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

static int measure(const struct peer *from, const struct peer *to, uint64_t number, double *ret_ms)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	char cid[BENCH_CID_LEN + 1];
	double begin = now_ms();
	int r;

	bench_cid(number, cid);
	r = pin(from, cid);
	if (r < 0)
		return r;
	while ((r = has(to, cid)) == 0) {
		if (now_ms() - begin > PATIENCE_MS)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	*ret_ms = now_ms() - begin;
	return r < 0 ? r : 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_medians(struct peer *to, size_t n, size_t count)
{
	for (size_t i = 0; i < n; i++) {
		qsort(to[i].ms, count, sizeof(*to[i].ms), by_value);
		printf("%.3f%c", to[i].ms[count / 2], i + 1 < n ? ' ' : '\n');
	}
}

int main(int argc, char **argv)
{
	uint64_t number = argc > 4 ? strtoull(argv[1], NULL, 10) : 0;
	size_t count = argc > 4 ? strtoull(argv[2], NULL, 10) : 0, n = count ? (size_t)argc - 4 : 0;
	struct peer from, to[TO_MAX];
	int r;

	if (n == 0 || n > TO_MAX) {
		fprintf(stderr, "usage: bench-arrival FIRST COUNT http:ADDRESS:PORT "
				"FOLDER|http:ADDRESS:PORT...\n");
		return 2;
	}
	r = join(&from, argv[3], count);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = join(&to[i], argv[4 + i], count);
	for (size_t i = 0; r == 0 && i < n * count; i++)
		r = measure(&from, &to[i % n], number++, &to[i % n].ms[i / n]);
	if (r < 0) {
		fprintf(stderr, "bench-arrival: %s\n", strerror(-r));
		return 1;
	}
	print_medians(to, n, count);
	return 0;
}
