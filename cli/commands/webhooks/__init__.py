"""`saga webhooks`: who may send webhooks, and trying it out."""
