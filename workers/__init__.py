"""Processes that host workflows and activities: the worker, its telemetry, and the reconciler of schedules."""
