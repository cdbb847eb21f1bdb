"""A prompt in a language that the lyrics model has read no song in: the songwriter is told."""

from __future__ import annotations

import json
import logging

from rhapsody_lib.artifacts import Store
from rhapsody_lib.errors import MissingExtraError, RhapsodyError
from rhapsody_lib.release import Release

logger = logging.getLogger(__name__)


def prompt_language(prompt: str) -> str:
    """ISO 639-1 code of the language of a prompt; '' where it is too short to be sure, or may well be English."""
    from rhapsody_lib.corpus.language import ANY_LANGUAGE, UNDETERMINED, detect_language
    from rhapsody_lib.words.languages import ENGLISH, latin_language

    letters = [letter for letter in prompt if letter.isalpha()]
    # Trigrams alone take a line of English for German now and then: its function words must say the same.
    latin = 2 * sum(letter < "\u0250" for letter in letters) > len(letters)
    by_words = latin_language(prompt.split()) if latin else ""
    if by_words == ENGLISH:
        return ""
    try:
        found = detect_language(prompt, ANY_LANGUAGE)
    except MissingExtraError:  # songs are made without what reads corpora, too
        return ""
    return found if found not in {UNDETERMINED, ENGLISH} and (not latin or found == by_words) else ""


def tell_strange_language(store: str, release: Release, prompt: str) -> None:
    """Warn in the log if a prompt is surely in a language that no song of the release's corpus is in."""
    language = prompt_language(prompt)
    if not language:
        return
    read = _languages(store, release)
    if read and language not in read:
        logger.warning(
            "The prompt is in '%s', but the lyrics model has read songs in %s only: the song goes on in what it knows. "
            "Write the prompt in that, or train on songs in '%s' (corpus.language).",
            language,
            ", ".join(f"'{code}'" for code in read),
            language,
        )


def _languages(store: str, release: Release) -> list[str]:
    """Those that the songs of the corpus are known to be in, the most frequent first; none where it does not say."""
    from rhapsody_lib.corpus.language import UNDETERMINED
    from rhapsody_lib.corpus.schema import SUMMARY_FILE

    try:
        path = Store(store).fetch(release.refs["corpus"], (SUMMARY_FILE,)) / SUMMARY_FILE
        counts = dict(json.loads(path.read_text(encoding="utf-8"))["languages"])
    except (RhapsodyError, OSError, KeyError, TypeError, ValueError):  # whoever needs the corpus says what is wrong
        return []
    return sorted(filter(None, counts.keys() - {UNDETERMINED}), key=lambda code: (-counts[code], code))
