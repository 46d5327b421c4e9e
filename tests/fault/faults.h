/*
 * Allocations and calls for the disk that fail, or end the process, at a chosen place.
 *
 * Calls for the disk are replaced for LMDB too, which is why they are plain system calls inside.
 * Allocations fail for the whole process; in builds with a sanitizer, which has an allocator of
 * its own, for our code only.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

/* Calls until one fails; below 0: none does. The others after it work again. */
extern atomic_long fault_alloc, fault_disk;
extern atomic_bool fault_crash; /* a call for the disk that is to fail ends the process instead */

/* The disk is full: files do not grow, and a write that would make one grow stops at its end. */
extern atomic_bool fault_full;
/* LMDB's meta pages cannot be written: EIO. */
extern atomic_bool fault_meta;

#define FAULT_EXIT 42 /* how it ends */

void fault_none(void);
