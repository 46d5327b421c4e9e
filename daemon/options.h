/* The command line: what sshfs and mount(8) give a FUSE program, and the commands of our own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/config.h"
#include "util/buf.h"
#include "util/err.h"

enum command {
	COMMAND_MOUNT,
	COMMAND_INIT,
	COMMAND_CHECK,
	COMMAND_VERSION,
	COMMAND_HELP
};

struct options {
	enum command command;
	const char *mountpoint; /* NULL: the default, ~/pinfs */
	const char *config;     /* NULL: the default folder */
	enum config_consensus consensus;
	const char *bootstrap[64]; /* to mount: of this run */
	size_t n_bootstrap;
	bool force, random_ports, custom_secret;
	const char *for_init; /* the last option that --init alone takes; NULL: none was given */
	bool no_trust;        /* bootstrap peers are not trusted for that */
	bool foreground, debug, offline, read_only, fresh;
	char *access, *write, *backup; /* groups; NULL: as configured */
	struct buf fuse;               /* options for libfuse, separated by commas */
};

/* -EINVAL: usage, with what is wrong. The strings point into @argv, in which lists
 * are cut. */
int options_parse(int argc, char **argv, struct options *ret, struct err *e);
void options_clear(struct options *o);
extern const char options_help[];
