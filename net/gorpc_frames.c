#include "net/gorpc_frames.h"

#include <errno.h>
#include <string.h>

#include "types/msgpack_fields.h"
#include "util/utf8.h"

_Static_assert(GORPC_DEPTH_MAX == MSGPACK_DEPTH_MAX, "what is cut is decoded by the same limit");

#define BUFFER_KEPT 65536 /* a larger one is not kept when nothing waits */

/* ---- cutting ---- */

void gorpc_frames_init(struct gorpc_frames *f, bool of_caller)
{
	*f = (struct gorpc_frames){ .of_caller = of_caller, .in = BUF_INIT(GORPC_BUFFER_MAX) };
}

void gorpc_frames_clear(struct gorpc_frames *f)
{
	buf_deinit(&f->in);
	f->at = 0;
	f->scan = (struct mp_scan){ 0 };
}

/* What is over makes room. */
static void drop_used(struct gorpc_frames *f)
{
	size_t left = f->in.len - f->at;

	if (f->at == 0)
		return;
	if (left > 0)
		memmove(f->in.data, f->in.data + f->at, left);
	else if (f->in.cap > BUFFER_KEPT)
		buf_deinit(&f->in);
	f->in.len = left;
	f->at = 0;
}

int gorpc_frames_feed(struct gorpc_frames *f, const uint8_t *p, size_t n)
{
	drop_used(f);
	return buf_append(&f->in, p, n);
}

static enum gorpc_frame kind(const struct gorpc_frames *f)
{
	if (f->of_caller)
		return f->n == 0 ? GORPC_FRAME_ID : GORPC_FRAME_ARGUMENT;
	return f->n % 2 == 0 ? GORPC_FRAME_HEADER : GORPC_FRAME_VALUE;
}

int gorpc_frames_next(struct gorpc_frames *f, enum gorpc_frame *ret_kind, const uint8_t **ret,
		      size_t *ret_n)
{
	const enum gorpc_frame k = kind(f);
	const bool small = k == GORPC_FRAME_ID || k == GORPC_FRAME_HEADER;
	int r;

	if (f->at == f->in.len)
		return 0;
	r = mp_scan(&f->scan, f->in.data + f->at, f->in.len - f->at,
		    small ? GORPC_HEADER_MAX : GORPC_VALUE_MAX);
	if (r <= 0)
		return r;
	*ret_kind = k;
	*ret = f->in.data + f->at;
	*ret_n = f->scan.at;
	f->at += f->scan.at;
	f->n++;
	f->scan = (struct mp_scan){ 0 };
	return 1;
}

size_t gorpc_frames_waiting(const struct gorpc_frames *f)
{
	return f->in.len - f->at;
}

/* ---- which method is called ---- */

static void put_id(struct mp_fields *f, const void *value)
{
	const struct gorpc_id *id = value;

	mp_put_raw(f, "Name", id->service, strlen(id->service));
	mp_put_raw(f, "Method", id->method, strlen(id->method));
}

int gorpc_id_write(const struct gorpc_id *id, struct buf *out)
{
	return mp_struct_append(out, put_id, id);
}

static int get_name(const msgpack_object *o, char ret[GORPC_NAME_MAX + 1])
{
	const uint8_t *p;
	size_t n;

	if (mp_get_raw(o, &p, &n) < 0 || n > GORPC_NAME_MAX)
		return -EBADMSG;
	if (n > 0 && memchr(p, '\0', n))
		return -EBADMSG;
	if (n > 0)
		memcpy(ret, p, n);
	ret[n] = '\0';
	return 0;
}

int gorpc_id_read(const uint8_t *p, size_t n, struct gorpc_id *ret, struct err *e)
{
	struct mp_document d;
	const msgpack_object *o;
	int r = mp_decode(p, n, &d, e);

	if (r < 0)
		return r;
	o = mp_root(&d);
	r = mp_is_struct(o) ? 0 : -EBADMSG;
	r = r < 0 ? r : get_name(mp_field(o, "Name", 0), ret->service);
	r = r < 0 ? r : get_name(mp_field(o, "Method", 1), ret->method);
	mp_document_clear(&d);
	return r < 0 ? err_set(e, r, "malformed name of a service or method") : 0;
}

/* ---- how it went ---- */

struct response {
	const struct gorpc_id *id;
	const char *error;
	enum gorpc_error type;
};

static void put_response(struct mp_fields *f, const void *value)
{
	const struct response *response = value;
	const char *error = response->error;

	if (mp_put(f, "Service", true))
		mp_struct(f->w, put_id, response->id);
	mp_put_raw(f, "Error", error, error ? strlen(error) : 0);
	mp_put_int(f, "ErrType", (int)response->type);
}

int gorpc_header_write(const struct gorpc_id *id, enum gorpc_error type, const char *error,
		       struct buf *out)
{
	const struct response response = { id, error, type };

	return mp_struct_append(out, put_response, &response);
}

static enum gorpc_error error_type(int64_t v)
{
	return v >= GORPC_METHOD && v <= GORPC_FORBIDDEN ? (enum gorpc_error)v : GORPC_SERVER;
}

int gorpc_header_read(const uint8_t *p, size_t n, struct gorpc_header *ret, struct err *e)
{
	struct mp_document d;
	const uint8_t *text = NULL;
	const msgpack_object *o;
	int64_t type = 0;
	size_t len = 0;
	int r = mp_decode(p, n, &d, e);

	if (r < 0)
		return r;
	o = mp_root(&d);
	r = mp_is_struct(o) ? 0 : -EBADMSG;
	r = r < 0 ? r : mp_get_raw(mp_field(o, "Error", 1), &text, &len);
	r = r < 0 ? r : mp_get_int(mp_field(o, "ErrType", 2), &type);
	if (r == 0) {
		ret->failed = len > 0;
		ret->type = error_type(type);
		len = utf8_clean(text, len, ret->error, GORPC_ERROR_TEXT_MAX);
		ret->error[len] = '\0';
	}
	mp_document_clear(&d);
	return r < 0 ? err_set(e, r, "malformed header of an answer") : 0;
}
