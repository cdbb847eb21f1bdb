"""What a songwriter asks for, checked before any work is done."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rhapsody_lib.errors import InputError
from rhapsody_lib.settings import SongSettings, explain

MAX_FOLDER_NAME = 48


def check_request(**values: Any) -> SongSettings:
    """The request as settings.

    Raises:
        InputError: a value is out of its limits, the prompt has nothing to sing, the form names no sections, the key
            is no key, a filter of the match no filter, or the primer no file that can be read and prime a song.
        MissingExtraError: what reads the primer is not installed.
    """
    from rhapsody_lib.lyrics.decoder import prompt_lines
    from rhapsody_lib.lyrics.form import check_form
    from rhapsody_lib.operations.matching import filters_of
    from rhapsody_lib.operations.priming import check_primer, key_or_none

    try:
        request = SongSettings.model_validate(values)
    except ValidationError as error:
        raise InputError(f"The song cannot be made: {explain(error)}.") from error
    prompt_lines(request.prompt)
    check_form(request.form, request.lines_per_section)
    key_or_none(request.key)
    filters_of(request)
    check_primer(request.primer)
    return request


def check_out(out: Path, *, audio: bool, vocal: bool = False) -> Path:
    """The folder for the files, checked before any work is done.

    Args:
        out: the folder.
        audio: whether song.mp3 is wanted, which needs more installed.
        vocal: whether a synthesizer is to sing in it, which needs the extra `vocal`.

    Raises:
        InputError: it holds something that is not a song, or cannot be written.
        MissingExtraError: the lead sheet cannot be engraved, or audio or a vocal is wanted and cannot be rendered.
    """
    from rhapsody_lib.song.bundle import check_target
    from rhapsody_lib.song.engraving import check_engraving
    from rhapsody_lib.song.guide_vocal import check_vocal
    from rhapsody_lib.song.render import check_audio

    check_target(out)
    check_engraving()
    if audio:
        check_audio()
    if vocal:
        check_vocal()
    return out


def default_folder(request: SongSettings) -> Path:
    """`songs/<the first words of the title or prompt>-<seed>`, in letters every file system takes."""
    text = unicodedata.normalize("NFKD", request.title or request.prompt).encode("ascii", "ignore").decode()
    slug = "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:MAX_FOLDER_NAME].strip("-") or "song"
    return Path("songs") / f"{slug}-{request.seed}"
