#include "ipfs/kubo_call.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SHOWN 200 /* bytes of a path in error texts */

void *kubo_call_new(struct kubo *k, size_t size, const struct kubo_call_ops *ops)
{
	struct kubo_call *c = calloc(1, size);

	if (!c)
		return NULL;
	c->k = k;
	c->ops = ops;
	buf_init(&c->path, KUBO_PATH_MAX);
	buf_init(&c->refusal, KUBO_ERROR_MAX);
	stream_init(&c->stream, ops->value_max);
	return c;
}

static void call_free(struct kubo_call *c)
{
	buf_deinit(&c->path);
	buf_deinit(&c->refusal);
	stream_deinit(&c->stream);
	free(c);
}

static bool is_unreserved(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       strchr("-._~", ch);
}

void kubo_call_path_broken(struct kubo_call *c)
{
	c->path_broken = true;
}

void kubo_call_path_raw(struct kubo_call *c, const char *text)
{
	if (buf_str(&c->path, text) < 0)
		kubo_call_path_broken(c);
}

void kubo_call_path_text(struct kubo_call *c, const char *text)
{
	for (; *text; text++) {
		int r = is_unreserved(*text) ? buf_byte(&c->path, (uint8_t)*text)
					     : buf_printf(&c->path, "%%%02X", (unsigned char)*text);

		if (r < 0) {
			kubo_call_path_broken(c);
			return;
		}
	}
}

void kubo_call_path_cid(struct kubo_call *c, const struct cid *cid)
{
	char text[CID_TEXT_MAX + 1];

	cid_format(cid, text);
	kubo_call_path_text(c, text);
}

/* {"Message":...,"Code":...,"Type":"error"}, also at the end of an answer that began well. */
static bool told_error(struct kubo_call *c, json_t *v)
{
	const char *type = json_string_value(json_object_get(v, "Type"));
	const char *message = json_string_value(json_object_get(v, "Message"));

	if (!type || !message || strcmp(type, "error") != 0)
		return false;
	err_set(&c->told, -EREMOTEIO, "%s", message);
	return true;
}

static int on_value(void *arg, json_t *v, struct err *e)
{
	struct kubo_call *c = arg;
	int r;

	if (c->told.code || told_error(c, v))
		return 0;
	r = c->ops->value(c, v, e);
	if (r < 0)
		return r;
	return http_is_over(c->req) ? -ECANCELED : 0; /* the values behind it are not told */
}

static int on_body(void *arg, int code, const void *p, size_t n, struct err *e)
{
	struct kubo_call *c = arg;
	int r;

	if (code == 200)
		return stream_feed(&c->stream, p, n, on_value, c, e);
	r = buf_append(&c->refusal, p, n);
	if (r < 0)
		return err_set(e, r, "IPFS error (%.*s). Code: %d. The answer is too long",
			       PATH_SHOWN, (const char *)c->path.data, code);
	return 0;
}

/* An answer that is no 200: Kubo's message, or else the text itself ("404 page not found"). */
static void read_refusal(struct kubo_call *c)
{
	json_t *v = json_loadb((const char *)c->refusal.data, c->refusal.len, 0, NULL);
	bool told = v && told_error(c, v);
	char text[257];
	size_t i, n;

	json_decref(v);
	if (told)
		return;
	n = c->refusal.len < sizeof(text) - 1 ? c->refusal.len : sizeof(text) - 1;
	for (i = 0; i < n; i++)
		text[i] = isprint(c->refusal.data[i]) ? (char)c->refusal.data[i] : ' ';
	while (n > 0 && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	err_set(&c->told, -EREMOTEIO, "%s", text);
}

static bool says_not_pinned(const struct kubo_call *c)
{
	return strstr(c->told.msg, "is not pinned") ||
	       strstr(c->told.msg, "not pinned or pinned indirectly");
}

/* What a whole answer means. */
static int judge(struct kubo_call *c, const struct http_answer *a, struct err *e)
{
	int r;

	if (a->code != 200)
		read_refusal(c);
	else if (a->stream_error)
		err_set(&c->told, -EREMOTEIO, "%s", a->stream_error);
	if (c->told.code) {
		r = says_not_pinned(c) ? -ENOENT : -EREMOTEIO;
		return err_set(e, r, "IPFS error (%.*s). Code: %d. Message: %.*s", PATH_SHOWN,
			       (const char *)c->path.data, a->code, 256, c->told.msg);
	}
	r = stream_end(&c->stream, e);
	if (r < 0)
		return r;
	if (!c->ops->stream && !c->answered)
		return err_set(e, -EBADMSG, "unexpected EOF");
	return 0;
}

static void on_done(void *arg, int status, const struct http_answer *a, const struct err *e)
{
	struct kubo_call *c = arg;
	struct err why = { 0 };

	if (status == 0)
		status = judge(c, a, &why);
	else
		why = *e;
	c->ops->done(c, status, status < 0 ? &why : NULL);
	call_free(c);
}

static const struct http_ops call_http_ops = { .body = on_body, .done = on_done };

void kubo_counts(const struct kubo *k, struct kubo_counts *ret)
{
	*ret = (struct kubo_counts){
		.pins_asked = atomic_load(&k->counts[KUBO_PINS_ASKED]),
		.pins_failed = atomic_load(&k->counts[KUBO_PINS_FAILED]),
		.blocks_asked = atomic_load(&k->counts[KUBO_BLOCKS_ASKED]),
		.blocks_failed = atomic_load(&k->counts[KUBO_BLOCKS_FAILED]),
		.blocks_put = atomic_load(&k->counts[KUBO_BLOCKS_PUT]),
		.block_bytes = atomic_load(&k->counts[KUBO_BLOCK_BYTES]),
	};
}

int kubo_call_start(struct kubo_call *c, int64_t total_ms, int64_t idle_ms,
		    struct kubo_call **ret_call)
{
	const struct http_limits limits = {
		.total_ms = total_ms,
		.idle_ms = idle_ms,
		.body_max = c->ops->stream ? 0 : c->ops->value_max,
	};
	struct buf url = BUF_INIT(0);
	int r;

	r = c->path_broken ? -ENOMEM : buf_terminate(&c->path);
	if (r < 0)
		goto out;
	r = buf_printf(&url, "%s%s", c->k->base, (const char *)c->path.data);
	if (r < 0)
		goto out;
	r = buf_terminate(&url);
	if (r < 0)
		goto out;
	r = http_post(c->k->http, (const char *)url.data, c->file.p ? &c->file : NULL, &limits,
		      &call_http_ops, c, &c->req);
out:
	buf_deinit(&url);
	if (r < 0)
		call_free(c);
	else if (ret_call)
		*ret_call = c;
	return r < 0 ? r : 0;
}
