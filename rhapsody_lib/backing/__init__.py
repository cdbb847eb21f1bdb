"""Stage 3: tokens, GRU and training (the only torch beside the encoder), NumPy decoder, metrics."""
