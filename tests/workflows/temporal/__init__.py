"""Tests of the Temporal shell, most of them against the real server."""
