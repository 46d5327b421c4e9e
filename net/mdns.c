#include "net/mdns.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "net/mdns_link.h"
#include "util/list.h"

#define LOG_AREA "mdns"
#include "util/log.h"

#define HOPS 255   /* of what is sent: RFC 6762, section 11 */
#define OWN_MAX 64 /* addresses of this machine that are known */

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

struct port {
	struct list item;
	struct mdns *m;
	uv_udp_t udp;
	struct sockaddr_storage group; /* with the interface, in IPv6 */
	unsigned index;                /* of the interface */
	bool seen;                     /* in the look that goes on */
	struct mdns_link link;
};

struct mdns {
	struct mdns_options opt;
	struct mdns_self self;
	struct mdns_peers peers;
	struct list ports;
	size_t n_ports;   /* in the list */
	size_t n_handles; /* that are not closed yet: of ports, and the timer */
	uv_timer_t timer;
	uint64_t look_at;
	bool refused; /* a socket, in the last look: the log has it */
	struct {
		sa_family_t family;
		uint8_t ip[16];
	} own[OWN_MAX];
	size_t n_own;
	char in[MDNS_MESSAGE_MAX]; /* what is being read */

	void (*closed)(void *arg);
	void *closed_arg;
};

static void plan(struct mdns *m);

/* ---- addresses ---- */

static size_t ip_of(const struct sockaddr *a, uint8_t ret[16])
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)a;

	memset(ret, 0, 16);
	if (a->sa_family == AF_INET6)
		memcpy(ret, &six->sin6_addr, 16);
	else
		memcpy(ret, &four->sin_addr, 4);
	return a->sa_family == AF_INET6 ? 16 : 4;
}

static uint16_t port_of(const struct sockaddr *a)
{
	return ntohs(a->sa_family == AF_INET6
			 ? ((const struct sockaddr_in6 *)(const void *)a)->sin6_port
			 : ((const struct sockaddr_in *)(const void *)a)->sin_port);
}

static bool is_own(const struct mdns *m, const struct sockaddr *a)
{
	uint8_t ip[16];

	ip_of(a, ip);
	for (size_t i = 0; i < m->n_own; i++)
		if (m->own[i].family == a->sa_family && memcmp(m->own[i].ip, ip, 16) == 0)
			return true;
	return false;
}

static void note_own(struct mdns *m, const struct sockaddr *a)
{
	if (m->n_own == OWN_MAX)
		return;
	m->own[m->n_own].family = a->sa_family;
	ip_of(a, m->own[m->n_own++].ip);
}

/* ---- one socket ---- */

static bool found(void *arg, const struct mdns_found *f)
{
	const struct mdns *m = arg;

	return m->opt.found(m->opt.arg, f);
}

static void on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *ret)
{
	struct port *p = container_of((uv_udp_t *)h, struct port, udp);

	*ret = uv_buf_init(p->m->in, sizeof(p->m->in));
}

/* Who asks from another port wants an answer of another kind, and has none. */
static void on_heard(uv_udp_t *u, ssize_t n, const uv_buf_t *b, const struct sockaddr *from,
		     unsigned flags)
{
	struct port *p = container_of(u, struct port, udp);
	struct mdns *m = p->m;
	const struct mdns_listener to = {
		.self = &m->self, .peers = &m->peers, .found = found, .arg = m
	};

	if (n <= 0 || !from || flags & UV_UDP_PARTIAL || port_of(from) != MDNS_PORT)
		return;
	if (mdns_link_hear(&p->link, &to, (const uint8_t *)b->base, (size_t)n, is_own(m, from),
			   uv_now(m->opt.loop)) == 0)
		plan(m);
}

/* What cannot be sent is lost, as on any network. */
static void send_on(struct port *p, const struct buf *message)
{
	uv_buf_t b = uv_buf_init((char *)message->data, (unsigned)message->len);

	if (message->len > 0)
		uv_udp_try_send(&p->udp, &b, 1, (const struct sockaddr *)&p->group);
}

static int set_option(uv_os_fd_t fd, int level, int name, const void *v, size_t n)
{
	return setsockopt(fd, level, name, v, (socklen_t)n) < 0 ? -errno : 0;
}

