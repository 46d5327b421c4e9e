/* README and why. */
#include "fs/text.h"

static const char readme[] =
    "A command failed? The reason is in words in the file `why`: cat why\n"
    "\n"
    "This folder is an IPFS Cluster peer. Pins are files; change them with the tools you know.\n"
    "\n"
    "  pin                touch pins/CID.json\n"
    "  pin with options   echo '{\"name\":\"site\"}' > pins/CID.json\n"
    "  unpin              rm pins/CID.json\n"
    "  many at once       sed 's/^/+/' cids.txt > batch      (+CID {options} or -CID per line)\n"
    "  show one           cat pins/CID.json\n"
    "  by name            ls by-name/NAME\n"
    "  how it is going    cat status/CID.json; ls status/by/error; cat status/errors\n"
    "  try again          touch status/CID.json\n"
    "\n"
    "  back up            cp state/export backup.json        (consistent, at any time)\n"
    "  rehearse           cp backup.json state/check         (says what an import would do)\n"
    "  restore            cp backup.json state/import        (all or nothing)\n"
    "  reset the peer     rm -r state                        (a dump stays in backups/)\n"
    "  undo               cp backups/NAME state/import\n"
    "\n"
    "  what changed       tail -f events; tail audit\n"
    "  other peers        ls peers; echo MULTIADDRESS > peers/add\n"
    "  is it healthy      cat health/ready health/problems\n"
    "  Kubo               cat ipfs/repo.json; echo 1 > ipfs/gc\n"
    "\n"
    "Removing many pins within a minute meets a brake: `why` shows the line that lets it pass.\n"
    "Manual: pinfs(1), pinfs-tree(7), pinfs.json(5).\n";

static int render_readme(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	return buf_append(out, readme, sizeof(readme) - 1);
}
TEXT_OPS(readme, CLASS_READ_ONLY);

static int render_why(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	*ret_mtime_ns = why_changed_ns(c->fs->why);
	return why_render(c->fs->why, fuse_req_ctx(c->req)->uid, out);
}
TEXT_OPS(why, CLASS_READ_ONLY);
