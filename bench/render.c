/*
 * bench-render FOLDER [ROUNDS]: renders the dump of the store in FOLDER, which nobody has open,
 * as reads of state/export do, and prints the CPU seconds of the fastest round. To be run under
 * valgrind --tool=callgrind --toggle-collect=export_read too, which counts instructions.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "store/export.h"

#define READ_BYTES (1u << 20)   /* as the kernel asks */
#define MAP_BYTES (16ull << 30) /* valgrind has no room for more */

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int render(struct store *s, void *out)
{
	struct export *x = NULL;
	struct store_txn *t;
	uint64_t at = 0;
	ssize_t n = 0;
	int r = store_read(s, &t);

	if (r < 0)
		return r;
	r = export_new(t, &x);
	while (r == 0 && (n = export_read(x, at, out, READ_BYTES)) > 0)
		at += (uint64_t)n;
	export_free(x);
	store_read_end(t);
	return r < 0 ? r : (int)n;
}

static int measure(struct store *s, int rounds)
{
	double best = 0;
	char *out = malloc(READ_BYTES);
	int r = out ? 0 : -ENOMEM;

	for (int i = 0; r == 0 && i < rounds; i++) {
		double begin = cpu_seconds(), took;

		r = render(s, out);
		took = cpu_seconds() - begin;
		if (i == 0 || took < best)
			best = took;
	}
	free(out);
	if (r < 0)
		fprintf(stderr, "bench-render: %s\n", strerror(-r));
	else
		printf("%.3f\n", best);
	return r < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct store_options opt = { .map_size = MAP_BYTES, .max_readers = 8 };
	struct err e = { 0 };
	struct store *s;
	struct mbox mbox;
	uv_loop_t loop;
	int r;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: bench-render FOLDER [ROUNDS]\n");
		return 2;
	}
	opt.folder = argv[1];
	if (uv_loop_init(&loop) < 0 || mbox_init(&mbox, &loop) < 0 ||
	    store_open(&opt, &mbox, &s, &e) < 0) {
		fprintf(stderr, "bench-render: %s\n", e.msg);
		return 1;
	}
	r = measure(s, argc == 3 ? atoi(argv[2]) : 1);
	store_close(s);
	mbox_close(&mbox);
	mbox_drain(&mbox);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return r;
}
