"""The commands of `saga dlq`: one file each, found by its name in cli/menu.py."""
