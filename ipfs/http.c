#include "ipfs/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ipfs/http_error.h"
#include "ipfs/kubo.h"
#include "util/container.h"
#include "util/list.h"

#define NEVER UINT64_MAX
#define STREAM_ERROR_HEADER "X-Stream-Error:"

struct http {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;
	struct list queued; /* started, not given to curl yet: curl cannot be called from its own
			     * callbacks */
	struct list running;
	struct list over;  /* decided, their done has not run yet */
	uint64_t curl_due; /* loop time at which curl wants to be called, or NEVER */
	unsigned handles;  /* uv handles that are not closed: the timer and the polls */
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct http_req {
	struct list link; /* in one of the lists of @h */
	struct http *h;
	CURL *easy;
	bool with_curl;
	curl_mime *form; /* NULL: no body */
	struct http_file file;
	size_t sent; /* bytes of the file */
	const struct http_ops *ops;
	void *arg;
	char *url;
	uint64_t total_due, idle_due; /* loop time, or NEVER */
	uint64_t idle_ms;
	uint64_t body_left;
	bool decided;
	int status; /* when decided */
	struct err err;
	char stream_error[HTTP_STREAM_ERROR_MAX];
	char curl_error[CURL_ERROR_SIZE];
};

struct poll {
	uv_poll_t uv;
	struct http *h;
	curl_socket_t fd;
};

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t list_due(const struct list *reqs, uint64_t due)
{
	struct list *it;

	list_each (it, reqs) {
		const struct http_req *r = container_of(it, struct http_req, link);

		due = min_u64(due, min_u64(r->total_due, r->idle_due));
	}
	return due;
}

static void on_timer(uv_timer_t *t);

/* Sets the timer for whatever comes first. Callable from curl's callbacks. */
static void rearm(struct http *h)
{
	uint64_t now = uv_now(h->loop), due = NEVER;

	if (uv_is_closing((uv_handle_t *)&h->timer))
		return;
	if (h->closing || !list_empty(&h->queued) || !list_empty(&h->over))
		due = now;
	else
		due = list_due(&h->running, h->curl_due);
	if (due == NEVER)
		uv_timer_stop(&h->timer);
	else
		uv_timer_start(&h->timer, on_timer, due > now ? due - now : 0, 0);
}

/* The first decision counts; done runs from the timer or the poll that is under way. */
static void decide(struct http_req *r, int status)
{
	if (r->decided)
		return;
	r->decided = true;
	r->status = status;
	list_del(&r->link);
	list_add_tail(&r->h->over, &r->link);
	rearm(r->h);
}

static void req_free(struct http_req *r)
{
	if (r->easy)
		curl_easy_cleanup(r->easy);
	curl_mime_free(r->form);
	free(r->url);
	free(r);
}

/* Ends a decided request: from here on its owner has it no more. */
static void finish(struct http_req *r)
{
	struct http_answer a = { 0 };
	long code = 0;

	if (r->with_curl) {
		curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &code);
		curl_multi_remove_handle(r->h->multi, r->easy);
	}
	a.code = (int)code;
	if (r->stream_error[0])
		a.stream_error = r->stream_error;
	if (r->status < 0 && r->err.code == 0)
		http_error_end(r->status, r->url, &r->err);
	list_del(&r->link);
	r->ops->done(r->arg, r->status, &a, &r->err);
	req_free(r);
}

static void expire(struct list *reqs, uint64_t now)
{
	struct list *it, *next;

	list_each_safe (it, next, reqs) {
		struct http_req *r = container_of(it, struct http_req, link);

		if (min_u64(r->total_due, r->idle_due) <= now)
			decide(r, -ETIMEDOUT);
	}
}

/* Gives the started requests to curl. */
static void admit(struct http *h)
{
	while (!list_empty(&h->queued)) {
		struct http_req *r = container_of(h->queued.next, struct http_req, link);

		list_del(&r->link);
		list_add_tail(&h->running, &r->link);
		r->with_curl = curl_multi_add_handle(h->multi, r->easy) == CURLM_OK;
		if (!r->with_curl)
			decide(r, -ENOMEM);
	}
}

/* Collects what curl is done with. */
static void reap(struct http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		struct http_req *r = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r);
		if (!r->decided)
			decide(r, http_error_curl(r->easy, m->data.result, r->url, r->curl_error,
						  &r->err));
	}
}

