/* Runs a fuzz target over the files of its corpus, as an ordinary test: one TAP line per file. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *folder, const char *name, unsigned number)
{
	struct buf b = BUF_INIT(0);
	char *path = path_join(folder, name);
	uint8_t *exact;
	int r = path ? path_read(path, 1u << 24, &b, NULL) : -1;

	/* A copy of just that size, so that a sanitizer sees a read past its end. */
	exact = malloc(b.len ? b.len : 1);
	if (r == 0 && exact) {
		memcpy(exact, b.data ? b.data : (const uint8_t *)"", b.len);
		LLVMFuzzerTestOneInput(exact, b.len);
	}
	printf("%s %u - %s\n", r == 0 && exact ? "ok" : "not ok", number, name);
	free(exact);
	buf_deinit(&b);
	free(path);
	return r;
}

int main(int argc, char **argv)
{
	DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *ent;
	unsigned n = 0;
	int bad = 0;

	if (!d) {
		fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 2;
	}
	while ((ent = readdir(d)))
		if (ent->d_name[0] != '.')
			bad |= replay(argv[1], ent->d_name, ++n) < 0;
	closedir(d);
	printf("1..%u\n", n);
	return bad || n == 0;
}