/* The group is heard on the one interface, and sent to there, whatever the routes are. */
static int join(struct port *p)
{
	const int no = 0, index = (int)p->index;
	const struct ip_mreqn face = { .imr_ifindex = index };
	struct group_req group = { .gr_interface = p->index, .gr_group = p->group };
	bool six = p->group.ss_family == AF_INET6;
	int level = six ? IPPROTO_IPV6 : IPPROTO_IP;
	uv_os_fd_t fd;
	int r = uv_fileno((uv_handle_t *)&p->udp, &fd);

	if (r == 0 && six) /* it came with Linux 4.20, and is not needed: the socket is bound */
		set_option(fd, level, IPV6_MULTICAST_ALL, &no, sizeof(no));
	else if (r == 0)
		r = set_option(fd, level, IP_MULTICAST_ALL, &no, sizeof(no));
	if (r == 0)
		r = set_option(fd, level, MCAST_JOIN_GROUP, &group, sizeof(group));
	if (r == 0 && six)
		r = set_option(fd, level, IPV6_MULTICAST_IF, &index, sizeof(index));
	else if (r == 0)
		r = set_option(fd, level, IP_MULTICAST_IF, &face, sizeof(face));
	return r == 0 ? uv_udp_set_multicast_ttl(&p->udp, HOPS) : r;
}

static int open_socket(struct port *p)
{
	unsigned flags = UV_UDP_REUSEADDR;
	int r;

	if (p->group.ss_family == AF_INET6)
		flags |= UV_UDP_IPV6ONLY;
	r = uv_udp_bind(&p->udp, (const struct sockaddr *)&p->group, flags);
	if (r == 0)
		r = join(p);
	return r == 0 ? uv_udp_recv_start(&p->udp, on_alloc, on_heard) : r;
}

static void check_closed(struct mdns *m)
{
	void (*closed)(void *) = m->closed;
	void *arg = m->closed_arg;

	if (m->n_handles > 0)
		return;
	mdns_self_deinit(&m->self);
	free(m);
	closed(arg);
}

static void on_port_closed(uv_handle_t *h)
{
	struct port *p = container_of((uv_udp_t *)h, struct port, udp);
	struct mdns *m = p->m;

	free(p);
	m->n_handles--;
	check_closed(m);
}

static void port_close(struct port *p)
{
	list_del(&p->item);
	p->m->n_ports--;
	uv_close((uv_handle_t *)&p->udp, on_port_closed);
}

static void set_group(struct port *p, sa_family_t family)
{
	if (family == AF_INET6) {
		struct sockaddr_in6 *six = (struct sockaddr_in6 *)&p->group;

		uv_ip6_addr(MDNS_GROUP6, MDNS_PORT, six);
		six->sin6_scope_id = p->index;
	} else {
		uv_ip4_addr(MDNS_GROUP4, MDNS_PORT, (struct sockaddr_in *)&p->group);
	}
}

static int port_open(struct mdns *m, unsigned index, sa_family_t family)
{
	struct port *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->m = m;
	p->index = index;
	p->seen = true;
	set_group(p, family);
	r = uv_udp_init(m->opt.loop, &p->udp);
	if (r < 0) {
		free(p);
		return r;
	}
	list_add_tail(&m->ports, &p->item);
	m->n_ports++;
	m->n_handles++;
	r = open_socket(p);
	if (r < 0)
		port_close(p);
	else
		mdns_link_init(&p->link, uv_now(m->opt.loop));
	return r;
}

/* ---- the interfaces ---- */

static struct port *port_find(const struct mdns *m, unsigned index, sa_family_t family)
{
	struct list *it;

	list_each (it, &m->ports) {
		struct port *p = container_of(it, struct port, item);

		if (p->index == index && p->group.ss_family == family)
			return p;
	}
	return NULL;
}

