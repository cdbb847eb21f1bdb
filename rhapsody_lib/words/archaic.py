"""Archaic English: which words a song of today would not sing, and old verse in the words of today.

What counts is grammar and spelling that died out (`thou`, `hath`, `o'er`, `goeth`). The diction of old verse (`bower`,
`maiden`) is a list of its own. Both are lists and rules of this file, so that anybody can see and mend them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from rhapsody_lib.words.document import Lyrics, LyricSection
from rhapsody_lib.words.pronunciation import phones
from rhapsody_lib.words.tokens import tokenize_line


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pairs(text: str) -> dict[str, str]:
    """`old=new` pairs between spaces; `_` stands for a space in what is new."""
    return {old: new.replace("_", " ") for old, new in (pair.split("=") for pair in text.split())}


#: Words with one plain word, or a few, of today.
_MODERN = _pairs("""
    thee=you thou=you ye=you thy=your thyself=yourself thyselves=yourselves thine=yours
    thou'rt=you're thou'lt=you'll thou'st=you've thou'dst=you'd thou'll=you'll ye'll=you'll ye're=you're ye've=you've
    hath=has hast=have hadst=had doth=does dost=do didst=did wast=were wert=were shalt=shall canst=can
    couldst=could wouldst=would shouldst=should mayst=may mightst=might durst=dared saith=says bidst=bid
    spake=spoke bespake=spoke sware=swore begat=made drave=drove clave=clung
    'tis=it's 'twas=it_was 'twere=it_were 'twill=it_will 'twould=it_would 'twixt=between betwixt=between is't=is_it
    was't=was_it on't=on_it o't=of_it in't=in_it for't=for_it upon't=upon_it
    o'er=over e'er=ever ne'er=never e'en=even ev'n=even ta'en=taken o'erhead=overhead
    where'er=wherever whate'er=whatever whene'er=whenever howe'er=however whoe'er=whoever wheresoe'er=wherever
    th'=the i'=in thro'=through thro=through tho'=though tho=though altho'=although 'gainst=against 'neath=beneath
    'mid=amid 'mong=among amongst=among amidst=amid whilst=while midst=amid
    oft=often ofttimes=often oft-times=often oftimes=often ere=before erst=once erstwhile=once erewhile=once anon=soon
    nay=no yea=yes aye=yes lo=look whence=from_where thence=from_there hither=here thither=there whither=where
    wherefore=why yon=that perchance=maybe mayhap=maybe haply=maybe methinks=i_think methought=i_thought
    sooth=truth forsooth=truly verily=truly quoth=said fain=gladly nigh=near naught=nothing nought=nothing
    aught=anything ought't=ought unto=to wot=know wist=knew trow=think ween=think
    wherein=where whereon=where whereof=of_which whereto=where whereat=then whereby=by_which thereof=of_it
    therein=there thereon=there thereto=to_it thereat=then hereof=of_this
    blest=blessed drest=dressed prest=pressed opprest=oppressed possest=possessed distrest=distressed
    confest=confessed deprest=depressed exprest=expressed imprest=impressed unblest=unblessed
    mixt=mixed kist=kissed dropt=dropped stept=stepped wrapt=wrapped snatcht=snatched
    to-day=today to-night=tonight to-morrow=tomorrow burthen=burden shew=show shewed=showed shewn=shown gulph=gulf
    phantasy=fantasy antient=ancient chuse=choose behoves=must
""")
#: Archaic, but with no plain word in their place: a few stock figures of pastoral verse among them.
_OTHERS = _word_set("""
    alack alas alackaday welladay woe's prithee pr'ythee gramercy zounds avaunt begone egad fie heigh-ho hist eftsoons
    withal whoso whoso'er whosoe'er whomsoever whatsoe'er ywis yclept yclad bedight dight eke enow erelong forasmuch
    hitherward thitherward hie hies hied ope opes oped oping bade swain swains nymph nymphs phoebus philomel
    therewith wherewith wherewithal thenceforth henceforth howbeit albeit peradventure twain tarry
    smote smite smitten clomb wrought begirt bespeak beseech athwart askance aright o'erthrown
