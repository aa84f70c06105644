"""The commands of `saga events`: one file each, found by its name in cli/menu.py."""
