"""What is decided about a song from the song alone: its clean words, its language, whether it has enough of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from rhapsody_lib.corpus.clean import clean_lyrics, sung_words
from rhapsody_lib.corpus.found import Found, Reject
from rhapsody_lib.corpus.language import ANY_LANGUAGE, UNDETERMINED, detect_language
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.settings import CorpusSettings

#: One word over and over is no song that another can be learnt from.
LEAST_DIFFERENT_WORDS = 4


@lru_cache(maxsize=1)
def words_of(lyrics: str) -> tuple[str, ...]:
    """The sung words of clean lyrics; those of the song asked for last are known."""
    return tuple(sung_words(lyrics))


def _too_few(words: Sequence[str], settings: CorpusSettings) -> tuple[RejectCode, str] | None:
    """Why words are too few to learn from; None if they are enough."""
    if not words:
        return RejectCode.NO_LYRICS, "has no words once cleaned"
    if len(words) < settings.min_words:
        return RejectCode.TOO_SHORT, f"has {len(words)} words, fewer than {settings.min_words}"
    if (different := len(set(words))) < LEAST_DIFFERENT_WORDS:
        return RejectCode.TOO_SHORT, f"has {different} different words, fewer than {LEAST_DIFFERENT_WORDS}"
    return None


def examined(found: Found, settings: CorpusSettings) -> Found | Reject:
    """The song with clean lyrics and its language; or why it is left out.

    With `settings.instrumentals`, music with too few words is kept without them.

    Raises:
        MissingExtraError: the language detector is not installed.
    """

    def reject(code: RejectCode, detail: str) -> Reject:
        return Reject(found.source, found.path, code, detail)

    lyrics = clean_lyrics(found.song.lyrics)
    words = words_of(lyrics)
    if (few := _too_few(words, settings)) is not None:
        if settings.instrumentals and found.song.track is not None:
            wordless = replace(found.song, lyrics="", language=UNDETERMINED, claimed_language="")
            return replace(found, song=wordless)
        return reject(*few)
    claimed = found.song.claimed_language or UNDETERMINED
    language = found.song.language or claimed
    if settings.language != ANY_LANGUAGE:
        language = found.song.language or detect_language(" ".join(words), settings.language)
        language = claimed if language == UNDETERMINED else language
        if language not in {settings.language, UNDETERMINED}:
            return reject(RejectCode.OTHER_LANGUAGE, f"is in '{language}', not in '{settings.language}'")
    return replace(found, song=replace(found.song, lyrics=lyrics, language=language, claimed_language=""))
