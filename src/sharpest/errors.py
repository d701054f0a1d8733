"""The errors a user can mend: each message names the key or file, the limit, and the remedy."""


class SharpestError(Exception):
    """Base of the errors that are reported to a person in one line, without a traceback."""


class ConfigError(SharpestError):
    """A setting is unknown, of the wrong type, out of range, or at odds with another one."""


class DataError(SharpestError):
    """A data file is missing, incomplete, or not what its checksum says."""


class StoreError(SharpestError):
    """A results file is missing, truncated, foreign, or of another layout version."""
