"""Imported first in a job that needs torch, whose import makes many objects and no garbage.

Looking for garbage meanwhile takes a quarter of a second a job; :func:`sharpest.job.job` turns it on again.
"""

import gc

gc.disable()
