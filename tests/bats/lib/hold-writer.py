"""Holds the write lock of a store, as a disk that does not answer would, until it is killed.

hold-writer.py FOLDER
"""

import ctypes
import signal
import sys

lmdb = ctypes.CDLL("liblmdb.so.0")


def must(code):
    if code != 0:
        sys.exit(f"LMDB: {code}")


env, txn = ctypes.c_void_p(), ctypes.c_void_p()
must(lmdb.mdb_env_create(ctypes.byref(env)))
must(lmdb.mdb_env_open(env, sys.argv[1].encode(), 0, 0o600))
must(lmdb.mdb_txn_begin(env, None, 0, ctypes.byref(txn)))
print("held", flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
try:
    signal.pause()
finally:
    lmdb.mdb_txn_abort(txn)
    lmdb.mdb_env_close(env)
