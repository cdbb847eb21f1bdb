"""Real servers for integration tests: each on a free port of 127.0.0.1, in a folder of its own, and can be killed."""
