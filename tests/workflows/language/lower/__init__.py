"""Tests of the way from nodes to plans."""
