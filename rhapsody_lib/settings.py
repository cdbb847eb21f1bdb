"""Settings of a run: frozen, nothing unknown accepted, one model a stage.

Profiles (`fast`, `full`) are TOML files beside this one. What stands here is part of the recipe of an artifact: a
changed value rebuilds that stage and what depends on it. What changes no result (threads, verbosity, folders) must not
stand here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rhapsody_lib.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROFILES_FOLDER = Path(__file__).parent / "profiles"
#: The primer of a song that no other song primes.
NO_PRIMER = "none"


class StageSettings(BaseModel):
    """Base of all settings: immutable, strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CorpusSettings(StageSettings):
    """Dataset preparation."""

    language: str = Field("en", pattern="^([a-z]{2}|any)$", description="ISO 639-1 code to keep, or 'any'.")
    instrumentals: bool = Field(False, description="Keep music without words, which the backing alone trains on.")
    artists: tuple[str, ...] = Field((), description="Keep only songs by these artists; none: by any.")
    genres: tuple[str, ...] = Field((), description="Keep only songs of one of these genres; none: of any.")
    years: tuple[int, int] | None = Field(None, description="Keep only songs from these years, first and last.")
    min_words: int = Field(8, ge=1, description="Songs with fewer words are rejected.")
    near_duplicate_similarity: float = Field(0.8, gt=0, le=1, description="Jaccard similarity of word 3-grams.")
    heldout_share: float = Field(0.1, gt=0, lt=0.5, description="Share of song groups kept for evaluation.")
    file_timeout_s: float = Field(5.0, gt=0, description="Time limit for parsing one file.")
    file_memory_mb: int = Field(256, ge=128, description="Memory limit of the data of the process that parses files.")

    @model_validator(mode="after")
    def _years_in_order(self) -> CorpusSettings:
        if self.years is not None and self.years[0] > self.years[1]:
            raise ValueError(f"years {self.years[0]} to {self.years[1]}: the first year comes first")
        return self


class LyricsSettings(StageSettings):
    """Stage 1, the lyrics LSTM."""

    architecture: Literal["lstm", "bilstm-seed"] = Field(
        "lstm", description="The network. 'bilstm-seed' is the ancestor's, for comparison; it writes no songs."
    )
    base: str = Field(
        "none", min_length=1, description="Model to start from: 'none', or a folder that 'rhapsody base lyrics' wrote."
    )
    embedding_size: int = Field(256, ge=8, description="Taken from the base where there is one.")
    hidden_size: int = Field(
        0, ge=0, description="Taken from the base where there is one; 0 is by the size of the corpus."
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="None is by the size of the corpus.")
    streams: int = Field(0, ge=0, description="Parallel text streams in a batch; 0 is by the size of the corpus.")
    steps: int = Field(32, ge=4, description="Words between truncations of backpropagation.")
    epoch_tokens: int = Field(
        500_000, ge=1000, description="Tokens of an epoch at most, after which the state is saved."
    )
    learning_rate: float = Field(
        0.0,
        ge=0,
        description="Of the first batches; it falls to zero over `max_epochs`. 0 is by the size of the corpus.",
    )
    weight_average: float = Field(
        0.0, ge=0, lt=1, description="Decay a batch of the running average of the weights that is kept; 0 is none."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Arithmetic of the products; 'auto' is bfloat16 where that is faster."
    )
    softmax: Literal["full", "sampled"] = Field(
        "full", description="'sampled' trains on some of the words as alternatives, for large vocabularies."
    )
    max_epochs: int = Field(20, ge=1)
    patience: int = Field(2, ge=1, description="Epochs without a better held-out loss before stopping.")
    min_count: int = Field(2, ge=1, description="Words seen fewer times are unknown.")
    max_vocabulary: int = Field(12_000, ge=100)


