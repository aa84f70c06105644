"""The report as text, as JSON and as a page."""
