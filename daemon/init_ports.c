#include "daemon/init_ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A free port of @ip, which stays bound until init_ports_close. */
static int find_port(struct init_ports *p, const char *ip, bool udp)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd, r;

	if (p->n == INIT_PORTS_MAX)
		return -EMFILE;
	if (inet_pton(AF_INET, ip, &at.sin_addr) != 1)
		return -EINVAL;
	fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	p->fds[p->n++] = fd;
	r = bind(fd, (struct sockaddr *)&at, sizeof(at));
	if (r == 0)
		r = getsockname(fd, (struct sockaddr *)&at, &len);
	return r < 0 ? -errno : ntohs(at.sin_port);
}

static int replace_one(struct init_ports *p, const char *address, json_t **ret, struct err *e)
{
	char ip[16], transport[4];
	unsigned old;
	int rest, port;

	if (sscanf(address, "/ip4/%15[0-9.]/%3[a-z]/%5u%n", ip, transport, &old, &rest) != 3)
		return err_set(e, -EINVAL, "%s: not an address with a port", address);
	port = find_port(p, ip, strcmp(transport, "udp") == 0);
	if (port < 0)
		return err_sys(e, port, "looking for a free port on %s", ip);
	*ret = json_sprintf("/ip4/%s/%s/%d%s", ip, transport, port, address + rest);
	return *ret ? 0 : err_sys(e, -ENOMEM, "%s", address);
}

int init_ports_replace(struct init_ports *p, const json_t *addresses, json_t **ret, struct err *e)
{
	json_t *list;
	int r = 0;

	if (json_is_string(addresses))
		return replace_one(p, json_string_value(addresses), ret, e);
	list = json_array();
	if (!list)
		return err_sys(e, -ENOMEM, "addresses");
	for (size_t i = 0; r == 0 && i < json_array_size(addresses); i++) {
		json_t *other;

		r = replace_one(p, json_string_value(json_array_get(addresses, i)), &other, e);
		if (r == 0 && json_array_append_new(list, other) < 0)
			r = err_sys(e, -ENOMEM, "addresses");
	}
	if (r < 0)
		json_decref(list);
	else
		*ret = list;
	return r;
}

void init_ports_close(struct init_ports *p)
{
	while (p->n > 0)
		close(p->fds[--p->n]);
}
