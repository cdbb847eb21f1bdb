"""Stage 1: vocabulary, network and training (the only Keras), NumPy decoder, metrics."""
