#include "net/mdns_message.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define HEADER_BYTES 12
#define RECORD_BYTES 10 /* of a record between its name and its data */
#define RESPONSE 0x8000 /* of the flags */
#define OPCODE_AND_RCODE 0x780f
#define AUTHORITATIVE 0x0400
#define IN 1
#define TOP_BIT 0x8000 /* of a class: flush the cache, or answer by unicast */
#define POINTER 0xc0   /* of the first byte of a label */
#define TEXT_MAX 255   /* bytes of a string in a TXT record */

static const uint8_t service[] = "\x17_ipfs-cluster-discovery\x04_udp\x05local";
static const uint8_t local[] = "\x05local";

/* ---- reading ---- */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

int mdns_read(const uint8_t *p, size_t n, struct mdns_reader *ret)
{
	unsigned entries = 0;

	if (n < HEADER_BYTES || n > MDNS_MESSAGE_MAX || (get16(p + 2) & OPCODE_AND_RCODE) != 0)
		return -EBADMSG;
	*ret = (struct mdns_reader){
		.p = p, .n = n, .at = HEADER_BYTES, .response = (get16(p + 2) & RESPONSE) != 0
	};
	for (unsigned i = 0; i < MDNS_PARTS; i++) {
		ret->left[i] = get16(p + 4 + 2 * i);
		entries += ret->left[i];
	}
	return entries <= MDNS_ENTRIES_MAX ? 0 : -EBADMSG;
}

/* A length is below the letters. */
static int add_label(struct mdns_name *name, const uint8_t *p, size_t n)
{
	if (n > MDNS_NAME_MAX - 1u - name->len) /* a zero fits behind it */
		return -EBADMSG;
	for (size_t i = 0; i < n; i++)
		name->bytes[name->len++] =
		    p[i] >= 'A' && p[i] <= 'Z' ? (uint8_t)(p[i] + 'a' - 'A') : p[i];
	return 0;
}

/* The name at *@at, which is then behind it. */
static int get_name(const struct mdns_reader *r, size_t *at, struct mdns_name *ret)
{
	unsigned jumps = 0;
	size_t from = *at;

	ret->len = 0;
	for (;;) {
		uint8_t first;

		if (from >= r->n)
			return -EBADMSG;
		first = r->p[from];
		if (first <= MDNS_LABEL_MAX) {
			if (first >= r->n - from)
				return -EBADMSG;
			if (first > 0 && add_label(ret, r->p + from, 1u + first) < 0)
				return -EBADMSG;
			from += 1u + first;
			if (first > 0)
				continue;
			ret->bytes[ret->len++] = 0;
			if (jumps == 0)
				*at = from;
			return 0;
		}
		if ((first & POINTER) != POINTER || r->n - from < 2 || jumps == MDNS_JUMPS_MAX)
			return -EBADMSG;
		if (jumps++ == 0)
			*at = from + 2;
		from = get16(r->p + from) & ~(POINTER << 8);
	}
}

static int get_entry(struct mdns_reader *r, enum mdns_part part, struct mdns_entry *ret,
		     uint16_t *ret_class)
{
	size_t fixed = part == MDNS_QUESTIONS ? 4 : RECORD_BYTES;
	const uint8_t *p;

	if (get_name(r, &r->at, &ret->name) < 0 || r->n - r->at < fixed)
		return -EBADMSG;
	p = r->p + r->at;
	r->at += fixed;
	ret->part = part;
	ret->type = get16(p);
	*ret_class = get16(p + 2) & (uint16_t)~TOP_BIT;
	ret->ttl = 0;
	ret->data = NULL;
	ret->n = 0;
	if (part == MDNS_QUESTIONS)
		return 0;
	ret->ttl = get32(p + 4);
	ret->n = get16(p + 8);
	ret->data = r->p + r->at;
	if (ret->n > r->n - r->at)
		return -EBADMSG;
	r->at += ret->n;
	return 0;
}

int mdns_next(struct mdns_reader *r, struct mdns_entry *ret)
{
	for (unsigned part = 0; part < MDNS_PARTS; part++) {
		while (r->left[part] > 0) {
			uint16_t class;

			r->left[part]--;
			if (get_entry(r, part, ret, &class) < 0)
				return -EBADMSG;
			if (class == IN || (class == MDNS_ANY && part == MDNS_QUESTIONS))
				return 1;
		}
	}
	return 0;
}

int mdns_target(const struct mdns_reader *r, const struct mdns_entry *en, struct mdns_name *ret)
{
	size_t at = (size_t)(en->data - r->p), end = at + en->n;

	return get_name(r, &at, ret) == 0 && at == end ? 0 : -EBADMSG;
}

bool mdns_text(const struct mdns_entry *en, size_t *at, const char **ret, size_t *ret_n)
{
	if (*at >= en->n || en->data[*at] > en->n - *at - 1)
		return false;
	*ret_n = en->data[*at];
	*ret = (const char *)en->data + *at + 1;
	*at += 1 + *ret_n;
	return true;
}

bool mdns_is_service(const struct mdns_name *name)
{
	return name->len == sizeof(service) && memcmp(name->bytes, service, sizeof(service)) == 0;
}

bool mdns_is_instance(const struct mdns_name *name)
{
	size_t label = 1u + name->bytes[0];

	return name->len == label + sizeof(service) &&
	       memcmp(name->bytes + label, service, sizeof(service)) == 0;
}

bool mdns_is_instance_of(const struct mdns_name *name, const char *label)
{
	return mdns_is_instance(name) && name->bytes[0] == strlen(label) &&
	       memcmp(name->bytes + 1, label, name->bytes[0]) == 0;
}

