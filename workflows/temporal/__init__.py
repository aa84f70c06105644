"""The Temporal shell: it carries out what the pure engine asks for, and tells the engine what happened."""
