"""``python -m sharpest`` is the command ``sharpest``."""

import sys

from sharpest.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
