#include "net/identify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "identify.pb-c.h"
#include "types/pb_memory.h"

/* The library takes bytes to be written as not const. */
static ProtobufCBinaryData binary(const struct identify_bytes *b)
{
	union {
		const uint8_t *in;
		uint8_t *out;
	} u = { .in = b->p };

	return (ProtobufCBinaryData){ .len = b->n, .data = u.out };
}

static void fill(const struct identify *id, ProtobufCBinaryData *items, Libp2p__Identify *m)
{
	m->has_public_key = id->public_key.p != NULL;
	m->public_key = binary(&id->public_key);
	m->has_observed_addr = id->observed.p != NULL;
	m->observed_addr = binary(&id->observed);
	m->has_protocol_version = id->protocol_version.p != NULL;
	m->protocol_version = binary(&id->protocol_version);
	m->has_agent_version = id->agent.p != NULL;
	m->agent_version = binary(&id->agent);
	m->listen_addrs = items;
	m->n_listen_addrs = id->n_addrs;
	for (size_t i = 0; i < id->n_addrs; i++)
		*items++ = binary(&id->addrs[i]);
	m->protocols = items;
	m->n_protocols = id->n_protocols;
	for (size_t i = 0; i < id->n_protocols; i++)
		*items++ = binary(&id->protocols[i]);
}

