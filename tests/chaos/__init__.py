"""The fault suite: servers and bridges are killed under load, and the books are compared with what there is."""
