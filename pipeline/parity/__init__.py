"""Parity: is a runtime's output as close to the exact answer as float32 allows? See docs/parity.md."""
