#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "usage: pinfs [-f] [-d] [-o OPTION,...] [--bootstrap ADDR]... [--no-trust] [MOUNTPOINT]\n"
    "                                                         mount (default: ~/pinfs)\n"
    "       pinfs --init [--force] [--consensus crdt|raft] [--peers ADDR,...]\n"
    "             [--custom-secret] [--randomports]           make the configuration folder\n"
    "       pinfs --check                                     look at configuration and Kubo\n"
    "       pinfs --version | --help\n"
    "\n"
    "  --force          replace service.json (and, with --peers, peerstore), and keep the old one\n"
    "                   beside it; identity and state stay\n"
    "  --peers ADDR,... addresses of other peers, with /p2p/ID; --bootstrap ADDR is one of them\n"
    "  --bootstrap ADDR to mount: dial this peer, and trust it in this run; with --no-trust, do "
    "not\n"
    "  --custom-secret  read the secret from standard input, instead of making one\n"
    "  --randomports    listen on ports that are free now, instead of the defaults\n"
    "\n"
    "  -f               stay in the foreground, log to the terminal\n"
    "  -d               the same, and show every request\n"
    "  -o config=DIR    configuration folder (default: $IPFS_CLUSTER_PATH, ~/.ipfs-cluster)\n"
    "  -o offline       without network, consensus and Kubo: to read, import into, or clean the\n"
    "                   state of a peer that does not run\n"
    "  -o ro            read-only\n"
    "  -o fresh         start empty beside a store of ipfs-cluster-service, re-sync from peers\n"
    "  -o access=GROUP, write=GROUP, backup=GROUP\n"
    "                   who may browse; change pins; read and write state/ and backups/\n"
    "  -o allow_other   let other users in; further options go to libfuse\n"
    "\n"
    "Exit status: 0 mounted or done, 1 failed, 2 usage, 75 the folder is in use, 78 "
    "configuration.\n"
    "Manual: pinfs(1), pinfs-tree(7), pinfs.json(5).\n";

enum {
	OPT_INIT = 256,
	OPT_CONSENSUS,
	OPT_BOOTSTRAP,
	OPT_NO_TRUST,
	OPT_PEERS,
	OPT_FORCE,
	OPT_RANDOM_PORTS,
	OPT_CUSTOM_SECRET,
	OPT_CHECK,
	OPT_VERSION,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "init", no_argument, NULL, OPT_INIT },
	{ "consensus", required_argument, NULL, OPT_CONSENSUS },
	{ "bootstrap", required_argument, NULL, OPT_BOOTSTRAP },
	{ "no-trust", no_argument, NULL, OPT_NO_TRUST },
	{ "peers", required_argument, NULL, OPT_PEERS },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "randomports", no_argument, NULL, OPT_RANDOM_PORTS },
	{ "custom-secret", no_argument, NULL, OPT_CUSTOM_SECRET },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

/* What mount(8) and fstab say to everybody, and what is not for libfuse. */
static bool is_for_mount_only(const char *opt)
{
	static const char *const words[] = { "rw",     "defaults", "auto",   "noauto", "user",
					     "nouser", "users",    "nofail", "_netdev" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(opt, words[i]) == 0)
			return true;
	return strncmp(opt, "x-", 2) == 0 || strncmp(opt, "comment=", 8) == 0;
}

static char *value_of(char *opt, const char *key)
{
	size_t n = strlen(key);

	return strncmp(opt, key, n) == 0 && opt[n] == '=' ? opt + n + 1 : NULL;
}

static int take_option(struct options *o, char *opt)
{
	char *v;
	int r = 0;

	if ((v = value_of(opt, "config")))
		o->config = v;
	else if ((v = value_of(opt, "access")))
		o->access = v;
	else if ((v = value_of(opt, "write")))
		o->write = v;
	else if ((v = value_of(opt, "backup")))
		o->backup = v;
	else if (strcmp(opt, "offline") == 0)
		o->offline = true;
	else if (strcmp(opt, "ro") == 0)
		o->read_only = true;
	else if (strcmp(opt, "fresh") == 0)
		o->fresh = true;
	else if (*opt && !is_for_mount_only(opt))
		r = buf_printf(&o->fuse, "%s%s", o->fuse.len ? "," : "", opt);
	return r;
}

