"""Benchmarks: the product beside the same written by hand, in one run, alternating; ratios, never absolute promises."""
