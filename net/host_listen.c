/* Listening: who may connect from where, and what we announce of where we can be dialled. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/host_internal.h"
#include "util/container.h"

#define LOG_AREA "host"
#include "util/log.h"

#define BACKLOG 128
#define AGAIN_MS 100 /* after a connection that could not be taken */
#define RATE_MS 5000 /* one new connection of an address, on the average */
#define IP6_PREFIX 7 /* bytes of an IPv6 address that count as one address */
#define ANNOUNCED_MAX 64

/* ---- floods ---- */

/* The bytes of an address that stand for who it is; 0 of loopback, which is never limited. */
static uint8_t address_key(const struct sockaddr *a, uint8_t key[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)a;

	memset(key, 0, 16);
	if (a->sa_family == AF_INET) {
		memcpy(key, &four->sin_addr, 4);
	} else if (memcmp(six->sin6_addr.s6_addr, mapped, sizeof(mapped)) == 0) {
		memcpy(key, six->sin6_addr.s6_addr + 12, 4);
	} else {
		memcpy(key, six->sin6_addr.s6_addr, IP6_PREFIX);
		return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ? 0 : IP6_PREFIX;
	}
	return key[0] == 127 ? 0 : 4;
}

static size_t count_from(const struct host *h, const uint8_t key[16], uint8_t n)
{
	uint8_t other[16];
	struct list *it;
	size_t count = 0;

	list_each (it, &h->links) {
		const struct link *l = container_of(it, struct link, item);

		count += !conn_is_dialer(l->conn) &&
			 address_key(conn_remote(l->conn), other) == n &&
			 memcmp(key, other, n) == 0;
	}
	return count;
}

/* The record of an address, in place of the one that is longest unused. */
static struct recent *recent_of(struct host *h, const uint8_t key[16], uint8_t n)
{
	struct recent *oldest = &h->recent[0];

	for (size_t i = 0; i < HOST_RECENT_MAX; i++) {
		struct recent *r = &h->recent[i];

		if (r->n == n && memcmp(r->ip, key, n) == 0)
			return r;
		if (r->at < oldest->at)
			oldest = r;
	}
	memcpy(oldest->ip, key, 16);
	oldest->n = n;
	oldest->tokens_ms = HOST_PER_ADDRESS_BURST * RATE_MS;
	oldest->at = host_now(h);
	return oldest;
}

static bool too_fast(struct host *h, const uint8_t key[16], uint8_t n)
{
	struct recent *r = recent_of(h, key, n);
	uint64_t now = host_now(h), tokens = r->tokens_ms + (now - r->at);

	r->at = now;
	if (tokens > HOST_PER_ADDRESS_BURST * RATE_MS)
		tokens = HOST_PER_ADDRESS_BURST * RATE_MS;
	r->tokens_ms = (uint32_t)tokens;
	if (tokens < RATE_MS)
		return true;
	r->tokens_ms -= RATE_MS;
	return false;
}

static bool welcome(struct host *h, const struct conn *c)
{
	uint8_t key[16], n = address_key(conn_remote(c), key);

	if (h->closing || h->n_links >= HOST_CONNECTIONS_MAX ||
	    h->n_upgrading >= HOST_UPGRADING_MAX)
		return false;
	return n == 0 || (count_from(h, key, n) < HOST_PER_ADDRESS_MAX && !too_fast(h, key, n));
}

/* ---- accepting ---- */

static void take(struct listener *li)
{
	struct host *h = li->host;
	struct err e = { 0 };
	struct conn *c;
	struct link *l;
	int r = conn_accept(&h->ctx, (uv_stream_t *)&li->tcp, &c, &e);

	if (r < 0) {
		li->again = r != -EAGAIN;
		if (li->again)
			host_wake(h, host_now(h) + AGAIN_MS);
		return;
	}
	li->again = false;
	if (!welcome(h, c) || link_make(h, c, &l) < 0) {
		h->counts.refused++;
		conn_close(c);
		return;
	}
	h->counts.accepted++;
	h->n_upgrading++;
}

