from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.song.sung_words import sung_language
from rhapsody_lib.song.voices import LATIN_VOICES, voices_of
from rhapsody_lib.words.document import parse_lyrics
from rhapsody_lib.words.languages import ENGLISH, has_rules, latin_language, nuclei_of
from rhapsody_lib.words.syllables import syllables

LANGUAGES = sorted(LATIN_VOICES)
SUNG = {
    "de": "Ich weiß nicht, was soll es bedeuten, dass ich so traurig bin",
    "es": "El corazón de la noche no me quiere",
    "fi": "Minä olen se joka on yksin ja sinä et",
    "fr": "Je t'aime pour la vie et toi tu n'es pas là",
    "it": "Non ti amo più e la notte è una canzone per te",
    "nl": "Ik hou van je en het is niet voor mij",
    "pl": "Nie wiem co to jest, a ja cię kocham",
    "pt": "Minha saudade não tem fim e você é o meu amor",
    "sv": "Jag är inte rädd och du är min",
}
PARTED = {
    "da": "el-sker him-len so-len",
    "de": "Son-ne Lie-be ge-hen Freun-de bau-en neu-e See-le Quel-le träu-men Ma-ri-a Welt",
    "es": "co-ra-zón dí-a cie-lo no-che que-da ciu-dad can-ción po-e-ta rí-o muy vue-la hoy a-le-grí-a",
    "fi": "ra-kas yö ai-ka sy-dän tuu-li kau-nis tie mi-nä",
    "fr": "a-mour rose beau-té nuit oi-seau rien pe-tit toi belle pluie quand bien rouge",
    "it": "cuo-re a-mo-re mi-o ciao gior-no so-le pia-no mon-do",
    "nl": "lief-de mooi leeuw hui-zen zee dro-men kou-de vrij ne-gen",
    "pl": "nie-bo ser-ce noc świat wiatr",
    "pt": "co-ra-ção não noi-te di-a can-ção lu-a meu can-tar",
    "sv": "kär-lek nat-ten he-la som-mar",
}


@pytest.mark.parametrize("language", PARTED)
def test_words_part_by_the_rules_of_their_language(language: str) -> None:
    told = [
        "-".join(each.text for each in syllables(word.replace("-", ""), language)) for word in PARTED[language].split()
    ]
    assert told == PARTED[language].split()


def test_stress_follows_the_language() -> None:
    stressed = {
        "de": ("gehen", 0, "vergessen", 1), "es": ("corazón", 2, "canto", 0), "fr": ("amour", 1, "petit", 1),
        "it": ("amore", 1, "città", 1), "pl": ("niebo", 0, "kochanie", 1),
    }  # fmt: skip
    for language, (one, first, other, second) in stressed.items():
        for word, wanted in ((one, first), (other, second)):
            assert [each.stress for each in syllables(word, language)].index(1) == wanted, word


@pytest.mark.parametrize("language", SUNG)
def test_a_song_is_sung_in_its_language(language: str) -> None:
    assert sung_language(parse_lyrics(f"[verse 1]\n{SUNG[language]}\n")) == language
    assert set(voices_of(SUNG[language].split())) == {LATIN_VOICES[language]}


@pytest.mark.parametrize(
    "text",
    [
        "the sky is blue and I am on my way",
        "",
        "la la la la la",
        "Ein Lied für the naïve Señorita in the café",
        "12 ---",
        "Tell me no, la la la",
        "Do as you please, tell me no",
        "In the sun, on me",
    ],
)
def test_what_is_not_clearly_another_language_is_english(text: str) -> None:
    assert latin_language(text.split()) == ENGLISH


def test_a_short_song_without_an_english_word_is_told_by_three() -> None:
    song = "Alouette, je te plumerai et la tête"
    assert latin_language(song.split()) == "fr"


@given(st.sampled_from(LANGUAGES), st.text(alphabet="aeiouyäöüéíãçñßœİqu'glnstrhjAEIÀ-", max_size=20))
def test_any_word_parts_into_pieces_that_are_the_word(language: str, word: str) -> None:
    assert "".join(each.text for each in syllables(word, language)) == word
    assert has_rules(language)
    letters = "".join(filter(str.isalpha, word))
    found = nuclei_of(letters, language)
    assert all(start < end for start, end, _ in found)
    assert all(one[1] <= other[0] for one, other in pairwise(found))
    assert sum(stress for *_, stress in found) == 1
