"""Tests of the embedded stack, with its real servers."""
