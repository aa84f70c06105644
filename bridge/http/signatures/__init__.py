"""Schemes by which senders sign webhooks, one a file; `schemes` lists them."""
