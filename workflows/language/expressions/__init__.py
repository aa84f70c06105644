"""Expressions: CEL over JSON values, the templates that hold them, and their static types."""
