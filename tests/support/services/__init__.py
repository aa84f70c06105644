"""Real servers for the tests. Those that every test may share are started once in a run, by `shared`."""
