"""The last stage: the nodes of a checked definition become a plan and its triggers."""
