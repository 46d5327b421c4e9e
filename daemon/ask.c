#include "daemon/ask.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static bool read_line(char *ret, int cap)
{
	size_t n;

	if (!fgets(ret, cap, stdin))
		return false;
	n = strcspn(ret, "\r\n");
	if (ret[n] == '\0' && !feof(stdin)) /* not to its end */
		return false;
	ret[n] = '\0';
	return n > 0;
}

int ask_secret(char ret[INIT_SECRET_MAX], struct err *e)
{
	struct termios shown, hidden;
	bool terminal = tcgetattr(STDIN_FILENO, &shown) == 0, got;

	if (terminal) { /* before the question, lest a quick answer is shown */
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)(ECHO | ISIG); /* a signal would leave it hidden */
		tcsetattr(STDIN_FILENO, TCSADRAIN, &hidden);
	}
	printf("Enter cluster secret (32-byte hex string): ");
	fflush(stdout);
	got = read_line(ret, INIT_SECRET_MAX);
	if (terminal)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &shown);
	putchar('\n');
	return got ? 0 : err_set(e, -EINVAL, "no secret was given, or too long a one");
}
