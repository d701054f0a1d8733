# What Snakemake would fail at without a helpful message, or accept. Checked before it reads the other files.
from pathlib import Path

from snakemake.exceptions import WorkflowError

try:
    from sharpest.config.reading import read_keys
    from sharpest.errors import SharpestError
    from sharpest.pipeline.preconditions import check_braces, check_room
except ImportError:
    pass  # common.smk reports it
else:
    try:
        check_braces(Path(workflow.basedir))
        check_room(
            Path(workflow.sourcecache.runtime_cache_path),
            Path(workflow.basedir).glob("workflow/rules/*.smk"),
        )
        # its errors on invalid YAML and on a list name neither file nor line, and it accepts duplicate keys
        for _path in (
            f"{workflow.basedir}/config/config.yaml",
            *workflow.overwrite_configfiles,
        ):
            read_keys(Path(_path))
    except SharpestError as error:
        raise WorkflowError(str(error))
