"""The outside world over HTTP: webhooks become events, and probes learn how the process is."""
