"""Tests of the topology: model, layout, file, differences. No broker is needed."""
