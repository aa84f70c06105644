"""Processes that host workflows and activities: the worker, its telemetry; and schedules, made and looked after."""
