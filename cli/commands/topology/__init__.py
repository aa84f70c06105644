"""The commands of `saga topology`."""
