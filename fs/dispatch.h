/*
 * The requests of the kernel, by files: names and folders, open files, and the rest in dispatch.c.
 * Private to them. FUSE thread.
 */
#pragma once

#include "fs/internal.h"

/* Begins the answer to a request @r about @node. */
#define CALL(r, node)                                                                              \
	struct call c = { .fs = fuse_req_userdata(r), .req = (r) };                                \
	const struct node_ops *ops = node_ops(node)

/* dispatch_folders.c */
void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void do_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void do_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void do_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	       const char *newname, unsigned flags);
void do_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev);
void do_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname);
void do_readlink(fuse_req_t req, fuse_ino_t ino);
void do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void do_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi);
void do_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* dispatch_files.c */
void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void do_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	      struct fuse_file_info *fi);
void do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
