"""A parsing process whose files do what hostile files do, by their names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rhapsody_lib.corpus import sandbox_child
from rhapsody_lib.corpus.found import Job, ParsedSong
from rhapsody_lib.errors import MissingExtraError, UnreadableFileError


def parse(job: Job) -> ParsedSong:
    if job.name == "hang":
        while True:
            pass
    if job.name == "die":
        os._exit(7)
    if job.name == "eat":
        return bytearray(8 << 30)  # type: ignore[return-value]
    if job.name.startswith("eat "):
        held = bytearray(int(job.name.split()[1]) << 20)
        held.clear()
    if job.name == "write":
        Path(job.path).write_text("a note left behind")
    if job.name == "recurse":
        return parse_deeply(job)
    if job.name == "print":
        print("noise" * 1000)
        os.write(1, b"more noise")
    if job.name == "refuse":
        raise UnreadableFileError(job.name, "bad_midi", "is bad.")
    if job.name == "missing":
        raise MissingExtraError("install it")
    loaded = ",".join(sorted({"tensorflow", "torch", "music21", "lingua"} & set(sys.modules)))
    return ParsedSong(job.name, str(os.getpid()), 0, (), "", "", loaded, None)


def parse_deeply(job: Job) -> ParsedSong:
    return parse_deeply(job)


if __name__ == "__main__":
    sandbox_child.parse_job = parse
    sandbox_child.main(int(sys.argv[1]), float(sys.argv[2]))
