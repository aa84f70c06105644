"""The report of `saga report`: on a terminal, as JSON, and as one page that needs nothing beside it."""
