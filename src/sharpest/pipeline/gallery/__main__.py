"""Keep finished figures and tables beside the docs: ``python -m sharpest.pipeline.gallery fig06 --scale small``.

Without a name, the pages are brought up to date with what is there. At the root of the repository.
"""

import argparse
import sys
from pathlib import Path

from sharpest.config.project import load_project
from sharpest.config.reading import merge, read_yaml
from sharpest.errors import SharpestError
from sharpest.pipeline.gallery.entry import collect
from sharpest.pipeline.gallery.page import pages
from sharpest.report.files import Results, is_figure

GALLERY = Path("docs/gallery")
SCRIPTS = Path("workflow/scripts")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m sharpest.pipeline.gallery", description=__doc__)
    parser.add_argument("studies", nargs="*", metavar="STUDY", help="a finished figure or table, such as fig06")
    parser.add_argument("--scale", help="a file in config/scales; else that of config/config.yaml")
    parser.add_argument("--configfile", type=Path, help="as snakemake was given it")
    options = parser.parse_args()
    try:
        for study in options.studies:
            _keep(study, options.scale, options.configfile)
    except SharpestError as error:
        sys.exit(f"error: {error}")
    for path, text in pages(GALLERY, SCRIPTS).items():
        path.write_text(text, encoding="utf-8")


def _keep(study: str, scale: str | None, configfile: Path | None) -> None:
    config = merge(read_yaml(Path("config/config.yaml")), read_yaml(configfile) if configfile else {})
    project = load_project({**config, **({"scale": scale} if scale else {})}, Path("config"))
    if study not in project.studies:
        raise SharpestError(f"no figure or table {study!r}; known: {', '.join(project.studies)}")
    results = Path("results", project.settings.scale)
    target = Results(results).drawing(study) if is_figure(study) else Results(results).table(study)
    options = [f"--config scale={scale}"] * bool(scale) + [f"--configfile {configfile}"] * bool(configfile)
    collect(project, study, results, SCRIPTS, " ".join(["snakemake --cores 2", str(target), *options]), GALLERY)


if __name__ == "__main__":
    main()
