/*
 * What curl says in errno and in the words of Go's HTTP client, for http.c alone.
 */
#pragma once

#include <curl/curl.h>

#include "util/err.h"

/* The only reader of curl's codes of transfers. @easy is the transfer that ended with @rc, @detail
 * the text of its CURLOPT_ERRORBUFFER. Returns 0 or -errno. */
int http_error_curl(CURL *easy, CURLcode rc, const char *url, const char *detail, struct err *e);
/* The words for an end that we decided: -ETIMEDOUT, -ECANCELED, -EFBIG, -ENOMEM, ... */
void http_error_end(int status, const char *url, struct err *e);
