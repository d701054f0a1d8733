"""Imported first in a job: hands the job to the fork server if there is one, and makes Ctrl-C end it at once.

A job whose code has changed since it was planned ends here.

Importing torch creates many objects and no garbage; garbage collection would take a quarter of a second per job.
``sharpest.pipeline.job.job`` enables it again.
"""

import gc
import signal

from sharpest.pipeline.forkserver import hand_over
from sharpest.pipeline.planned import check_code

signal.signal(signal.SIGINT, signal.SIG_DFL)
hand_over()
check_code()
gc.disable()
