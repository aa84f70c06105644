"""The second stage: a positioned tree becomes nodes, checked for shape; a file for each kind of step."""
