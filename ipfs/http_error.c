#include "ipfs/http_error.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define URL_SHOWN 280 /* bytes of an URL in error texts, which have an end worth reading */

/* "Connection refused" as Go writes it; not "RPC failed". */
static void lower_first(char *s)
{
	if (isupper((unsigned char)s[0]) && !isupper((unsigned char)s[1]))
		s[0] = (char)tolower((unsigned char)s[0]);
}

/* The "host:port" of an URL made by us. */
static int authority(const char *url, const char **ret)
{
	const char *p = strstr(url, "://");

	*ret = p ? p + 3 : url;
	return (int)strcspn(*ret, "/");
}

static int no_such_host(const char *url, struct err *e)
{
	const char *host;

	authority(url, &host); /* a name here, so the first colon is the port's */
	return err_set(e, -EHOSTUNREACH, "Post \"%.*s\": dial tcp: lookup %.*s: no such host",
		       URL_SHOWN, url, (int)strcspn(host, ":/"), host);
}

static int no_connection(CURL *easy, const char *url, struct err *e)
{
	const char *host;
	int n = authority(url, &host);
	char why[128];
	long os = 0;

	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os);
	if (os == 0)
		os = EHOSTUNREACH;
	snprintf(why, sizeof(why), "%s", strerror((int)os));
	lower_first(why);
	return err_set(e, -(int)os, "Post \"%.*s\": dial tcp %.*s: connect: %s", URL_SHOWN, url, n,
		       host, why);
}

static int post_error(const char *url, int code, const char *why, struct err *e)
{
	return err_set(e, code, "Post \"%.*s\": %s", URL_SHOWN, url, why);
}

int http_error_curl(CURL *easy, CURLcode rc, const char *url, const char *detail, struct err *e)
{
	const char *why = detail[0] ? detail : curl_easy_strerror(rc);
	long os = 0;

	switch (rc) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_RESOLVE_HOST:
		return no_such_host(url, e);
	case CURLE_COULDNT_CONNECT:
		return no_connection(easy, url, e);
	case CURLE_OUT_OF_MEMORY:
		return post_error(url, -ENOMEM, "out of memory", e);
	case CURLE_OPERATION_TIMEDOUT:
		return post_error(url, -ETIMEDOUT, "i/o timeout", e);
	case CURLE_GOT_NOTHING:
		return post_error(url, -ECONNRESET, "EOF", e);
	case CURLE_PARTIAL_FILE:
		return post_error(url, -ECONNRESET, "unexpected EOF", e);
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os);
		if (os == 0) /* the connection is fine, what it brought is not */
			return post_error(url, -EBADMSG, why, e);
		return post_error(url, -ECONNRESET, "connection reset by peer", e);
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* no HTTP header: version 0.9 is not spoken */
		return post_error(url, -EBADMSG, "malformed HTTP response", e);
	default:
		return post_error(url, -EPROTO, why, e);
	}
}

void http_error_end(int status, const char *url, struct err *e)
{
	switch (status) {
	case -ECANCELED:
		err_set(e, status, "context canceled");
		break;
	case -ETIMEDOUT:
		post_error(url, status, "context deadline exceeded", e);
		break;
	case -EFBIG:
		post_error(url, status, "the answer is too long", e);
		break;
	default:
		post_error(url, status, strerror(-status), e);
		break;
	}
}
