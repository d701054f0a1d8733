"""The command ``sharpest``: one module a command, imported when it is given."""
