"""Gives sources the times by which Cargo tells what to compile again.

Cargo compares the time of a source with that of what it was compiled into. A checkout has the times
of its commit, which may be older than a build of something else. So a record, which lies beside what
was compiled, has each source's content and the time it got when that was first seen.

times.py begin RECORD  sets the times of everything below the working directory, before a build
times.py end RECORD    notes that the build is over
"""

import hashlib
import json
import os
import sys
import time

# What the app has of its own builds is not used.
LEFT_OUT = {"./target", "./.git"}


def digest(path):
    """The content of a file, the names in a directory or the target of a link."""
    if os.path.islink(path):
        content = os.readlink(path).encode("utf-8", "surrogateescape")
        return "link " + hashlib.sha256(content).hexdigest()
    if os.path.isdir(path):
        names = "\0".join(sorted(os.listdir(path))).encode("utf-8", "surrogateescape")
        return "directory " + hashlib.sha256(names).hexdigest()
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def everything():
    """Every path below, a directory after what is in it."""
    for directory, directories, files in os.walk(".", topdown=True):
        directories[:] = [name for name in directories if os.path.join(directory, name) not in LEFT_OUT]
        for name in files:
            yield os.path.join(directory, name)
        for name in directories:
            yield os.path.join(directory, name)
    yield "."


def read(record):
    try:
        with open(record, encoding="utf-8", errors="surrogateescape") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {"over": 0, "seen": {}}


def write(record, content):
    with open(record, "w", encoding="utf-8", errors="surrogateescape") as file:
        json.dump(content, file)


def begin(record):
    before = read(record)
    # Later than whatever was compiled before, even if the clock was set back.
    now = max(int(time.time()), before["over"] + 1)
    seen = {}
    for path in everything():
        content = digest(path)
        if content is None:
            continue
        known, when = before["seen"].get(path, (None, now))
        seen[path] = (content, when if known == content else now)
        os.utime(path, (seen[path][1],) * 2, follow_symlinks=False)
    write(record, {"over": now, "seen": seen})


def end(record):
    content = read(record)
    write(record, {**content, "over": max(int(time.time()), content["over"])})


{"begin": begin, "end": end}[sys.argv[1]](sys.argv[2])
