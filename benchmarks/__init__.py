"""isomer beside what people use today, in one run, as ratios. `python -m benchmarks` runs all."""
