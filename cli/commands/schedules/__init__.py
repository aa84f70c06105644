"""The commands of `saga schedules`: one file each, found by its name in cli/menu.py."""
