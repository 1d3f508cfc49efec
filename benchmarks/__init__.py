"""Benchmarks: each measures beside a yardstick in the same run, asserts that its result is right, and reports a ratio."""
