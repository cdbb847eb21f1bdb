"""What is decided about a song from the song alone: its clean words, its language, whether it has enough of them."""

from __future__ import annotations

from dataclasses import replace

from rhapsody_lib.corpus.clean import clean_lyrics, sung_words
from rhapsody_lib.corpus.found import Found, Reject
from rhapsody_lib.corpus.language import ANY_LANGUAGE, UNDETERMINED, detect_language
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.settings import CorpusSettings

#: One word over and over is no song that another can be learnt from.
LEAST_DIFFERENT_WORDS = 4


def examined(found: Found, settings: CorpusSettings) -> Found | Reject:
    """The song with clean lyrics and its language; or why it is left out.

    Raises:
        MissingExtraError: the language detector is not installed.
    """

    def reject(code: RejectCode, detail: str) -> Reject:
        return Reject(found.source, found.path, code, detail)

    lyrics = clean_lyrics(found.song.lyrics)
    words = sung_words(lyrics)
    if not words:
        return reject(RejectCode.NO_LYRICS, "has no words once cleaned")
    if len(words) < settings.min_words:
        return reject(RejectCode.TOO_SHORT, f"has {len(words)} words, fewer than {settings.min_words}")
    if (different := len(set(words))) < LEAST_DIFFERENT_WORDS:
        detail = f"has {different} different words, fewer than {LEAST_DIFFERENT_WORDS}"
        return reject(RejectCode.TOO_SHORT, detail)
    claimed = found.song.claimed_language or UNDETERMINED
    language = found.song.language or claimed
    if settings.language != ANY_LANGUAGE:
        language = found.song.language or detect_language(" ".join(words), settings.language)
        language = claimed if language == UNDETERMINED else language
        if language not in {settings.language, UNDETERMINED}:
            return reject(RejectCode.OTHER_LANGUAGE, f"is in '{language}', not in '{settings.language}'")
    return replace(found, song=replace(found.song, lyrics=lyrics, language=language, claimed_language=""))
