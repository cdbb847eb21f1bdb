"""Prefect tasks: one wrapper an operation."""
