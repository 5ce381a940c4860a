"""Measure quality and speed: `python -m bgcam.benchmarks quality DIR` and `... fps --input CLIP`."""
