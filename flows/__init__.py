"""Prefect flows: wiring only, one file a deployment."""
