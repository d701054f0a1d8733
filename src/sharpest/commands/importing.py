"""The command ``import``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sharpest.commands.arguments import CONFIG, RESULTS, argument, command, in_project
from sharpest.errors import ConfigError, some_of

if TYPE_CHECKING:
    from sharpest.checkpoints.write import Imported
    from sharpest.data.imported import Examples
    from sharpest.results.paths import Paths


@command(
    "import",
    argument("checkpoints", nargs="+", metavar="FILE", help="torch or safetensors; patterns are expanded"),
    argument("--net", required=True, metavar="MODULE:NAME", help="a function that returns the net"),
    argument("--loss", required=True, metavar="MODULE:NAME", help="loss(model, batch), the mean over a batch"),
    argument("--data", required=True, metavar="MODULE:NAME", help="batches, the same on every call"),
    argument("--run", metavar="ID", help="default: net-data-sgd-lr<of the checkpoint>-S<size of the first batch>-s0"),
    argument("--epoch", type=int, metavar="UPDATES", help="updates per epoch; default: one pass over the batches"),
    argument("--scale", default="imported", metavar="NAME", help="file in config/scales; default: imported"),
    RESULTS,
)
def import_checkpoints(options: argparse.Namespace) -> int:
    """Import checkpoints as a run: spectra, directions, gradient samples, density and figures work as for any run.

    Net, loss and data are given as module:name, with modules in the current folder. --net is a function that returns
    the net; --loss is loss(model, batch), the mean over the batch; --data is a list of batches or a function that
    returns one. Run the command in the folder of the Snakefile.
    """
    from sharpest.checkpoints.files import contents_of, found_files, learning_rate, load_net, numbered
    from sharpest.data.imported import read_examples
    from sharpest.models.imported import build_net
    from sharpest.results.paths import Paths

    scale_file, paths = CONFIG / "scales" / f"{options.scale}.yaml", Paths.of(options.scale, options.results)
    _check_unused(scale_file, paths)
    checkpoints, source = numbered(found_files(options.checkpoints))
    net, _ = build_net({"kind": "imported", "net": options.net, "loss": options.loss})
    first = contents_of(checkpoints[0][1])
    load_net(net, first, checkpoints[0][1])
    examples, lr = read_examples(options.data), learning_rate(first)
    imported = _scale(options, [iteration for iteration, _ in checkpoints], examples, lr)
    try:
        scale_file.write_text(imported.text(), encoding="utf-8")
        losses = _write(options, imported, examples, checkpoints, paths)
    except BaseException:
        scale_file.unlink(missing_ok=True)
        paths.data(imported.data).unlink(missing_ok=True)
        raise
    print(f"{paths.snapshots(imported.run)}: {imported.run}, {len(checkpoints)} checkpoints; it cannot be replayed")
    print(f"iteration = {source}: {some_of(imported.iterations)}")
    print(f"loss {losses[0]:.4g} at the first, {losses[-1]:.4g} at the last, on {len(examples)} examples")
    if options.run is None and lr is None:
        print("no learning rate in the checkpoints: steps and the edge assume 1; set another with --run ID")
    print(f"{scale_file}: snakemake --cores all {paths.figure('fig_sharpness', 'png')} --config scale={options.scale}")
    return 0


def _check_unused(scale_file: Path, paths: "Paths") -> None:
    """Refuse to overwrite files."""
    in_project(scale_file.parent)
    for path in (scale_file, paths.folder):
        if path.exists():
            raise ConfigError(
                f"{path} exists; choose another name with --scale, or delete {scale_file} and {paths.folder}"
            )


def _scale(options: argparse.Namespace, iterations: list[int], examples: "Examples", lr: float | None) -> "Imported":
    """The settings of the imported run."""
    from sharpest.checkpoints.write import Imported
    from sharpest.config.run_id import RunId

    text = options.run or str(RunId("net", "data", "sgd", lr or 1.0, examples.counts[0], seed=0))
    run = RunId.parse(text)
    if run.parent is not None or run.num_directions or run.subset or run.rule != "const" or run.l2:
        raise ConfigError(
            f"--run {text}: expected a plain run, such as net-data-sgd-lr0.1-S32-s0; --loss sets the loss"
        )
    if options.epoch is not None and options.epoch < 1:
        raise ConfigError(f"--epoch {options.epoch} must be at least 1")
    return Imported(
        run=text,
        model=run.model,
        data=run.data,
        net=options.net,
        loss=options.loss,
        batches=options.data,
        examples=len(examples),
        batch_size=run.batch_size,
        iterations=iterations,
        epoch=options.epoch,
    )


def _write(
    options: argparse.Namespace,
    imported: "Imported",
    examples: "Examples",
    checkpoints: list[tuple[int, Path]],
    paths: "Paths",
) -> list[float]:
    """Write the record of the data, then the states; returns the loss at each checkpoint."""
    from sharpest.checkpoints.write import write_examples, write_run
    from sharpest.config.project import load_project
    from sharpest.config.reading import read_keys
    from sharpest.pipeline.provenance import now, provenance
    from sharpest.trajectory.problem import build_problem

    config = read_keys(CONFIG / "config.yaml")
    project = load_project({**config, "scale": options.scale}, CONFIG)
    settings, origin = project.run(imported.run), {"code": "", "created": now()}
    modules = (imported.net, imported.loss, imported.batches)
    write_examples(paths.data(imported.data), examples, imported.batches, modules, origin)
    problem = build_problem(settings, paths.data(imported.data))
    notes = ["imported: trained elsewhere, cannot be replayed"]
    attributes = provenance(options.scale, settings.model_dump(mode="json"), problem.data.name, notes, "")
    hessian = project.hessian(imported.run).model_dump(mode="json")
    return write_run(problem, checkpoints, paths, {**attributes, "hessian": hessian})
