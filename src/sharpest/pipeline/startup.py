"""Imported first in a job: hands the job to the fork server if there is one, and makes Ctrl-C end it at once.

Importing torch creates many objects and no garbage; garbage collection would take a quarter of a second per job.
``sharpest.pipeline.job.job`` enables it again.
"""

import gc
import signal

from sharpest.pipeline.forkserver import hand_over

signal.signal(signal.SIGINT, signal.SIG_DFL)
hand_over()
gc.disable()
