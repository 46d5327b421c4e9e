/*
 * Errors. Functions return 0 (or a count) on success and -errno on failure, so that every path
 * can end in a FUSE reply. Where a person will read the failure, the last parameter is a
 * struct err that takes the reason in words; it may be NULL and is untouched on success.
 *
 * What the codes mean everywhere in this program:
 *   -EINVAL        bad input of a user            -EBADMSG   malformed bytes from disk or a peer
 *   -ENOENT        not there                      -EEXIST    there already
 *   -ENOSPC        disk or map full, or too few peers for the replication factors
 *   -EHOSTUNREACH  no leader, no trusted peer     -ETIMEDOUT a deadline passed
 *   -EPERM         not allowed here               -EROFS     follower, read-only, shutting down
 *   -EBUSY         somebody else is at it         -ECANCELED given up by the caller
 *   -EFBIG         over a limit of size           -EPROTO    a broken protocol
 */
#pragma once

struct err {
	int code; /* -errno, 0 while unset */
	char msg[512];
};

/* Sets @e (if not NULL) and returns @code, so that a failure is one line. Any thread. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the message already in @e; returns its code. No-op on NULL (returns
 * @code then, as it does where @e is unset). */
int err_wrap(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Sets @e from @code with strerror's text behind the context. Returns @code. */
int err_sys(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
