/*
 * What a stranger, or a member without manners, may do to a running peer over the network, one
 * thing after the other:
 *
 *   hostile id NAME                    prints the peer ID of that name's identity
 *   hostile list                       prints the names of the attacks
 *   hostile [-f IP4] [-i NAME] [-c CLUSTER] SECRET IP4 PORT PEERID ATTACK...
 *                                      -f: comes from there; -i: as this name, else as new ones
 *
 * Each attack knows by what the attacked peer is to answer ("What a stranger can cost" in
 * docs/network.md); the first wrong answer ends the program, in failure.
 */
#include "tests/interop/hostile.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "types/hash.h"

static const char *at = "begin";

void die(const char *fmt, ...)
{
	va_list ap;

	printf("%s: ", at);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

void must(int r, const char *what)
{
	if (r < 0)
		die("%s: %s", what, strerror(-r));
}

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t patience(int64_t ms)
{
	const char *slow = getenv("PINFS_SLOW");

	return now_ms() + ms * (slow ? atoi(slow) : 1);
}

void identity_named(const char *name, struct identity *ret)
{
	static const uint8_t head[] = { 0x00, 0x24, 0x08, 0x01, 0x12, 0x20 };
	uint8_t seed[crypto_sign_SEEDBYTES];

	randombytes_buf(seed, sizeof(seed));
	if (name)
		hash_blake2b(seed, sizeof(seed), name, strlen(name));
	*ret = (struct identity){ .secret_key = sodium_malloc(crypto_sign_SECRETKEYBYTES) };
	if (!ret->secret_key)
		die("out of memory");
	crypto_sign_seed_keypair(ret->public_key, ret->secret_key, seed);
	ret->id.len = sizeof(head) + sizeof(ret->public_key);
	memcpy(ret->id.bytes, head, sizeof(head));
	memcpy(ret->id.bytes + sizeof(head), ret->public_key, sizeof(ret->public_key));
}

static const struct attack *const all[] = { low_attacks, gossip_attacks, calls_attacks,
					    delta_attacks };

static const struct attack *find(const char *name)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (const struct attack *a = all[i]; a->name; a++)
			if (strcmp(a->name, name) == 0)
				return a;
	return NULL;
}

static int list(void)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (const struct attack *a = all[i]; a->name; a++)
			printf("%s\n", a->name);
	return 0;
}

static int print_id(const char *name)
{
	char text[PEERID_TEXT_MAX];
	struct identity id;

	identity_named(name, &id);
	peerid_format(&id.id, text);
	printf("%s\n", text);
	identity_clear(&id);
	return 0;
}

static void take_option(struct target *t, int option)
{
	switch (option) {
	case 'f':
		t->from.sin_family = AF_INET;
		if (inet_pton(AF_INET, optarg, &t->from.sin_addr) != 1)
			die("no address: %s", optarg);
		break;
	case 'i':
		t->name = optarg;
		break;
	case 'c':
		t->cluster = optarg;
		break;
	default:
		die("usage: see the beginning of hostile.c");
	}
}

static void take_target(struct target *t, char **v)
{
	struct err e = { 0 };

	t->to.sin_family = AF_INET;
	t->to.sin_port = htons((uint16_t)atoi(v[2]));
	if (sodium_hex2bin(t->secret, sizeof(t->secret), v[0], strlen(v[0]), NULL, NULL, NULL) < 0)
		die("no secret: %s", v[0]);
	if (inet_pton(AF_INET, v[1], &t->to.sin_addr) != 1)
		die("no address: %s", v[1]);
	if (peerid_parse(v[3], strlen(v[3]), &t->peer, &e) < 0)
		die("%s", e.msg);
}

int main(int argc, char **argv)
{
	struct target t = { .cluster = "interop" };
	int option;

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	must(hash_init(), "starting");
	if (argc == 3 && strcmp(argv[1], "id") == 0)
		return print_id(argv[2]);
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list();
	while ((option = getopt(argc, argv, "f:i:c:")) != -1)
		take_option(&t, option);
	if (argc - optind < 5)
		die("usage: see the beginning of hostile.c");
	take_target(&t, argv + optind);
	for (int i = optind + 4; i < argc; i++) {
		const struct attack *a = find(argv[i]);

		at = argv[i];
		if (!a)
			die("there is no such attack");
		a->run(&t);
		printf("%s: answered as it should be\n", at);
	}
	return 0;
}
