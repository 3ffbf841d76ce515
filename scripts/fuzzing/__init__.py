"""Fuzzing of everything that reads what comes from the network; `scripts/fuzz` runs it."""