static void on_connection(uv_stream_t *s, int status)
{
	if (status == 0)
		take(container_of((uv_tcp_t *)s, struct listener, tcp));
}

void listen_tick(struct host *h, uint64_t now)
{
	for (size_t i = 0; i < h->n_listeners; i++)
		if (h->listeners[i]->again)
			take(h->listeners[i]);
}

/* ---- listening ---- */

static void on_listener_closed(uv_handle_t *t)
{
	struct listener *li = container_of((uv_tcp_t *)t, struct listener, tcp);
	struct host *h = li->host;

	free(li);
	h->open_handles--;
	host_check_closed(h);
}

static int sockaddr_of(const struct multiaddr *a, struct sockaddr_storage *ret)
{
	char ip[64];
	uint16_t port;

	if (!multiaddr_is_plain_tcp(a) || multiaddr_tcp(a, ip, sizeof(ip), &port, NULL) < 0)
		return -EAFNOSUPPORT;
	if (uv_ip4_addr(ip, port, (struct sockaddr_in *)ret) == 0 ||
	    uv_ip6_addr(ip, port, (struct sockaddr_in6 *)ret) == 0)
		return 0;
	return -EAFNOSUPPORT;
}

static void multiaddr_of(const struct sockaddr *a, struct multiaddr *ret)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)a;

	if (a->sa_family == AF_INET6)
		multiaddr_from_tcp(six->sin6_addr.s6_addr, 16, ntohs(six->sin6_port), ret);
	else
		multiaddr_from_tcp((const uint8_t *)&four->sin_addr, 4, ntohs(four->sin_port), ret);
}

static int listen_on(struct host *h, const struct sockaddr_storage *at)
{
	struct listener *li = calloc(1, sizeof(*li));
	struct sockaddr_storage real = { 0 };
	int r, len = sizeof(real);

	if (!li)
		return -ENOMEM;
	li->host = h;
	r = uv_tcp_init(h->opt.loop, &li->tcp);
	if (r < 0) {
		free(li);
		return r;
	}
	h->open_handles++;
	r = uv_tcp_bind(&li->tcp, (const struct sockaddr *)at,
			at->ss_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);
	if (r == 0)
		r = uv_listen((uv_stream_t *)&li->tcp, BACKLOG, on_connection);
	if (r == 0)
		r = uv_tcp_getsockname(&li->tcp, (struct sockaddr *)&real, &len);
	if (r < 0) {
		uv_close((uv_handle_t *)&li->tcp, on_listener_closed);
		return r;
	}
	multiaddr_of((const struct sockaddr *)&real, &li->at);
	h->listeners[h->n_listeners++] = li;
	return 0;
}

static const char *text_of(const struct multiaddr *a, struct buf *text)
{
	buf_reset(text);
	return multiaddr_format(a, text) == 0 && buf_terminate(text) == 0 ? (const char *)text->data
									  : "?";
}

int listen_start(struct host *h, struct err *e)
{
	struct buf text = BUF_INIT(0);
	int r = 0, last = 0;

	for (size_t i = 0; i < h->opt.n_listen && h->n_listeners < HOST_LISTENERS_MAX; i++) {
		const struct multiaddr *a = &h->opt.listen[i];
		struct sockaddr_storage at = { 0 };

		r = sockaddr_of(a, &at);
		if (r == -EAFNOSUPPORT) {
			log_dbg("%s is not listened on: it is not of TCP", text_of(a, &text));
			continue;
		}
		r = listen_on(h, &at);
		if (r < 0) {
			last = err_sys(e, r, "listening on %s", text_of(a, &text));
			log_warn("listening on %s: %s", text_of(a, &text), strerror(-r));
		}
	}
	buf_deinit(&text);
	return h->n_listeners > 0 ? 0 : last;
}

void listen_close(struct host *h)
{
	for (size_t i = 0; i < h->n_listeners; i++)
		uv_close((uv_handle_t *)&h->listeners[i]->tcp, on_listener_closed);
	h->n_listeners = 0;
}

