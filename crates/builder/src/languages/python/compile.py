"""Compiles what lies below a directory and is not compiled.

compileall would compile all of it again: it takes no compiled file that goes by its source's hash for
a current one. Such files are what layers need, for these do not keep times.
"""

import compileall
import concurrent.futures
import importlib.util
import os
import py_compile
import sys

CHECKED_HASH = b"\3\0\0\0"


def is_compiled(source):
    try:
        with open(importlib.util.cache_from_source(source), "rb") as compiled:
            head = compiled.read(16)
        if head[:8] != importlib.util.MAGIC_NUMBER + CHECKED_HASH:
            return False
        with open(source, "rb") as text:
            return head[8:] == importlib.util.source_hash(text.read())
    except OSError:
        return False


def compile_one(source):
    if not is_compiled(source):
        mode = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_file(source, quiet=2, invalidation_mode=mode)


def sources(top):
    for directory, _, names in os.walk(top):
        for name in names:
            if name.endswith(".py"):
                yield os.path.join(directory, name)


if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor() as pool:
        for _ in pool.map(compile_one, sources(sys.argv[1]), chunksize=16):
            pass
