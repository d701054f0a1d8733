"""The command ``sharpest``: one module per subcommand, imported when needed."""
