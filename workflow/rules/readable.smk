# Snakemake's error on invalid YAML names neither file nor line, and it accepts duplicate keys. Check before it reads.
from pathlib import Path

from snakemake.exceptions import WorkflowError

try:
    from sharpest.config.reading import read_yaml
    from sharpest.errors import ConfigError
except ImportError:
    pass  # common.smk reports it
else:
    try:
        for _path in (
            f"{workflow.basedir}/config/config.yaml",
            *workflow.overwrite_configfiles,
        ):
            read_yaml(Path(_path))
    except ConfigError as error:
        raise WorkflowError(str(error))
