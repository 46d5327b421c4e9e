/*
 * bench-writers THREADS FIRST COUNT TARGET: pins COUNT CIDs beginning with number FIRST from
 * THREADS threads, and prints the seconds that took. Each thread waits for one pin before it begins
 * the next. TARGET is a folder (create, write, close of <CID>.json) or http:PORT, the REST API of
 * ipfs-cluster-service on loopback (POST /pins/<CID>, one connection per thread).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/cids.h"

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

static int http_connect(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(port)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	return fd;
}

/* The answer is whole: by its length, or by the last chunk. */
static int http_ended(const char *answer, size_t n)
{
	const char *body = strstr(answer, "\r\n\r\n"), *len;

	if (!body)
		return 0;
	body += 4;
	len = strcasestr(answer, "\r\ncontent-length:");
	if (len && len < body)
		return n - (size_t)(body - answer) >= strtoul(len + 17, NULL, 10);
	return n >= 5 && strcmp(answer + n - 5, "0\r\n\r\n") == 0;
}

static int pin_http(struct writer *w, const char *cid)
{
	char text[16384];
	size_t have = 0;
	int n =
	    snprintf(text, sizeof(text),
		     "POST /pins/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", cid);

	if (write(w->fd, text, (size_t)n) != n)
		return -EPIPE;
	text[0] = '\0';
	while (!http_ended(text, have)) {
		ssize_t got = read(w->fd, text + have, sizeof(text) - 1 - have);

		if (got <= 0)
			return -EPIPE;
		have += (size_t)got;
		text[have] = '\0';
	}
	return strncmp(text, "HTTP/1.1 2", 10) == 0 ? 0 : -EPROTO;
}

/* ---- threads ---- */

static int is_http(const struct writer *w)
{
	return strncmp(w->target, "http:", 5) == 0;
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	char cid[BENCH_CID_LEN + 1];

	for (uint64_t i = 0; i < w->count && w->status == 0; i++) {
		bench_cid(w->first + i, cid);
		w->status = is_http(w) ? pin_http(w, cid) : pin_file(w, cid);
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
		fprintf(stderr, "usage: bench-writers THREADS FIRST COUNT FOLDER|http:PORT\n");
		return 2;
	}
	for (uint64_t i = 0; i < n; i++) {
		struct writer *w = &writers[i];

		*w = (struct writer){ .first = first + i * count,
				      .count = count,
				      .target = argv[4] };
		w->fd = is_http(w) ? http_connect(w->target + 5)
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
