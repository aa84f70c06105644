"""Real services for the tests, started once in a session and shared by all tests that ask for them."""
