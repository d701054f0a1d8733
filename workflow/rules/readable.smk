# What Snakemake would fail at without a helpful message, or accept. Checked before it reads the other files.
from pathlib import Path

from snakemake.exceptions import WorkflowError

try:
    from sharpest.config.reading import read_yaml
    from sharpest.errors import SharpestError
    from sharpest.pipeline.preconditions import check_room
except ImportError:
    pass  # common.smk reports it
else:
    try:
        check_room(
            Path(workflow.sourcecache.runtime_cache_path),
            Path(workflow.basedir).glob("workflow/rules/*.smk"),
        )
        # its error on invalid YAML names neither file nor line, and it accepts duplicate keys
        for _path in (
            f"{workflow.basedir}/config/config.yaml",
            *workflow.overwrite_configfiles,
        ):
            read_yaml(Path(_path))
    except SharpestError as error:
        raise WorkflowError(str(error))
