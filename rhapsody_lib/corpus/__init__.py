"""Corpora: readers (one file a source format), cleaning, splitting, schema."""
