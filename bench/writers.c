/*
 * bench-writers THREADS FIRST COUNT TARGET: pins COUNT CIDs beginning with number FIRST from
 * THREADS threads, and prints the seconds that took. Each thread waits for one pin before it begins
 * the next. TARGET is a folder (create, write, close of <CID>.json) or http:ADDRESS:PORT, the REST
 * API of ipfs-cluster-service (POST /pins/<CID>, one connection per thread).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/cids.h"
#include "bench/rest.h"

struct writer {
	pthread_t thread;
	uint64_t first, count;
	const char *target;
	int fd; /* the folder, or the connection */
	int status;
};

/* ---- files ---- */

static int pin_file(struct writer *w, const char *cid)
{
	char name[BENCH_CID_LEN + 8];
	int fd, r = 0;

	snprintf(name, sizeof(name), "%s.json", cid);
	fd = openat(w->fd, name, O_CREAT | O_WRONLY, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, "{}", 2) != 2)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

/* ---- HTTP ---- */

static int pin_http(struct writer *w, const char *cid)
{
	char path[BENCH_CID_LEN + 8];
	int r;

	snprintf(path, sizeof(path), "/pins/%s", cid);
	r = rest_call(w->fd, "POST", path);
	return r < 0 ? r : r / 100 == 2 ? 0 : -EPROTO;
}

/* ---- threads ---- */

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	char cid[BENCH_CID_LEN + 1];

	for (uint64_t i = 0; i < w->count && w->status == 0; i++) {
		bench_cid(w->first + i, cid);
		w->status = rest_is(w->target) ? pin_http(w, cid) : pin_file(w, cid);
	}
	return NULL;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run(struct writer *writers, uint64_t n)
{
	int status = 0;

	for (uint64_t i = 0; i < n; i++)
		if (pthread_create(&writers[i].thread, NULL, writer_main, &writers[i]) != 0)
			return -EAGAIN;
	for (uint64_t i = 0; i < n; i++) {
		pthread_join(writers[i].thread, NULL);
		status = writers[i].status < 0 ? writers[i].status : status;
	}
	return status;
}

int main(int argc, char **argv)
{
	uint64_t n = argc == 5 ? strtoull(argv[1], NULL, 10) : 0;
	uint64_t first = n ? strtoull(argv[2], NULL, 10) : 0;
	uint64_t count = n ? strtoull(argv[3], NULL, 10) / n : 0;
	struct writer *writers = calloc(n + 1, sizeof(*writers));
	double begin;
	int status;

	if (n == 0 || !writers) {
		fprintf(stderr,
			"usage: bench-writers THREADS FIRST COUNT FOLDER|http:ADDRESS:PORT\n");
		return 2;
	}
	for (uint64_t i = 0; i < n; i++) {
		struct writer *w = &writers[i];

		*w = (struct writer){ .first = first + i * count,
				      .count = count,
				      .target = argv[4] };
		w->fd = rest_is(w->target) ? rest_connect(w->target)
					   : open(w->target, O_DIRECTORY | O_RDONLY);
		if (w->fd < 0) {
			fprintf(stderr, "bench-writers: %s\n", strerror(errno));
			return 1;
		}
	}
	begin = seconds_now();
	status = run(writers, n);
	if (status < 0) {
		fprintf(stderr, "bench-writers: %s\n", strerror(-status));
		return 1;
	}
	printf("%.6f\n", seconds_now() - begin);
	free(writers);
	return 0;
}
