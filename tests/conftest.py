"""For all tests: one thread each, since they share the cores; hypothesis without a deadline (first calls into torch are
slow), and with a fixed seed where CI is set.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch

from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
