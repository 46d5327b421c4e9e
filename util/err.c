#include "util/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return code;
}

int err_wrap(struct err *e, int code, const char *fmt, ...)
{
	char context[sizeof(e->msg)], inner[sizeof(e->msg)];
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	if (e->code == 0)
		return err_sys(e, code, "%s", context);
	memcpy(inner, e->msg, sizeof(inner));
	/* A message over the limit is cut at its end: the context names the place. */
	if (snprintf(e->msg, sizeof(e->msg), "%s: %s", context, inner) < 0)
		e->msg[0] = '\0';
	return e->code;
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
	char context[sizeof(e->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	return err_set(e, code, "%s: %s", context, strerror(-code));
}
