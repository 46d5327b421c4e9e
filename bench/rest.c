#include "bench/rest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool rest_is(const char *target)
{
	return strncmp(target, "http:", 5) == 0;
}

static int parse(const char *target, struct sockaddr_in *ret)
{
	char address[INET_ADDRSTRLEN];
	unsigned short port;

	if (sscanf(target, "http:%15[0-9.]:%hu", address, &port) != 2)
		return -EINVAL;
	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	return inet_pton(AF_INET, address, &ret->sin_addr) == 1 ? 0 : -EINVAL;
}

int rest_connect(const char *target)
{
	struct sockaddr_in at;
	int r = parse(target, &at), one = 1, fd;

	if (r < 0)
		return r;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

/* The answer is whole: by its length, or by the last chunk. */
static bool ended(const char *answer, size_t n)
{
	const char *body = strstr(answer, "\r\n\r\n"), *len;

	if (!body)
		return false;
	body += 4;
	len = strcasestr(answer, "\r\ncontent-length:");
	if (len && len < body)
		return n - (size_t)(body - answer) >= strtoul(len + 17, NULL, 10);
	return n >= 5 && strcmp(answer + n - 5, "0\r\n\r\n") == 0;
}

int rest_call(int fd, const char *method, const char *path)
{
	char text[16384];
	size_t have = 0;
	int n = snprintf(text, sizeof(text),
			 "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", method,
			 path),
	    status;

	if (write(fd, text, (size_t)n) != n)
		return -EPIPE;
	text[0] = '\0';
	while (!ended(text, have)) {
		ssize_t got = read(fd, text + have, sizeof(text) - 1 - have);

		if (got <= 0)
			return -EPIPE;
		have += (size_t)got;
		text[have] = '\0';
	}
	return sscanf(text, "HTTP/1.1 %d", &status) == 1 ? status : -EPROTO;
}
