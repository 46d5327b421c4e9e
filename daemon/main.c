/* The commands of pinfs(1), and going into the background once the mount is there. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/ask.h"
#include "daemon/daemon.h"
#include "daemon/init.h"
#include "daemon/sdnotify.h"
#include "types/hash.h"
#include "util/log.h"

static void tell_init(const char *folder, const struct init_result *res)
{
	printf("configuration written to %s/service.json\n", folder);
	if (res->kept_service[0])
		printf("the old one is %s/%s\n", folder, res->kept_service);
	if (res->n_peers > 0)
		printf("peerstore written with %zu entries\n", res->n_peers);
	if (res->kept_peerstore[0])
		printf("the old one is %s/%s\n", folder, res->kept_peerstore);
	printf("peer ID %s (%s identity)\n", res->id, res->new_identity ? "new" : "present");
}

static int command_init(const struct options *o, struct err *e)
{
	char *by_default = o->config ? NULL : config_default_folder();
	struct init_options io = { .folder = o->config ? o->config : by_default,
				   .consensus = o->consensus,
				   .peers = o->bootstrap,
				   .n_peers = o->n_bootstrap,
				   .force = o->force,
				   .random_ports = o->random_ports,
				   .ask_secret = o->custom_secret ? ask_secret : NULL };
	struct init_result res;
	int r;

	if (!io.folder) {
		err_set(e, -EINVAL, "neither IPFS_CLUSTER_PATH nor HOME is set");
		return EXIT_CONFIG;
	}
	r = config_init(&io, &res, e);
	if (r == 0)
		tell_init(io.folder, &res);
	free(by_default);
	switch (r) {
	case 0:
		return EXIT_OK;
	case -EINVAL:
		return EXIT_CONFIG;
	case -EBUSY:
		return EXIT_LOCKED;
	default:
		return EXIT_RUNTIME;
	}
}

/* ---- the background ---- */

/* Told by the child over the pipe: the exit code of the parent, and that is all. */
static void tell_parent(void *arg)
{
	int *pipe_end = arg, null;
	char code = EXIT_OK;

	if (write(*pipe_end, &code, 1) != 1)
		return;
	close(*pipe_end);
	log_to_syslog();
	null = open("/dev/null", O_RDWR);
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

static int wait_for_child(int pipe_end, pid_t pid)
{
	char code;
	int status;

	if (read(pipe_end, &code, 1) == 1)
		return code;
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return EXIT_RUNTIME;
	return WEXITSTATUS(status);
}

static int run_in_background(const struct options *o)
{
	struct err e = { 0 };
	int ends[2], code;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return EXIT_RUNTIME;
	pid = fork();
	if (pid < 0)
		return EXIT_RUNTIME;
	if (pid > 0) {
		close(ends[1]);
		return wait_for_child(ends[0], pid);
	}
	close(ends[0]);
	setsid();
	code = daemon_run(o, tell_parent, &ends[1], &e);
	if (e.code)
		fprintf(stderr, "pinfs: %s\n", e.msg);
	return code;
}

static int command_mount(const struct options *o, struct err *e)
{
	return o->foreground ? daemon_run(o, NULL, NULL, e) : run_in_background(o);
}

static int run(const struct options *o, struct err *e)
{
	switch (o->command) {
	case COMMAND_HELP:
		fputs(options_help, stdout);
		return EXIT_OK;
	case COMMAND_VERSION:
		printf("pinfs %s\n", PINFS_VERSION);
		return EXIT_OK;
	case COMMAND_INIT:
		return command_init(o, e);
	case COMMAND_CHECK:
		return daemon_check(o, e);
	case COMMAND_MOUNT:
		return command_mount(o, e);
	}
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct options o;
	struct err e = { 0 };
	int code;

	if (options_parse(argc, argv, &o, &e) < 0) {
		fprintf(stderr, "pinfs: %s\n%s", e.msg, options_help);
		options_clear(&o);
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	log_init(o.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, sdnotify_journal());
	if (hash_init() < 0 || kubo_global_init() < 0) {
		fprintf(stderr, "pinfs: the libraries do not start\n");
		return EXIT_RUNTIME;
	}
	code = run(&o, &e);
	if (code != EXIT_OK && e.code)
		fprintf(stderr, "pinfs: %s\n", e.msg);
	options_clear(&o);
	kubo_global_cleanup();
	return code;
}