""")
#: Diction of old verse: no archaic grammar, but a song of today sounds like an old one with it.
_POETIC = _word_set("""
    abode abodes adieu alway azure bard bards beauteous beheld behold beholds billow billows blithe bosom bosoms
    bough bower bowers breast brow brows celestial clad clime climes damsel damsels deem deemed deems dell dells
    drear eld eventide faery fane fanes foe foeman foes forlorn fount founts garlands ghastly glee glooms goblet
    grot grove groves guerdon hark hearken hoary languid languor lave lea lore lorn lute lutes lyre lyres maid
    maiden maidens maids mead meads minstrel minstrels mirth morn morns mortal mortals muse muses nigher nook nooks
    noontide oblivion orb orbs pallid pinion pinions pomp raiment rapture raptures realm realms repose rill rills
    ruddy sable sage sages sepulchre shun shuns sire sires slain slay sod steed steeds sublime sylvan tempest thrice
    throng throngs tomb tombs tresses trod troth vale vales verdant verdure vermilion vesper vesture wan weal whilom
    woe woeful woes wondrous woo wooed wrath wroth yore zephyr zephyrs
""")
_NOT_ETH = _word_set("""
    teeth elizabeth nazareth macbeth seth beth neth peth lisbeth kenneth inchkenneth aneth shibboleth gareth heth
    aleth japheth meth
""")
#: Superlatives that the dictionary lacks and that look like verbs.
_SUPERLATIVES = _word_set("""
    tenderest divinest gladdest foulest basest fleetest likest weariest shyest obscurest grossest cleanest coolest
    humblest idlest openest bitterest slenderest cleverest yellowest mellowest narrowest shallowest hollowest
    severest sincerest completest purplest falsest lamest tamest sanest squarest crispest
    chillest flyest livest dopest illest realest hypest fakest trillest greyest damnest bestest mutest icest loosest
    firest fliest
""")
#: Stems that a name or an abbreviation in the dictionary would hide.
_STEMS = {
    "abid": "abide", "ador": "adore", "smit": "strike", "chang": "change", "rang": "range", "se": "see",
    "breath": "breathe", "mad": "made", "cam": "came", "com": "come", "gav": "gave", "mak": "make", "liv": "live",
    "tak": "take", "sing": "sing",  "li": "lie", "di": "die", "do": "do", "go": "go", "lov": "love",
}  # fmt: skip
_PRONOUNS = _word_set("i you he she it we they who that there what how where when why")
_CONTRACTED = frozenset(("s", "ll", "re", "ve", "d", "m", "t", "n", ""))
#: `mine` before these is no `my`.
_AFTER_MINE = _word_set("is are and as at a an in if it of or all alone also are's i o oh on only")
_BEFORE_NOUN = _word_set("the of an my your his her their our this that no some with by in for and all such")
_ELIDED_SECOND = re.compile(r"^([a-z]{2,}?)e?'st$")
#: `fliest`, `criest`; all longer ones are superlatives.
_SHORT_IEST = re.compile(r"^[^aeiouy]+iest$")
_SHORT_STEM = re.compile(r"^[^aeiou]*[aeiou][^aeiouwxy]$|^[a-z]*(?:[cvzu]|[^n]g|[^s]s)$")
_WORD = re.compile(r"['’]?[A-Za-z]+(?:['’-][A-Za-z]+)*['’]?")


def _known(word: str) -> bool:
    return phones(word) is not None


def _base_verb(stem: str) -> str | None:
    """The verb whose old ending was cut off: `lov` is love, `runn` is run, `cri` is cry."""
    if stem in _STEMS:
        return _STEMS[stem]
    candidates = [stem + "e", stem] if _SHORT_STEM.match(stem) else [stem, stem + "e"]
    if stem.endswith("i"):
        candidates = [stem[:-1] + "y", stem + "e"]
    if len(stem) > 2 and stem[-1] == stem[-2]:
        candidates = [stem, stem[:-1]] if stem[-1] in "lsz" else [stem[:-1]]
    return next((word for word in candidates if len(word) > 1 and _known(word)), None)


def _third_person(verb: str) -> str:
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")


@lru_cache(maxsize=32768)
def _verb_eth(word: str) -> str | None:
    """`cometh` as comes."""
    if not word.endswith("eth") or len(word) < 5 or word in _NOT_ETH or word.endswith("tieth"):
        return None
    verb = _base_verb(word[:-3])
    return _third_person(verb) if verb else None


@lru_cache(maxsize=32768)
def _verb_est(word: str) -> str | None:
    """`comest`, `know'st` as come, know; None for a word of today, such as `best` and most superlatives."""
    elided = _ELIDED_SECOND.match(word)
    if elided:
        return _base_verb(elided.group(1))
    if not word.endswith("est") or len(word) < 5 or word in _SUPERLATIVES or _known(word):
        return None
    verb = _base_verb(word[:-3])
    if verb is None or (word.endswith("iest") and not _SHORT_IEST.match(word)):
        return None
    stems = (verb, verb[:-1] if verb.endswith("e") else verb, word[:-3])
    # A verb has an -ing form; an adjective that is no verb has none.
    is_verb = any(_known(stem + "ing") for stem in stems)
    is_adjective = any(_known(stem + "er") and _known(verb + "ness") for stem in stems)
    return verb if is_verb and not is_adjective else None


def is_archaic(word: str) -> bool:
    """Whether a word, in any case, is one that a song of today would not sing.

    Args:
        word: a token of `tokenize_line`.
    """
    word = word.lower()
    return word in _MODERN or word in _OTHERS or _verb_eth(word) is not None or _verb_est(word) is not None


def is_old_verse(word: str) -> bool:
    """Whether a word is archaic, or of the diction of old verse (`bower`, `woe`): to be sung only where asked for."""
    return word.lower() in _POETIC or is_archaic(word)


def archaic_share(lines: list[str]) -> float:
    """Share of archaic words among the words of lines; 0 where there are none."""
    tokens = [token for line in lines for token in tokenize_line(line)]
    return sum(map(is_archaic, tokens)) / len(tokens) if tokens else 0.0


def _written_out(word: str) -> str:
    """`turn'd` as turned, `wand'ring` as wandering; other words as they are."""
    front, apostrophe, back = word.rpartition("'")
    if not apostrophe or not front or "'" in front or front in _PRONOUNS:
        return word
    if back == "d":
        if front.endswith("y") and _known(front[:-1] + "ied"):
            return front[:-1] + "ied"
        past = front + ("d" if front.endswith("e") else "ed")
        return past if _known(past) or not _known(front) else word
    whole = f"{front}e{back}"
    return whole if (back not in _CONTRACTED or (back == "n" and front != "did")) and _known(whole) else word


def _modern_word(word: str) -> str:
    """A lower-case word in words of today, the same where there is no other."""
    if word in _MODERN:
        return _MODERN[word]
    verb = _verb_eth(word) or _verb_est(word)
    if verb:
        return verb
    return _written_out(word)


def _in_context(words: Sequence[str], place: int) -> str | None:
    """What `art`, `wilt`, `thine` and `mine` are among their neighbours; None where they stay or have one meaning."""
    word = words[place]
    before, after = words[place - 1] if place else "", words[place + 1] if place + 1 < len(words) else ""
    if word == "art" and before not in _BEFORE_NOUN and {"thou", "thee", "thy"} & set(words):
        return "are"
    if word == "wilt" and ("thou" in (before, after) or "thou" in words):
        return "will"
    if word == "thine" and after[:1] in ("a", "e", "i", "o", "u", "h") and after not in _AFTER_MINE:
        return "your"
    if word == "mine" and after[:1] in ("a", "e", "i", "o", "u") and after not in _AFTER_MINE:
        return "my"
    return None


def _like(old: str, new: str) -> str:
    """The new word with the old one's capital."""
    return new[:1].upper() + new[1:] if old.lstrip("'’")[:1].isupper() else new


