"""`python -m tests.servers.tiny_encoder FOLDER`: a random sentence-BERT of two layers, for what needs any model."""

from __future__ import annotations

import sys
from pathlib import Path

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*MARKS, "the", "a", "i", "you", "we", "is", "sky", "river", "love", "song", "night", "day", "heart", "rain"]


def main(folder: Path) -> None:
    """Write it as sentence-transformers does."""
    import torch
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel, BertTokenizerFast  # type: ignore[attr-defined,unused-ignore]

    parts = folder.with_name(f"{folder.name}-parts")
    parts.mkdir(parents=True)
    (parts / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(parts)
    BertTokenizerFast(str(parts / "vocab.txt"), model_max_length=64).save_pretrained(parts)
    transformer = models.Transformer(str(parts), max_seq_length=64)
    SentenceTransformer(modules=[transformer, models.Pooling(16)], device="cpu").save(str(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