/* ---- writing: there is room for all but the strings ---- */

static void put(struct buf *out, const void *p, size_t n)
{
	int r = buf_append(out, p, n);

	assert(r == 0);
}

static void put16(struct buf *out, unsigned v)
{
	uint8_t bytes[] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(out, bytes, sizeof(bytes));
}

static void put32(struct buf *out, uint32_t v)
{
	put16(out, v >> 16);
	put16(out, v & 0xffff);
}

static void set16(struct buf *out, size_t at, size_t v)
{
	out->data[at] = (uint8_t)(v >> 8);
	out->data[at + 1] = (uint8_t)v;
}

static void put_label(struct buf *out, const char *label)
{
	uint8_t n = (uint8_t)strlen(label);

	put(out, &n, 1);
	put(out, label, n);
}

static void put_pointer(struct buf *out, size_t to)
{
	put16(out, (unsigned)(POINTER << 8 | to));
}

static void put_header(struct buf *out, unsigned flags, unsigned questions, unsigned answers,
		       unsigned additional)
{
	put16(out, 0);
	put16(out, flags);
	put16(out, questions);
	put16(out, answers);
	put16(out, 0);
	put16(out, additional);
}

/* What follows a record's name; returns where the length of its data is. */
static size_t put_record(struct buf *out, enum mdns_type type, unsigned class, uint32_t ttl)
{
	put16(out, type);
	put16(out, class);
	put32(out, ttl);
	put16(out, 0);
	return out->len - 2;
}

static void end_record(struct buf *out, size_t length_at)
{
	set16(out, length_at, out->len - length_at - 2);
}

/* That the instance is one of the service, whose name is at @service_at; returns where the
 * instance's name is. */
static size_t put_ptr(struct buf *out, size_t service_at, const char *label, uint32_t ttl)
{
	size_t length_at = put_record(out, MDNS_PTR, IN, ttl), instance_at = out->len;

	put_label(out, label);
	put_pointer(out, service_at);
	end_record(out, length_at);
	return instance_at;
}

int mdns_write_question(const char *label, struct buf *out)
{
	assert(out->len == 0);
	if (buf_reserve(out, MDNS_SENT_MAX) < 0)
		return -ENOMEM;
	put_header(out, 0, 1, label ? 1 : 0, 0);
	put(out, service, sizeof(service));
	put16(out, MDNS_PTR);
	put16(out, IN);
	if (label) {
		put_pointer(out, HEADER_BYTES);
		put_ptr(out, HEADER_BYTES, label, MDNS_TTL_S);
	}
	return 0;
}

/* Its target is the name of the host, which is not compressed there; returns where that is. */
static size_t put_srv(struct buf *out, size_t instance_at, const char *label, uint32_t ttl)
{
	static const uint8_t no_order[4] = { 0 }; /* priority, weight */
	size_t length_at, host_at;

	put_pointer(out, instance_at);
	length_at = put_record(out, MDNS_SRV, IN | TOP_BIT, ttl);
	put(out, no_order, sizeof(no_order));
	put16(out, MDNS_SRV_PORT);
	host_at = out->len;
	put_label(out, label);
	put(out, local, sizeof(local));
	end_record(out, length_at);
	return host_at;
}

/* The first address of @n bytes among @v. Returns how many records that were. */
static unsigned put_host(struct buf *out, size_t host_at, const struct multiaddr *v, size_t count,
			 size_t n, uint32_t ttl)
{
	size_t length_at;
	uint8_t ip[16];

	for (size_t i = 0; i < count; i++) {
		if (multiaddr_ip(&v[i], ip) != n)
			continue;
		put_pointer(out, host_at);
		length_at = put_record(out, n == 4 ? MDNS_A : MDNS_AAAA, IN | TOP_BIT, ttl);
		put(out, ip, n);
		end_record(out, length_at);
		return 1;
	}
	return 0;
}

/* -EFBIG: there is no room. */
static int put_text(struct buf *out, const struct multiaddr *a)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	int r = buf_str(&text, MDNS_TEXT);

	if (r == 0)
		r = multiaddr_format(a, &text);
	if (r == 0 && text.len >= MDNS_SENT_MAX - out->len)
		r = -EFBIG;
	if (r == 0) {
		uint8_t n = (uint8_t)text.len;

		put(out, &n, 1);
		put(out, text.data, text.len);
	}
	buf_deinit(&text);
	return r;
}

int mdns_write_answer(const char *label, const struct multiaddr *v, size_t n, bool there,
		      struct buf *out)
{
	uint32_t ttl = there ? MDNS_TTL_S : 0, host_ttl = there ? MDNS_HOST_TTL_S : 0;
	size_t instance_at, host_at, length_at;
	unsigned additional = 2;
	int written = 0;

	assert(out->len == 0);
	if (buf_reserve(out, MDNS_SENT_MAX) < 0)
		return -ENOMEM;
	put_header(out, RESPONSE | AUTHORITATIVE, 0, 1, 0);
	put(out, service, sizeof(service));
	instance_at = put_ptr(out, HEADER_BYTES, label, ttl);
	host_at = put_srv(out, instance_at, label, ttl);
	additional += put_host(out, host_at, v, n, 4, host_ttl);
	additional += put_host(out, host_at, v, n, 16, host_ttl);
	put_pointer(out, instance_at);
	length_at = put_record(out, MDNS_TXT, IN | TOP_BIT, ttl);
	for (size_t i = 0; i < n; i++) {
		int r = put_text(out, &v[i]);

		if (r == -ENOMEM)
			return r;
		written += r == 0;
	}
	end_record(out, length_at);
	set16(out, 10, additional);
	return written;
}
