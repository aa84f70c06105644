"""Tests of the shape of definitions."""
