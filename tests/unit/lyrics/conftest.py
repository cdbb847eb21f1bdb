"""A lyrics model of three songs with fixed weights, and a corpus folder of the same songs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA
from rhapsody_lib.lyrics.copying import CopyIndex
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.phrases import Phrases
from rhapsody_lib.lyrics.steering import SteeringTables
from rhapsody_lib.lyrics.streams import joined
from rhapsody_lib.lyrics.vocabulary import Vocabulary
from rhapsody_lib.words.document import Lyrics, parse_lyrics

SONGS = (
    """[verse 1]
The harbour lamp is burning low
A little boat is coming home
I count the stones along the wall
And wait for you till evening fall

[chorus]
Oh the tide will turn and bring you in
Salt on your coat and on your skin

[verse 2]
The kettle sings upon the stove
The gulls are crying in the cove
I set your cup beside my own
And listen to the telephone

[chorus]
Oh the tide will turn and bring you in
Salt on your coat and on your skin
""",
    """[verse 1]
We took the early train to town
My father wore his suit of brown
You held the ticket in your hand
And hummed along beside the band

[bridge]
Some roads go up and some go down
Some girls will never leave the town
""",
    """[verse 1]
I dance alone beside the stove
My shoes are old my coat is brown
The radio is playing low
The only song I ever know
""",
)


@pytest.fixture(scope="session")
def songs() -> list[Lyrics]:
    return [parse_lyrics(text) for text in SONGS]


@pytest.fixture(scope="session")
def model(songs: list[Lyrics]) -> LyricsModel:
    vocabulary = Vocabulary.build(songs, 1, 1000)
    streams = [vocabulary.encode_song(song) for song in songs]
    rng = np.random.default_rng(0)
    embedding, hidden = 8, 12
    shapes = {
        "embedding": (len(vocabulary), embedding),
        "kernel": (embedding, 4 * hidden),
        "recurrent": (hidden, 4 * hidden),
        "bias": (4 * hidden,),
        "projection": (hidden, embedding),
        "projection_bias": (embedding,),
        "output_bias": (len(vocabulary),),
    }
    weights = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    return LyricsModel(
        vocabulary,
        weights,
        SteeringTables.build(vocabulary, streams),
        CopyIndex.build(songs),
        Phrases(joined(streams), len(vocabulary)),
    )


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    rows = [
        {**dict.fromkeys(SONGS_SCHEMA.names), "title": f"Song {number}", "lyrics": text, "split": split}
        for number, (text, split) in enumerate(zip(SONGS, ("train", "train", "heldout"), strict=True))
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=SONGS_SCHEMA), folder / SONGS_FILE)
    return folder