/* ---- announcing ---- */

struct announced {
	struct multiaddr v[ANNOUNCED_MAX];
	size_t n;
};

static bool withheld(const struct host *h, const struct multiaddr *a)
{
	for (size_t i = 0; i < h->opt.n_no_announce; i++) {
		const struct multiaddr *no = &h->opt.no_announce[i];

		if ((no->len == a->len && memcmp(no->bytes, a->bytes, a->len) == 0) ||
		    multiaddr_in_network(a, no))
			return true;
	}
	return false;
}

static void announce(const struct host *h, struct announced *out, const struct multiaddr *a)
{
	if (out->n == ANNOUNCED_MAX || withheld(h, a))
		return;
	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].len == a->len && memcmp(out->v[i].bytes, a->bytes, a->len) == 0)
			return;
	out->v[out->n++] = *a;
}

static bool is_any(const struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;
	const struct sockaddr_in *four = (const struct sockaddr_in *)a;

	return a->ss_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr)
					: four->sin_addr.s_addr == INADDR_ANY;
}

/* Every address of this machine's interfaces in place of "any"; link-local ones are nobody's. */
static void announce_any(const struct host *h, struct announced *out,
			 const struct sockaddr_storage *any, bool loopback)
{
	uv_interface_address_t *faces;
	struct sockaddr_storage at;
	struct multiaddr a;
	int n;

	if (uv_interface_addresses(&faces, &n) < 0)
		return;
	for (int i = 0; i < n; i++) {
		const struct sockaddr *own = (const struct sockaddr *)&faces[i].address;

		if ((faces[i].is_internal != 0) != loopback || own->sa_family != any->ss_family)
			continue;
		memset(&at, 0, sizeof(at));
		if (own->sa_family == AF_INET6) {
			struct sockaddr_in6 *six = (struct sockaddr_in6 *)&at;

			*six = faces[i].address.address6;
			six->sin6_port = ((const struct sockaddr_in6 *)any)->sin6_port;
			if (IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr))
				continue;
		} else {
			struct sockaddr_in *four = (struct sockaddr_in *)&at;

			*four = faces[i].address.address4;
			four->sin_port = ((const struct sockaddr_in *)any)->sin_port;
		}
		multiaddr_of((const struct sockaddr *)&at, &a);
		announce(h, out, &a);
	}
	uv_free_interface_addresses(faces, n);
}

static void announce_listeners(const struct host *h, struct announced *out, bool loopback)
{
	uint8_t key[16];

	for (size_t i = 0; i < h->n_listeners; i++) {
		const struct multiaddr *a = &h->listeners[i]->at;
		struct sockaddr_storage at = { 0 };

		if (sockaddr_of(a, &at) < 0)
			continue;
		if (is_any(&at))
			announce_any(h, out, &at, loopback);
		else if ((address_key((const struct sockaddr *)&at, key) == 0) == loopback)
			announce(h, out, a);
	}
}

bool listen_look(struct host *h)
{
	struct announced *now = calloc(1, sizeof(*now));
	struct multiaddr *v;
	bool same;

	if (!now)
		return false;
	for (size_t i = 0; i < h->opt.n_announce; i++)
		announce(h, now, &h->opt.announce[i]);
	if (h->opt.n_announce == 0) {
		announce_listeners(h, now, false);
		announce_listeners(h, now, true);
	}
	same = now->n == h->n_addresses;
	for (size_t i = 0; same && i < now->n; i++)
		same = now->v[i].len == h->addresses[i].len &&
		       memcmp(now->v[i].bytes, h->addresses[i].bytes, now->v[i].len) == 0;
	v = same ? NULL : malloc((now->n + 1) * sizeof(*v));
	if (v) {
		memcpy(v, now->v, now->n * sizeof(*v));
		free(h->addresses);
		h->addresses = v;
		h->n_addresses = now->n;
	}
	free(now);
	return v != NULL;
}
