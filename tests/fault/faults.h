/*
 * Allocations and calls for the disk that fail, or end the process, at a chosen place.
 *
 * Calls for the disk are replaced for LMDB too, which is why they are plain system calls inside.
 * Allocations fail for the whole process; in builds with a sanitizer, which has an allocator of
 * its own, for our code only. Include after cmocka.h.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Calls until one fails; below 0: none does. The others after it work again. */
extern atomic_long fault_alloc, fault_disk;
/* The disk is full: files do not grow, and a write that would make one grow stops at its end. */
extern atomic_bool fault_full;
/* LMDB's meta pages cannot be written: EIO. */
extern atomic_bool fault_meta;

/* From here on the @n-th call of @what fails, the first being 0. */
void fault_at(atomic_long *what, long n);
bool fault_end(atomic_long *what); /* none does any more; true: one did */
void fault_none(void);

/* In a child: from here on the @n-th call for the disk ends the process. */
void fault_crash_at(long n);
/* Waits for the child, which ends with 0 where nothing fails. True: by such a call. */
bool fault_crashed(pid_t child);
