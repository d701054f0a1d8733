"""Makes ``python -m sharpest`` run the command ``sharpest``."""

import sys

from sharpest.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
