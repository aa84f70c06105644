"""Tests of the schemas of events."""