class EncoderSettings(StageSettings):
    """Stage 2, the sentence encoder.

    `offline` is the packaged all-MiniLM-L6-v2; anything else is a sentence-transformers name or folder, such as the
    ancestor's bert-base-nli-mean-tokens.
    """

    model: str = "offline"
    max_tokens: int = Field(256, ge=16)
    tuning: Literal["none", "pairs"] = Field(
        "none", description="'pairs' tunes the model on pairs of texts of one song; 'none' takes it as it is."
    )
    heldout_artists: float = Field(0.1, gt=0, lt=0.9, description="Share of the artists kept for evaluation.")
    generated_pairs: int = Field(
        0,
        ge=0,
        description="Songs at most that are paired with a lyric too, written from one of their lines by the lyrics "
        "model, which is then trained first.",
    )
    epoch_songs: int = Field(1500, ge=1, description="Songs of an epoch at most, after which the state is saved.")
    batch_size: int = Field(64, ge=2, description="Pairs of a batch: each text has the others' as wrong answers.")
    pair_tokens: int = Field(96, ge=8, description="Tokens of a text that is trained on; of longer ones a part.")
    learning_rate: float = Field(1e-4, gt=0)
    scale: float = Field(20.0, gt=0, description="What cosines are multiplied by before the softmax.")
    max_epochs: int = Field(8, ge=0)
    patience: int = Field(2, ge=1, description="Epochs without a better held-out MRR before stopping.")

    @property
    def tunes(self) -> bool:
        """Whether the model is tuned, which needs a corpus."""
        return self.tuning != "none" and self.max_epochs > 0


class CatalogueSettings(StageSettings):
    """Stage 2, the embedded catalogue."""

    lexical_weight: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of TF-IDF in the similarity, beside the encoder; none: fitted on halves of the songs.",
    )


class BackingSettings(StageSettings):
    """Stage 3, the GRU over music tokens."""

    base: str = Field(
        "none", min_length=1, description="Model to start from: 'none', or a folder that 'rhapsody base backing' wrote."
    )
    embedding_size: int = Field(128, ge=8, description="As hidden size and layers: the base's where there is one.")
    hidden_size: int = Field(256, ge=8)
    layers: int = Field(1, ge=1, le=3)
    dropout: float = Field(0.05, ge=0, lt=1)
    streams: int = Field(24, ge=1, description="Parallel streams of songs in a batch.")
    steps: int = Field(48, ge=8, description="Tokens between truncations of backpropagation.")
    epoch_tokens: int = Field(250_000, ge=1000, description="Tokens of an epoch, after which the state is saved.")
    learning_rate: float = Field(8e-3, gt=0)
    max_epochs: int = Field(4, ge=1)
    patience: int = Field(2, ge=1)


class GateSettings(StageSettings):
    """How much worse than the live release a candidate may be. Part of no recipe: no artifact depends on it."""

    lyrics_tolerance: float = Field(0.05, ge=0, description="Share by which perplexity per word may be higher.")
    backing_tolerance: float = Field(0.05, ge=0, description="Share by which nats per quarter note may be higher.")
    retrieval_tolerance: float = Field(0.05, ge=0, le=1, description="Share by which MRR may be lower.")
    recall_tolerance: float = Field(0.15, ge=0, le=1, description="Share by which Recall@1 may be lower.")
    max_shared_words: int = Field(5, ge=1, description="Longest run of words shared with a training song.")


class DriftSettings(StageSettings):
    """How far a corpus may be from the live release's before anything is trained on it. Part of no recipe."""

    accept: bool = Field(False, description="Train on a corpus however far it is, as long as it is whole.")
    names_distance: float = Field(
        0.3, ge=0, le=1, description="Jensen-Shannon distance (base 2) of languages, genres, keys or metres."
    )
    numbers_distance: float = Field(
        0.25, ge=0, le=1, description="Kolmogorov-Smirnov distance of lengths, tempi, notes or years."
    )
    share_difference: float = Field(
        0.15, ge=0, le=1, description="Of the share of rejects, or of songs with music, with words or with a genre."
    )
    fewer_songs: float = Field(0.3, ge=0, le=1, description="Share by which there may be fewer songs.")
    more_songs: float = Field(4.0, ge=1, description="So many times the songs there may be.")
    broken_share: float = Field(
        0.01, ge=0, lt=1, description="Share of rows in which a year, tempo, length or metre may be out of its range."
    )


class Settings(StageSettings):
    """Everything that a training run depends on, besides the sources themselves.

    `gate` and `drift` alone are in no recipe.
    """

    seed: int = Field(0, ge=0)
    corpus: CorpusSettings = CorpusSettings()
    lyrics: LyricsSettings = LyricsSettings()
    encoder: EncoderSettings = EncoderSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    backing: BackingSettings = BackingSettings()
    gate: GateSettings = GateSettings()
    drift: DriftSettings = DriftSettings()


