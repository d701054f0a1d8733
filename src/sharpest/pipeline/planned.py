"""Jobs run the code that Snakemake planned with: they import it from this checkout, and end if it has changed.

Snakemake records the code that it read when it planned. If a job ran other code, and the edit was then taken back, the
record would say that the result is current.
"""

import hashlib
import os
import sys
from pathlib import Path

import sharpest

VARIABLE = "SHARPEST_SOURCES"
"""Environment variable with the digest of the sources when Snakemake planned."""


def remember_sources(scripts: Path) -> None:
    """Set the variable for the jobs. Called before the fingerprints are computed."""
    os.environ[VARIABLE] = _sources(scripts)


def lend_package(source: Path) -> None:
    """Let jobs in an environment of their own (``--sdm conda``) import the package from this checkout.

    Args:
        source: The folder ``src``.
    """
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(source), os.getenv("PYTHONPATH")]))


def check_code() -> None:
    """End a job with one line if code that it depends on has changed. Takes 10 ms, or a second if any file has changed.

    Comments and other edits that do not affect the job are allowed. Jobs on other machines plan for themselves.
    """
    job = getattr(sys.modules["__main__"], "snakemake", None)
    if VARIABLE not in os.environ or job is None:
        return
    scripts = Path(job.scriptdir).resolve()
    if _sources(scripts) == os.environ[VARIABLE]:
        return
    from sharpest.pipeline.fingerprint import changed_since

    if changed := changed_since([job.params.code], scripts):
        sys.exit(
            f"error      {', '.join(changed)} changed after snakemake had planned this job; give the same command again"
        )


def _sources(scripts: Path) -> str:
    """A digest of path, size and time of all source files."""
    files = sorted([*Path(sharpest.__file__).parent.rglob("*.py"), *scripts.glob("*.py")])
    status = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(repr(status).encode()).hexdigest()
