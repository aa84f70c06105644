"""The command `saga`: one file a command; the composition root and the only reader of the environment."""
