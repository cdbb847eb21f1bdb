"""Stage 4: words fitted to music, and the files a person gets."""
