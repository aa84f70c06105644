"""Acceptance tests: what the product promises, shown by its real processes on real services."""
