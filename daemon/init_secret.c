#include "daemon/init_secret.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "util/base_enc.h"

static int text_of(const uint8_t bytes[INIT_SECRET_BYTES], char ret[INIT_SECRET_TEXT])
{
	struct buf text = BUF_INIT(INIT_SECRET_TEXT);
	int r = base16_encode(&text, bytes, INIT_SECRET_BYTES);

	if (r == 0)
		r = buf_terminate(&text);
	if (r == 0)
		memcpy(ret, text.data, INIT_SECRET_TEXT);
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_deinit(&text);
	return r;
}

int init_secret_ask(int (*ask)(char ret[INIT_SECRET_MAX], struct err *e),
		    char ret[INIT_SECRET_TEXT], struct err *e)
{
	uint8_t bytes[INIT_SECRET_BYTES];
	char given[INIT_SECRET_MAX];
	int r = ask(given, e);

	if (r < 0)
		return r;
	if (base16_decode(given, strlen(given), bytes, sizeof(bytes)) != INIT_SECRET_BYTES)
		r = err_set(e, -EINVAL, "the secret must be %d hexadecimal digits",
			    2 * INIT_SECRET_BYTES);
	if (r == 0 && text_of(bytes, ret) < 0)
		r = err_sys(e, -ENOMEM, "the secret");
	explicit_bzero(given, sizeof(given));
	explicit_bzero(bytes, sizeof(bytes));
	return r;
}

int init_secret_make(char ret[INIT_SECRET_TEXT])
{
	uint8_t bytes[INIT_SECRET_BYTES];
	int r;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -errno;
	r = text_of(bytes, ret);
	explicit_bzero(bytes, sizeof(bytes));
	return r;
}