def modernised(line: str) -> str:
    """A line of old verse in the words and spellings of today; its capitals and punctuation stay.

    Pronouns, verb endings and elided letters are replaced one by one (`thou goest o'er` is `you go over`), so metre and
    a rhyme may be lost. Words without a plain one of today stay.
    """
    matches = list(_WORD.finditer(line))
    words = [match.group().replace("’", "'").lower() for match in matches]
    parts, end = [], 0
    for place, match in enumerate(matches):
        old, word = match.group(), words[place]
        new = _in_context(words, place) or _modern_word(word)
        if old == "O" and line[match.end() :].startswith(" "):  # no `o'`, which is of or on
            new = "oh"
        if new == word and "-" in word:
            new = "-".join(map(_modern_word, word.split("-")))
        if new == word and word[-1] == "'" and word[:-1] in _MODERN:
            new = _MODERN[word[:-1]] + "'"
        if new == word and word[0] == "'" and (word[1:] in _MODERN or _written_out(word[1:]) != word[1:]):
            new = "'" + _modern_word(word[1:])
        written = old if new == word else _like(old, new)
        parts += [line[end : match.start()], re.sub(r"\bi\b", "I", written)]
        end = match.end()
    return "".join([*parts, line[end:]])


def modern_lyrics(song: Lyrics) -> Lyrics:
    """A song in the words of today, line by line."""
    sections = tuple(LyricSection(part.name, tuple(map(modernised, part.lines))) for part in song.sections)
    return Lyrics(song.title, sections)
