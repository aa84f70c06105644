"""The pure core: what comes next, given a plan, a state and an event."""
