"""Tests of the definitions that ship: they compile without a word, and do what their comments say."""
