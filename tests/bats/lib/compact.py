"""Writes a store anew, so that its file has no free page inside.

compact.py FOLDER
"""

import ctypes
import os
import sys

COMPACT = 1
lmdb = ctypes.CDLL("liblmdb.so.0")
folder = sys.argv[1]
env = ctypes.c_void_p()


def must(code):
    if code != 0:
        sys.exit(f"LMDB: {code}")


must(lmdb.mdb_env_create(ctypes.byref(env)))
must(lmdb.mdb_env_open(env, folder.encode(), 0, 0o600))
os.mkdir(folder + "/compact")
must(lmdb.mdb_env_copy2(env, (folder + "/compact").encode(), COMPACT))
lmdb.mdb_env_close(env)
os.rename(folder + "/compact/data.mdb", folder + "/data.mdb")
os.rmdir(folder + "/compact")