/* Cuts the list in place: it lives as long as argv. */
static int take_options(struct options *o, char *list)
{
	char *save = NULL, *opt;
	int r = 0;

	for (opt = strtok_r(list, ",", &save); r == 0 && opt; opt = strtok_r(NULL, ",", &save))
		r = take_option(o, opt);
	return r;
}

static int take_consensus(struct options *o, const char *name, struct err *e)
{
	if (strcmp(name, "crdt") == 0)
		o->consensus = CONFIG_CRDT;
	else if (strcmp(name, "raft") == 0)
		o->consensus = CONFIG_RAFT;
	else
		return err_set(e, -EINVAL, "--consensus is crdt or raft, not \"%s\"", name);
	return 0;
}

static int take_bootstrap(struct options *o, const char *addr, struct err *e)
{
	if (o->n_bootstrap == sizeof(o->bootstrap) / sizeof(*o->bootstrap))
		return err_set(e, -EINVAL, "too many addresses of peers");
	o->bootstrap[o->n_bootstrap++] = addr;
	return 0;
}

/* Cuts the list in place, and the spaces around its entries. */
static int take_peers(struct options *o, char *list, struct err *e)
{
	char *one;
	int r = 0;

	if (!*list) /* a script's empty variable */
		return 0;
	while (r == 0 && (one = strsep(&list, ","))) {
		one += strspn(one, " ");
		one[strcspn(one, " ")] = '\0';
		r = take_bootstrap(o, one, e);
	}
	return r;
}

static int take_init_flag(struct options *o, int flag, struct err *e)
{
	switch (flag) {
	case OPT_CONSENSUS:
		o->for_init = "--consensus";
		return take_consensus(o, optarg, e);
	case OPT_PEERS:
		o->for_init = "--peers";
		return take_peers(o, optarg, e);
	case OPT_FORCE:
		o->for_init = "--force";
		o->force = true;
		return 0;
	case OPT_RANDOM_PORTS:
		o->for_init = "--randomports";
		o->random_ports = true;
		return 0;
	case OPT_CUSTOM_SECRET:
		o->for_init = "--custom-secret";
		o->custom_secret = true;
		return 0;
	default:
		return err_set(e, -EINVAL, "an option is not known or lacks its value");
	}
}

static int take_flag(struct options *o, int flag, struct err *e)
{
	switch (flag) {
	case 'f':
		o->foreground = true;
		return 0;
	case 'd':
		o->foreground = o->debug = true;
		return 0;
	case 's': /* libfuse's single thread: we have no other */
		return 0;
	case 'o':
		return take_options(o, optarg);
	case 'h':
	case OPT_HELP:
		o->command = COMMAND_HELP;
		return 0;
	case 'V':
	case OPT_VERSION:
		o->command = COMMAND_VERSION;
		return 0;
	case OPT_INIT:
		o->command = COMMAND_INIT;
		return 0;
	case OPT_CHECK:
		o->command = COMMAND_CHECK;
		return 0;
	case OPT_BOOTSTRAP: /* of --init too */
		return take_bootstrap(o, optarg, e);
	case OPT_NO_TRUST:
		o->no_trust = true;
		return 0;
	default:
		return take_init_flag(o, flag, e);
	}
}

/* One argument is the mount point; two are a source, as fstab has it, and the mount point. */
static int take_arguments(struct options *o, int argc, char **argv, struct err *e)
{
	int n = argc - optind;

	if (o->for_init && o->command != COMMAND_INIT)
		return err_set(e, -EINVAL, "%s goes with --init", o->for_init);
	if (n > 2 || (n > 0 && o->command != COMMAND_MOUNT && o->command != COMMAND_CHECK))
		return err_set(e, -EINVAL, "too many arguments");
	if (n > 0)
		o->mountpoint = argv[argc - 1];
	if (n == 2 && !o->config && argv[optind][0] == '/')
		o->config = argv[optind];
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct err *e)
{
	int flag, r = 0;

	*ret = (struct options){ .fuse = BUF_INIT(4096) };
	opterr = 0;
	optind = 1;
	while (r == 0 && (flag = getopt_long(argc, argv, "fdso:hV", long_options, NULL)) != -1)
		r = take_flag(ret, flag, e);
	if (r == 0)
		r = take_arguments(ret, argc, argv, e);
	if (r == 0)
		r = buf_terminate(&ret->fuse);
	return r;
}

void options_clear(struct options *o)
{
	buf_deinit(&o->fuse);
}
