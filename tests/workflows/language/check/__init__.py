"""Tests of the static checks: for each rule the smallest wrong definition, and right ones that pass."""
