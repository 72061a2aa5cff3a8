"""Benchmarks: each suite prints a table with its peers measured in the same run, and writes `results/`."""
