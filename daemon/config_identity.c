#include "daemon/config.h"
#include "daemon/config_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/conf.h"
#include "util/path.h"

/* Texts of the two values, borrowed from the document or the environment. */
struct texts {
	const char *id, *private_key;
};

static int text_get(json_t *doc, const char *key, const char **ret, struct err *e)
{
	json_t *v = conf_get(doc, key);

	if (v && !json_is_string(v))
		return err_set(e, -EINVAL, "%s: %s: must be a string", CONFIG_IDENTITY_FILE, key);
	*ret = v ? json_string_value(v) : NULL;
	return 0;
}

static int texts_get(json_t *doc, struct texts *t, struct err *e)
{
	const char *id = getenv("CLUSTER_ID"), *key = getenv("CLUSTER_PRIVATEKEY");
	int r;

	r = text_get(doc, "id", &t->id, e);
	if (r == 0)
		r = text_get(doc, "private_key", &t->private_key, e);
	if (id)
		t->id = id;
	if (key)
		t->private_key = key;
	return r;
}

static int texts_parse(const struct texts *t, struct identity *ret, struct err *e)
{
	int r;

	if (!t->id)
		return err_set(e, -EINVAL, "%s: id: is missing", CONFIG_IDENTITY_FILE);
	if (!t->private_key)
		return err_set(e, -EINVAL, "%s: private_key: is missing", CONFIG_IDENTITY_FILE);
	r = identity_parse(t->id, t->private_key, ret, e);
	return r < 0 ? err_wrap(e, r, "%s", CONFIG_IDENTITY_FILE) : 0;
}

/* *ret is NULL where there is no such file. */
static int doc_read(const char *path, json_t **ret, struct err *e)
{
	struct buf text = BUF_INIT(2 * CONFIG_BYTES_MAX);
	json_error_t je;
	int r;

	*ret = NULL;
	r = path_read(path, CONFIG_BYTES_MAX, &text, e);
	if (r == 0) {
		*ret = json_loadb(text.data ? (char *)text.data : "", text.len, 0, &je);
		if (!*ret)
			r = err_set(e, -EINVAL, "%s: line %d, column %d: %s", CONFIG_IDENTITY_FILE,
				    je.line, je.column, je.text);
	}
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_deinit(&text);
	return r == -ENOENT ? 0 : r;
}

int config_identity_load(const char *folder, json_t *cluster, struct identity *ret, struct err *e)
{
	char *path = path_join(folder, CONFIG_IDENTITY_FILE);
	struct texts t = { 0 };
	json_t *doc = NULL;
	int r;

	if (!path)
		return err_sys(e, -ENOMEM, "%s", CONFIG_IDENTITY_FILE);
	r = doc_read(path, &doc, e);
	if (r == 0 && doc && !json_is_object(doc))
		r = err_set(e, -EINVAL, "%s: must be a JSON object", CONFIG_IDENTITY_FILE);
	if (r == 0)
		r = texts_get(doc ? doc : cluster, &t, e);
	if (r == 0 && !doc && !t.id && !t.private_key)
		r = err_set(e, -EINVAL, "there is no %s: make one with --init", path);
	if (r == 0)
		r = texts_parse(&t, ret, e);
	json_decref(doc);
	free(path);
	return r;
}
