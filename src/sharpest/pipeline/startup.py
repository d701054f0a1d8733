"""Imported first in a job: a fork server runs it where there is one, and Ctrl-C ends it as a kill does, at once.

Importing torch makes many objects and no garbage. Looking for garbage meanwhile takes a quarter of a second a job;
:func:`sharpest.pipeline.job.job` turns it on again.
"""

import gc
import signal

from sharpest.pipeline.forkserver import hand_over

signal.signal(signal.SIGINT, signal.SIG_DFL)
hand_over()
gc.disable()