int identify_write(const struct identify *id, struct buf *out)
{
	Libp2p__Identify m = LIBP2P__IDENTIFY__INIT;
	uint8_t bytes[IDENTIFY_OURS_MAX];
	ProtobufCBinaryData *items;
	int r = -EFBIG;

	items = calloc(id->n_addrs + id->n_protocols + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	fill(id, items, &m);
	if (libp2p__identify__get_packed_size(&m) <= sizeof(bytes))
		r = frame_write(bytes, libp2p__identify__pack(&m, bytes), out);
	free(items);
	return r;
}

bool identify_speaks(const struct identify *id, const char *protocol)
{
	size_t n = strlen(protocol);

	for (size_t i = 0; i < id->n_protocols; i++)
		if (id->protocols[i].n == n && memcmp(id->protocols[i].p, protocol, n) == 0)
			return true;
	return false;
}

void identify_clear(struct identify *id)
{
	free(id->memory);
	*id = (struct identify){ 0 };
}

void identify_reader_init(struct identify_reader *r)
{
	frame_reader_init(&r->frames, IDENTIFY_FRAME_MAX);
	buf_init(&r->message, (size_t)IDENTIFY_FRAME_MAX * IDENTIFY_FRAMES_MAX);
	r->n_frames = 0;
}

void identify_reader_clear(struct identify_reader *r)
{
	frame_reader_clear(&r->frames);
	buf_deinit(&r->message);
}

static int decode(const uint8_t *p, size_t n, struct bump *memory, Libp2p__Identify **ret,
		  struct err *e)
{
	ProtobufCAllocator allocator = pb_memory(memory);

	*ret = libp2p__identify__unpack(&allocator, n, p);
	if (*ret)
		return 0;
	if (memory->err < 0)
		return err_set(e, memory->err, "identify: the message needs too much memory");
	return err_set(e, -EBADMSG, "identify: the message is cut or malformed");
}

struct frame_sink {
	struct identify_reader *r;
	struct err *e;
};

/* Each frame is a message by itself, so that what is joined has no field that two of them share. */
static int take_frame(void *arg, const uint8_t *frame, size_t n)
{
	struct frame_sink *sink = arg;
	struct identify_reader *r = sink->r;
	struct bump memory = { .left = IDENTIFY_MEMORY_MAX };
	Libp2p__Identify *m;
	int err;

	if (r->n_frames == IDENTIFY_FRAMES_MAX)
		return err_set(sink->e, -EFBIG, "identify: more than %d frames",
			       IDENTIFY_FRAMES_MAX);
	r->n_frames++;
	err = decode(frame, n, &memory, &m, sink->e);
	bump_free_all(memory.chunks);
	if (err < 0)
		return err;
	err = buf_append(&r->message, frame, n);
	return err < 0 ? err_sys(sink->e, err, "identify: a frame of %zu bytes", n) : 0;
}

int identify_feed(struct identify_reader *r, const uint8_t *p, size_t n, struct err *e)
{
	struct frame_sink sink = { r, e };

	return frame_feed(&r->frames, p, n, take_frame, &sink, e);
}

static bool is_addr(const ProtobufCBinaryData *b)
{
	struct multiaddr a;

	return b->len > 0 && multiaddr_from_bytes(b->data, b->len, &a, NULL) == 0;
}

static bool is_text(const ProtobufCBinaryData *b)
{
	return b->len <= IDENTIFY_TEXT_MAX && (b->len == 0 || !memchr(b->data, 0, b->len));
}

static bool is_protocol(const ProtobufCBinaryData *b)
{
	return b->len > 0 && is_text(b);
}

/* Drops what does not hold, or is too much; what is left stands first. */
static size_t sift(ProtobufCBinaryData *items, size_t n, size_t max,
		   bool (*holds)(const ProtobufCBinaryData *b))
{
	size_t kept = 0;

	for (size_t i = 0; i < n && kept < max; i++)
		if (holds(&items[i]))
			items[kept++] = items[i];
	return kept;
}

static size_t total(const ProtobufCBinaryData *items, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += items[i].len;
	return sum;
}

static struct identify_bytes copy(const ProtobufCBinaryData *b, uint8_t **to)
{
	struct identify_bytes ret = { *to, b->len };

	if (b->len > 0)
		memcpy(*to, b->data, b->len);
	*to += b->len;
	return ret;
}

static struct identify_bytes copy_if(bool has, const ProtobufCBinaryData *b, uint8_t **to)
{
	return has ? copy(b, to) : (struct identify_bytes){ 0 };
}

/* Copies what is kept into one piece of memory. */
static int keep(Libp2p__Identify *m, size_t n_addrs, size_t n_protocols, struct identify *ret)
{
	size_t n_items = n_addrs + n_protocols;
	struct identify_bytes *items;
	uint8_t *to;

	items = malloc((n_items + 1) * sizeof(*items) + total(m->listen_addrs, n_addrs) +
		       total(m->protocols, n_protocols) + m->public_key.len + m->observed_addr.len +
		       m->protocol_version.len + m->agent_version.len);
	if (!items)
		return -ENOMEM;
	*ret = (struct identify){ .memory = items, .addrs = items, .protocols = items + n_addrs };
	ret->n_addrs = n_addrs;
	ret->n_protocols = n_protocols;
	to = (uint8_t *)(items + n_items + 1);
	for (size_t i = 0; i < n_addrs; i++)
		*items++ = copy(&m->listen_addrs[i], &to);
	for (size_t i = 0; i < n_protocols; i++)
		*items++ = copy(&m->protocols[i], &to);
	ret->public_key = copy_if(m->has_public_key, &m->public_key, &to);
	ret->observed =
	    copy_if(m->has_observed_addr && is_addr(&m->observed_addr), &m->observed_addr, &to);
	ret->protocol_version = copy_if(m->has_protocol_version && is_text(&m->protocol_version),
					&m->protocol_version, &to);
	ret->agent =
	    copy_if(m->has_agent_version && is_text(&m->agent_version), &m->agent_version, &to);
	return 0;
}

int identify_finish(struct identify_reader *r, struct identify *ret, struct err *e)
{
	struct bump memory = { .left = IDENTIFY_MEMORY_MAX };
	Libp2p__Identify *m;
	size_t n_addrs, n_protocols;
	int err;

	if (r->n_frames == 0 || r->frames.n_head > 0)
		return err_set(e, -EBADMSG, "identify: the peer stopped in the middle");
	err = decode(r->message.data, r->message.len, &memory, &m, e);
	if (err < 0)
		goto out_free;
	n_addrs = sift(m->listen_addrs, m->n_listen_addrs, IDENTIFY_ADDRS_MAX, is_addr);
	n_protocols = sift(m->protocols, m->n_protocols, IDENTIFY_PROTOCOLS_MAX, is_protocol);
	err = keep(m, n_addrs, n_protocols, ret);
	if (err < 0)
		err_sys(e, err, "identify");
out_free:
	bump_free_all(memory.chunks);
	return err;
}