/* Returns whether the interface is as it is to be. */
static bool look_at_face(struct mdns *m, const struct ifaddrs *face)
{
	const unsigned usable = IFF_UP | IFF_MULTICAST;
	sa_family_t family = face->ifa_addr ? face->ifa_addr->sa_family : AF_UNSPEC;
	unsigned index;
	struct port *p;
	int r;

	if (family != AF_INET && family != AF_INET6)
		return true;
	note_own(m, face->ifa_addr);
	index = if_nametoindex(face->ifa_name);
	if ((face->ifa_flags & usable) != usable || face->ifa_flags & IFF_LOOPBACK || index == 0)
		return true;
	p = port_find(m, index, family);
	if (p) {
		p->seen = true;
		return true;
	}
	if (m->n_ports == MDNS_LINKS_MAX)
		return true;
	r = port_open(m, index, family);
	if (r < 0 && !m->refused)
		log_warn("mDNS on %s (%s): %s; peers are not found there", face->ifa_name,
			 family == AF_INET6 ? "IPv6" : "IPv4", strerror(-r));
	return r == 0;
}

static void look_at_faces(struct mdns *m)
{
	struct ifaddrs *faces;
	struct list *it, *next;
	bool refused = false;

	if (getifaddrs(&faces) < 0)
		return;
	list_each (it, &m->ports)
		container_of(it, struct port, item)->seen = false;
	m->n_own = 0;
	for (const struct ifaddrs *f = faces; f; f = f->ifa_next)
		refused |= !look_at_face(m, f);
	freeifaddrs(faces);
	m->refused = refused;
	list_each_safe (it, next, &m->ports) {
		struct port *p = container_of(it, struct port, item);

		if (!p->seen)
			port_close(p);
	}
}

/* What we announce may be something else than at the last look. */
static void look(struct mdns *m, uint64_t now)
{
	size_t n;
	const struct multiaddr *v = host_addresses(m->opt.host, &n);
	struct list *it;

	m->look_at = now + MDNS_LOOK_MS;
	look_at_faces(m);
	if (mdns_self_set(&m->self, v, n) == 1)
		list_each (it, &m->ports)
			mdns_link_announce(&container_of(it, struct port, item)->link, now);
}

/* ---- time ---- */

static void on_time(uv_timer_t *t)
{
	struct mdns *m = container_of(t, struct mdns, timer);
	uint64_t now = uv_now(m->opt.loop);
	struct list *it;

	if (now >= m->look_at)
		look(m, now);
	list_each (it, &m->ports) {
		struct port *p = container_of(it, struct port, item);

		if (mdns_link_asks(&p->link, now))
			send_on(p, &m->self.question);
		if (mdns_link_answers(&p->link, now))
			send_on(p, &m->self.answer);
	}
	plan(m);
}

static void plan(struct mdns *m)
{
	uint64_t at = m->look_at, now = uv_now(m->opt.loop);
	struct list *it;

	list_each (it, &m->ports) {
		const struct port *p = container_of(it, struct port, item);

		if (mdns_link_deadline(&p->link) < at)
			at = mdns_link_deadline(&p->link);
	}
	uv_timer_start(&m->timer, on_time, at > now ? at - now : 0, 0);
}

/* ---- life ---- */

int mdns_new(const struct mdns_options *opt, struct mdns **ret, struct err *e)
{
	struct mdns *m = calloc(1, sizeof(*m));
	int r = m ? mdns_self_init(&m->self, host_self(opt->host)) : -ENOMEM;

	if (r < 0) {
		free(m);
		return err_sys(e, r, "starting mDNS");
	}
	m->opt = *opt;
	list_init(&m->ports);
	uv_timer_init(opt->loop, &m->timer);
	m->n_handles = 1;
	look(m, uv_now(opt->loop));
	plan(m);
	*ret = m;
	return 0;
}

static void on_timer_closed(uv_handle_t *t)
{
	struct mdns *m = container_of((uv_timer_t *)t, struct mdns, timer);

	m->n_handles--;
	check_closed(m);
}

void mdns_close(struct mdns *m, void (*closed)(void *arg), void *arg)
{
	struct list *it, *next;

	m->closed = closed;
	m->closed_arg = arg;
	list_each_safe (it, next, &m->ports) {
		struct port *p = container_of(it, struct port, item);

		send_on(p, &m->self.goodbye);
		port_close(p);
	}
	uv_close((uv_handle_t *)&m->timer, on_timer_closed);
}
