"""Tests of the actions, with real servers at the other end."""
