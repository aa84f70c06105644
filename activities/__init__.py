"""Actions: typed functions with side effects, one file a capability."""
