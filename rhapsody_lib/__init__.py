"""Rhapsody: a prompt becomes a song. This package knows nothing of Prefect."""
