"""One public function a step: settings and refs in, result out; each touches at most one framework.

The names exported here are the steps that `pipelines` composes, so that this package is itself a namespace of steps.
Importing it loads no framework.
"""

from rhapsody_lib.operations.data_card import check_corpus, make_card
from rhapsody_lib.operations.evaluation import check_gate, evaluate_models
from rhapsody_lib.operations.generation import compose_backing, find_match, write_lyrics, write_song
from rhapsody_lib.operations.pipelines import at_once
from rhapsody_lib.operations.releasing import corpus_summary, figures_of, release_models
from rhapsody_lib.operations.tables import embed_catalogue, prepare_corpus
from rhapsody_lib.operations.training import train_backing, train_encoder, train_lyrics

__all__ = [
    "at_once",
    "check_corpus",
    "check_gate",
    "compose_backing",
    "corpus_summary",
    "embed_catalogue",
    "evaluate_models",
    "figures_of",
    "find_match",
    "make_card",
    "prepare_corpus",
    "release_models",
    "train_backing",
    "train_encoder",
    "train_lyrics",
    "write_lyrics",
    "write_song",
]
