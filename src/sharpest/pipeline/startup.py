"""Imported first in a job: Ctrl-C ends it as a kill does, at once and without a traceback.

Importing torch makes many objects and no garbage. Looking for garbage meanwhile takes a quarter of a second a job;
:func:`sharpest.pipeline.job.job` turns it on again.
"""

import gc
import signal

gc.disable()
signal.signal(signal.SIGINT, signal.SIG_DFL)
