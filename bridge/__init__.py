"""The bridge: events of the outside world start, signal and cancel runs, and runs publish events."""
