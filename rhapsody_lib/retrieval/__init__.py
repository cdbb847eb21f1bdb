"""Stage 2: SBERT encoder (the only sentence-transformers), vectors, search, metrics."""
