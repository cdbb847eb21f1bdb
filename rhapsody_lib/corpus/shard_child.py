"""The child that `shard_children` starts: reads shards of tables, one after another, until its input ends."""

from __future__ import annotations

import sys
from pathlib import Path

from rhapsody_lib.corpus.child_process import read_frame, write_frame
from rhapsody_lib.corpus.shards import SongShard, write_shard
from rhapsody_lib.errors import RhapsodyError
from rhapsody_lib.settings import CorpusSettings


def main() -> None:
    """Answer requests until standard input ends."""
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    while (request := read_frame(requests)) is not None:
        shard, settings = SongShard.from_message(request["shard"]), CorpusSettings(**request["settings"])
        try:
            write_shard(shard, Path(request["out"]), settings, digests=request["digests"], workers=1)
        except RhapsodyError as error:
            write_frame(replies, {"kind": type(error).__name__, "message": str(error)})
        except OSError as error:  # a full disk, a file that went
            write_frame(replies, {"kind": "OSError", "message": str(error), "errno": error.errno})
        else:
            write_frame(replies, {"written": True})


if __name__ == "__main__":
    main()
