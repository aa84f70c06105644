"""Definitions as durable workflows: the language, the pure engine, and the thin shell around it."""
