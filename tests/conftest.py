"""All tests: the plugin with their fixtures is tests/support/plugin.py; the environment is not theirs to read."""