static void on_handle_closed(struct http *h)
{
	if (--h->handles > 0)
		return;
	if (h->closed)
		h->closed(h->closed_arg);
	free(h);
}

static void on_timer_closed(uv_handle_t *t)
{
	on_handle_closed(t->data);
}

/* After every call into curl from the loop: the only place where done callbacks run. */
static void settle(struct http *h)
{
	reap(h);
	while (!list_empty(&h->over))
		finish(container_of(h->over.next, struct http_req, link));
	if (h->closing) { /* nothing is queued or running: http_close decided them all */
		curl_multi_cleanup(h->multi);
		uv_close((uv_handle_t *)&h->timer, on_timer_closed);
		return;
	}
	rearm(h);
}

static void on_timer(uv_timer_t *t)
{
	struct http *h = t->data;
	uint64_t now = uv_now(h->loop);
	int running;

	expire(&h->queued, now);
	expire(&h->running, now);
	admit(h);
	if (h->curl_due <= now) {
		h->curl_due = NEVER;
		curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	settle(h);
}

static int on_curl_timer(CURLM *multi, long ms, void *arg)
{
	struct http *h = arg;

	h->curl_due = ms < 0 ? NEVER : uv_now(h->loop) + (uint64_t)ms;
	rearm(h);
	return 0;
}

static void on_poll_closed(uv_handle_t *u)
{
	struct poll *p = u->data;
	struct http *h = p->h;

	free(p);
	on_handle_closed(h);
}

static void on_poll(uv_poll_t *u, int status, int events)
{
	struct poll *p = u->data;
	struct http *h = p->h;
	int flags = 0, running;

	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(h->multi, p->fd, flags, &running);
	settle(h);
}

static struct poll *poll_new(struct http *h, curl_socket_t fd)
{
	struct poll *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->h = h;
	p->fd = fd;
	p->uv.data = p;
	if (uv_poll_init_socket(h->loop, &p->uv, fd) < 0) {
		free(p);
		return NULL;
	}
	h->handles++;
	return p;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http *h = arg;
	struct poll *p = socket_arg;
	struct http_req *r = NULL;
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (p) /* now, not later: curl may close the descriptor next */
			uv_close((uv_handle_t *)&p->uv, on_poll_closed);
		curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (!p)
		p = poll_new(h, fd);
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	if (p)
		curl_multi_assign(h->multi, fd, p);
	if (p && uv_poll_start(&p->uv, events, on_poll) == 0)
		return 0;
	/* A failure returned here would end all transfers for good: end this one. */
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &r);
	if (r)
		decide(r, -ENOMEM);
	return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_req *r = arg;
	long code = 0;
	int ret;

	if (r->decided)
		return 0;
	if (n > r->body_left) {
		decide(r, -EFBIG);
		return 0;
	}
	r->body_left -= n;
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &code);
	ret = r->ops->body(r->arg, (int)code, data, n, &r->err);
	if (ret < 0)
		decide(r, ret);
	return r->decided ? 0 : n;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	const size_t skip = sizeof(STREAM_ERROR_HEADER) - 1;
	struct http_req *r = arg;
	size_t from = skip, to = n;

	if (n < skip || strncasecmp(line, STREAM_ERROR_HEADER, skip) != 0)
		return n;
	while (from < to && isspace((unsigned char)line[from]))
		from++;
	while (to > from && isspace((unsigned char)line[to - 1]))
		to--;
	snprintf(r->stream_error, sizeof(r->stream_error), "%.*s", (int)(to - from), line + from);
	return n;
}

static bool set_protocols(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
	return curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) ==
	       CURLE_OK;
#endif
}

static size_t on_send(char *to, size_t size, size_t n, void *arg)
{
	struct http_req *r = arg;
	size_t left = r->file.n - r->sent;

	n = n < left ? n : left;
	memcpy(to, (const char *)r->file.p + r->sent, n);
	r->sent += n;
	return n;
}

