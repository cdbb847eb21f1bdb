"""Measurements that stay in the repository: `python -m tests.benchmarks.NAME [--quick] [--json]`."""
