"""Tests that keep the documentation true: its examples compile, its tables are those of the code."""