/* A request is sent anew where a kept connection turns out to be dead. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct http_req *r = arg;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > r->file.n)
		return CURL_SEEKFUNC_FAIL;
	r->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

static bool set_form(struct http_req *r)
{
	curl_mimepart *part;

	r->form = curl_mime_init(r->easy);
	part = r->form ? curl_mime_addpart(r->form) : NULL;
	return part && curl_mime_name(part, "file") == CURLE_OK &&
	       curl_mime_filename(part, "file") == CURLE_OK &&
	       curl_mime_type(part, "application/octet-stream") == CURLE_OK &&
	       curl_mime_data_cb(part, (curl_off_t)r->file.n, on_send, on_seek, NULL, r) ==
		   CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_MIMEPOST, r->form) == CURLE_OK;
}

static bool set_body(struct http_req *r)
{
	if (r->file.p)
		return set_form(r);
	return curl_easy_setopt(r->easy, CURLOPT_POST, 1L) == CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, "") == CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE, 0L) == CURLE_OK;
}

static bool set_options(struct http_req *r)
{
	CURL *c = r->easy;

#if LIBCURL_VERSION_NUM >= 0x075700 /* a cancelled look-up is left behind, not waited for */
	if (curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK)
		return false;
#endif
	return set_protocols(c) && curl_easy_setopt(c, CURLOPT_URL, r->url) == CURLE_OK &&
	       set_body(r) &&
	       curl_easy_setopt(c, CURLOPT_USERAGENT, "pinfs/" PINFS_VERSION) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK && /* nor the environment's */
	       curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->curl_error) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_WRITEDATA, r) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HEADERDATA, r) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PRIVATE, r) == CURLE_OK;
}

static uint64_t due_in(const struct http *h, int64_t ms)
{
	return ms > 0 ? uv_now(h->loop) + (uint64_t)ms : NEVER;
}

int http_post(struct http *h, const char *url, const struct http_file *file,
	      const struct http_limits *limits, const struct http_ops *ops, void *arg,
	      struct http_req **ret)
{
	struct http_req *r;

	if (h->closing)
		return -ECANCELED;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	uv_update_time(h->loop); /* deadlines count from now, not from the loop's last wake-up */
	r->h = h;
	r->ops = ops;
	r->arg = arg;
	if (file)
		r->file = *file;
	r->url = strdup(url);
	r->easy = curl_easy_init();
	r->idle_ms = limits->idle_ms > 0 ? (uint64_t)limits->idle_ms : 0;
	r->total_due = due_in(h, limits->total_ms);
	r->idle_due = due_in(h, limits->idle_ms);
	r->body_left = limits->body_max ? limits->body_max : UINT64_MAX;
	if (!r->url || !r->easy || !set_options(r)) {
		req_free(r);
		return -ENOMEM;
	}
	list_add_tail(&h->queued, &r->link);
	rearm(h);
	*ret = r;
	return 0;
}

void http_cancel(struct http_req *r)
{
	decide(r, -ECANCELED);
}

bool http_is_over(const struct http_req *r)
{
	return r->decided;
}

void http_touch(struct http_req *r)
{
	if (r->idle_ms) /* the timer may now ring early, which rearms it */
		r->idle_due = uv_now(r->h->loop) + r->idle_ms;
}

int http_new(uv_loop_t *loop, struct http **ret)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->loop = loop;
	h->curl_due = NEVER;
	list_init(&h->queued);
	list_init(&h->running);
	list_init(&h->over);
	h->multi = curl_multi_init();
	if (!h->multi)
		goto out_free;
	if (curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
	    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h) != CURLM_OK ||
	    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) != CURLM_OK ||
	    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h) != CURLM_OK ||
	    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CACHED_CONNECTIONS) !=
		CURLM_OK)
		goto out_multi;
	uv_timer_init(loop, &h->timer);
	h->timer.data = h;
	h->handles = 1;
	*ret = h;
	return 0;
out_multi:
	curl_multi_cleanup(h->multi);
out_free:
	free(h);
	return -ENOMEM;
}

static void cancel_all(struct list *reqs)
{
	while (!list_empty(reqs))
		http_cancel(container_of(reqs->next, struct http_req, link));
}

void http_close(struct http *h, void (*closed)(void *arg), void *arg)
{
	if (h->closing)
		return;
	h->closing = true;
	h->closed = closed;
	h->closed_arg = arg;
	cancel_all(&h->queued);
	cancel_all(&h->running);
	rearm(h);
}

int kubo_global_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOMEM;
}

void kubo_global_cleanup(void)
{
	curl_global_cleanup();
}
