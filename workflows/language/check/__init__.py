"""Static checks of a definition: one rule a file, all findings reported together."""
