# Of a configuration that is no YAML, Snakemake names neither file nor line, and of two equal keys it takes one.
from pathlib import Path

from snakemake.exceptions import WorkflowError

try:
    from sharpest.config.reading import read_yaml
    from sharpest.errors import ConfigError
except ImportError:
    pass  # what comes next says so
else:
    try:
        for _path in (
            f"{workflow.basedir}/config/config.yaml",
            *workflow.overwrite_configfiles,
        ):
            read_yaml(Path(_path))
    except ConfigError as error:
        raise WorkflowError(str(error))