class SongSettings(StageSettings):
    """What a songwriter asks for."""

    prompt: str = Field(max_length=200_000)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    title: str = Field("", max_length=200)
    candidates: int = Field(16, ge=1, le=256, description="Lyrics written at once, of which the best is kept.")
    temperature: float = Field(0.8, ge=0.1, le=2.0)
    max_lines: int = Field(24, ge=4, le=120, description="Lines at most; a form that is given decides itself.")
    form: str = Field(
        "", max_length=400, description="Sections, e.g. 'verse chorus verse chorus'; empty: as the lines allow."
    )
    lines_per_section: int = Field(4, ge=2, le=8)
    syllables_per_line: int | None = Field(
        None, ge=4, le=16, description="Give or take one; none: as the prompt and the training songs have them."
    )
    words_per_line: int | None = Field(
        None, ge=3, le=12, description="Give or take one; none: lines are measured in syllables."
    )
    key: str = Field("", description="Key of the song, e.g. 'G major'; empty: that of the primer.")
    tempo_bpm: float | None = Field(
        None, ge=40, le=240, description="Quarter notes a minute; none: that of the primer."
    )
    primer: str = Field(
        "", description="A MIDI or MusicXML file that primes the music instead of the matched song; 'none': no song."
    )
    with_primer: bool = Field(True, description="Let the primer's own opening bars be the intro.")
    match_language: str = Field("", max_length=20, description="Of the matched song, e.g. 'en'; empty: any.")
    match_style: str = Field("", max_length=80, description="A genre of the matched song; empty: any.")
    match_tempo: str = Field("", max_length=20, description="Of the matched song, e.g. '90-120'; empty: any.")
    match_key: str = Field("", max_length=20, description="Of the matched song, e.g. 'G major'; empty: any.")
    match_licence: str = Field("", max_length=80, description="Beginning of the matched song's licence; empty: any.")
    match_melody: bool = Field(False, description="The matched song must have a melody.")
    audio: bool = True
    vocal: bool = Field(False, description="Let a synthesizer sing in the recording; needs the extra `vocal`.")

    @property
    def filters_match(self) -> bool:
        """Whether not every song may be matched."""
        texts = (self.match_language, self.match_style, self.match_tempo, self.match_key, self.match_licence)
        return any(texts) or self.match_melody

    @model_validator(mode="before")
    @classmethod
    def _no_primer_opens_nothing(cls, values: Any) -> Any:
        """Without a primer none can open the song, so that it is the same song whether that is asked for or not."""
        if isinstance(values, dict) and values.get("primer") == NO_PRIMER:
            return {**values, "with_primer": False}
        return values

    @model_validator(mode="after")
    def _one_length(self) -> SongSettings:
        if self.syllables_per_line and self.words_per_line:
            raise ValueError("Lines are measured by syllables_per_line or by words_per_line: give one of them")
        if self.vocal and not self.audio:
            raise ValueError("A vocal is sung in the recording: ask for audio too")
        return self


def profile_names() -> list[str]:
    """Names of the packaged profiles."""
    return sorted(path.stem for path in PROFILES_FOLDER.glob("*.toml"))


def _merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in change.items():
        old = merged.get(name)
        merged[name] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def explain(error: ValidationError) -> str:
    """Pydantic's complaints as one line a person can act on."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg'].removeprefix('Value error, ').lower()}"
        for item in error.errors()
    )


def _assignment(text: str) -> dict[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"'{text}' is not a setting such as lyrics.max_epochs=4.")
    try:
        parsed: Any = tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    for part in reversed(name.strip().split(".")):
        parsed = {part: parsed}
    return parsed  # type: ignore[no-any-return]


def load_settings(profile: str = "fast", changes: list[str] | None = None) -> Settings:
    """Settings of a packaged profile or a TOML file, with changes such as `lyrics.max_epochs=4`.

    Raises:
        InputError: no such profile, or a name or value that the settings do not know.
    """
    path = Path(profile) if profile.endswith(".toml") else PROFILES_FOLDER / f"{profile}.toml"
    if not path.is_file():
        raise InputError(
            f"There is no profile '{profile}'. Use {', '.join(profile_names())} or the path of a .toml file."
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        for change in changes or []:
            values = _merge(values, _assignment(change))
        return Settings.model_validate(values)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not valid TOML ({error}).") from error
    except ValidationError as error:
        raise InputError(f"Settings of profile '{profile}': {explain(error)}.") from error
