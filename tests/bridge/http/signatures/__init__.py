"""Tests of the schemes by which webhooks are signed."""
