"""Every error a user can meet. One message names the thing, the reason and the remedy; none is a bug report."""

from __future__ import annotations


class RhapsodyError(Exception):
    """Base of all errors that are the user's to mend. `exit_code` is what the command exits with."""

    exit_code = 1


class InputError(RhapsodyError):
    """A prompt, a setting or a file given by the user cannot be used."""

    exit_code = 2


class SourceError(InputError):
    """A source of songs is missing, empty, or holds nothing usable."""


class UnreadableFileError(InputError):
    """One file cannot be read. `code` is the short reason that the `rejects` table counts by.

    Args:
        path: the file as the user named it.
        code: a reason from `rhapsody_lib.corpus.schema.RejectCode`, e.g. `bad_midi`.
        detail: what is wrong, in a sentence without the path.
        remedy: what the user can do.
    """

    def __init__(self, path: str, code: str, detail: str, remedy: str = "") -> None:
        self.path, self.code, self.detail, self.remedy = path, code, detail, remedy
        super().__init__(f"{path}: {detail}" + (f" {remedy}" if remedy else ""))


class MissingExtraError(RhapsodyError):
    """An optional dependency is not installed; the message names the extra."""

    exit_code = 3


class StoreError(RhapsodyError):
    """The artifact store cannot be read or written."""

    exit_code = 4


class StoreAccessError(StoreError):
    """The store refuses, or there is none at that address: no rights, no credentials, no such bucket.

    To try again is of no use.
    """


class FullDiskError(StoreError):
    """A disk is full."""


class DamagedArtifactError(StoreError):
    """A file of an artifact is missing or does not have the digest that its manifest states."""


class DamagedReleaseError(StoreError):
    """The file of a release cannot be read as one."""


class NoReleaseError(RhapsodyError):
    """Nothing has been trained and released yet."""

    exit_code = 5


class RefusedError(RhapsodyError):
    """A candidate is worse than the live release, or cannot make a song: it was not released."""

    exit_code = 6


class StageFailedError(RhapsodyError):
    """The run of one stage, on a worker, did not end well."""


class OtherVersionError(RhapsodyError):
    """A worker's version of Rhapsody is not that of the run it works for."""
