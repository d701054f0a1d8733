"""The configuration: reading it, and the one-line refusal of each mistake with its remedy."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sharpest.config import reductions
from sharpest.config.project import Project, load_project
from sharpest.config.reading import read_runs
from sharpest.config.run import RunSettings
from sharpest.config.run_id import RunId
from sharpest.config.scale import ScaleRuns
from sharpest.config.scale_files import check_scale_files, read_scale
from sharpest.config.schedule import measurement_points
from sharpest.errors import ConfigError

ROOT = Path(__file__).parents[3]
SCALES = ["quick", "small", "paper"]
ADDED_RUN = "scnn-c10-sgd-lr0.07-S64-s777"
ADDED_LINE = f"runs.tsv, line {len((ROOT / 'config/runs.tsv').read_text().splitlines()) + 1}"
TRUNK = "r32-c10-sgd-lr0.1-S128-s777"


class Config:
    """A copy of the folder ``config`` that a test may change."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT / "config", folder)
        self.folder = folder

    def edit(self, name: str, change: Callable[[Any], object]) -> None:
        """Apply ``change`` to the content of a YAML file."""
        path = self.folder / name
        content = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        change(content)
        path.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False), encoding="utf-8")

    def set(self, name: str, key: str, value: object) -> None:
        """Set a key of a YAML file, given with dots."""
        *parents, last = key.split(".")

        def change(content: Any) -> None:
            for parent in parents:
                content = content[int(parent)] if isinstance(content, list) else content.setdefault(parent, {})
            content[last] = value

        self.edit(name, change)

    def remove(self, name: str, key: str) -> None:
        """Remove a key of a YAML file, given with dots."""
        *parents, last = key.split(".")

        def change(content: Any) -> None:
            for parent in parents:
                content = content[parent]
            del content[last]

        self.edit(name, change)

    def for_runs(self, pattern: str, **changes: object) -> None:
        """Append an entry to the list of the scale quick."""
        entry = {"runs": pattern, "set": changes}
        self.edit("scales/quick.yaml", lambda scale: scale["for_runs"].append(entry))

    def drop_figures(self) -> None:
        """Keep only the tables, for tests that make runs shorter than their schedules."""

        def keep_tables(content: dict[str, Any]) -> None:
            for name in [name for name in content if not name.startswith("tab")]:
                del content[name]

        self.edit("studies.yaml", keep_tables)
        (self.folder / "beyond.yaml").unlink()
        self.edit("scales/quick.yaml", lambda scale: [keep_tables(scale[key]) for key in ("paper_seeds", "notes")])

    def drop_run(self, run: str) -> None:
        """Remove a row of the runs."""
        path = self.folder / "runs.tsv"
        rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(row for row in rows if row.split("\t")[0] != run), encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        with open(self.folder / name, "a", encoding="utf-8") as file:
            file.write(text)

    def load(self, **config: object) -> Project:
        return load_project({"scale": "quick", **config}, self.folder)

    def refusal(self, **config: object) -> str:
        """The message that refuses the configuration."""
        with pytest.raises(ConfigError) as caught:
            self.load(**config)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path / "config")


@pytest.fixture(scope="module", params=SCALES)
def project(request: pytest.FixtureRequest) -> Project:
    return load_project({"scale": request.param}, ROOT / "config")


def test_every_scale_loads_as_shipped(project: Project) -> None:
    shipped = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    assert load_project({**shipped, "scale": project.settings.scale}, ROOT / "config") == project
    assert shipped["scale"] == "quick"


def test_every_run_and_every_curve_has_settings_and_points(project: Project) -> None:
    for run in project.run_ids:
        settings = project.run(run)
        assert settings.run == run
        assert settings.epochs >= 1
    for study in project.studies.values():
        for curve in study.curves():
            points = project.schedule(curve.run, curve.schedule).points
            assert points[-1] <= project.run(curve.run).num_iterations


def test_runs_of_the_paper_are_what_their_ids_say() -> None:
    paper = load_project({"scale": "paper"}, ROOT / "config")
    for run in paper.run_ids:
        settings, run_id = paper.run(run), RunId.parse(run)
        assert (settings.lr, settings.batch_size, settings.l2) == (run_id.lr, run_id.batch_size, run_id.l2)
        assert settings.momentum == run_id.momentum
        assert (settings.nudge is None) == (run_id.optimizer != "nsgd" and not run_id.variant)
        assert (settings.branch.parent if settings.branch else None) == run_id.parent
        assert settings.epochs == paper.epochs[run]
        assert paper.reductions([run]) == []
    # inventory 1.3: 45,000 examples make 351 updates of 128
    assert paper.run("scnn-c10-sgd-lr0.1-S128-s777").steps_per_epoch == 351


def test_nsgd_computes_more_eigenpairs_than_it_uses(config: Config) -> None:
    many = "r32-c10-nsgd-lr0.01-S128-g0.1-K20-s777"
    config.append("runs.tsv", f"{many}\tK\t10\n")
    project = config.load()
    few = project.run("r32-c10-nsgd-lr0.01-S128-g0.1-K5-plat-s777").nudge
    assert few is not None
    assert (few.gamma, few.num_directions, few.num_eigenpairs) == (0.1, 5, 10)
    assert project.run(many).nudge.num_eigenpairs == 20  # type: ignore[union-attr]


# --- scales


def test_a_scale_changes_only_the_keys_it_sets(config: Config) -> None:
    config.append("scales/other.yaml", "extends: paper\ndescription: other\nhessian: {max_products: 64}\n")
    other, paper = config.load(scale="other").scale, config.load(scale="paper").scale
    assert other.hessian.max_products == 64
    changes = {"description": "other", "hessian": paper.hessian.model_copy(update={"max_products": 64})}
    assert other == paper.model_copy(update=changes)


def test_quick_lists_all_its_changes() -> None:
    """Every value of quick is in its own file, or equals the paper's."""

    def check(found: Any, own: Any, inherited: Any, key: str) -> None:
        if isinstance(found, dict) and (isinstance(own, dict) or own is None) and isinstance(inherited, dict):
            for name, value in found.items():
                check(value, (own or {}).get(name), inherited.get(name), f"{key}.{name}")
        else:
            assert found == (inherited if own is None else own), key

    own = yaml.safe_load((ROOT / "config/scales/quick.yaml").read_text(encoding="utf-8"))
    quick, paper = (load_project({"scale": name}, ROOT / "config").scale for name in ("quick", "paper"))
    check(quick.model_dump(mode="json"), own, paper.model_dump(mode="json"), "quick")


def test_points_count_in_the_scales_learning_rate(config: Config) -> None:
    config.set("scales/quick.yaml", "schedules.evolution.points", "every 3/lr iterations")
    run = "scnn-c10-sgd-lr0.1-S128-s777"
    project = config.load()
    settings = project.run(run)
    assert settings.lr == 0.3  # not 0.30000000000000004
    expected = measurement_points("every 10 iterations", settings.epochs, settings.steps_per_epoch, 1)
    assert project.schedule(run, "evolution").points == expected


def test_a_data_set_is_overridden_in_the_config(config: Config) -> None:
    project = config.load(datasets={"c10": {"source": "fashion-mnist", "train": 1400}})
    assert project.scale.datasets["c10"].source == "fashion-mnist"
    assert project.scale.datasets["c10"].train == 1400
    assert project.scale.datasets["c10"].val == 200
    assert project.scale.datasets["fm"].source == "digits"


SUBSTITUTES = yaml.safe_load((ROOT / "config/substitutes/debian.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def debian(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The shipped set of substitutes, in a folder with a place for its files."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return SUBSTITUTES


def test_substitutes_replace_every_use_of_their_original(config: Config, debian: dict[str, Any]) -> None:
    originals, substituted = config.load(scale="small"), config.load(scale="small", **debian)

    def sources(project: Project) -> dict[str, str]:
        return {name: dataset.source for name, dataset in project.scale.datasets.items()}

    assert sources(originals) == {
        "c10": "cifar-10", "few": "cifar-10", "c5k": "cifar-10", "c100": "cifar-100", "fm": "fashion-mnist",
        "ptb": "ptb", "imdb": "imdb",
    }  # fmt: skip
    assert sources(substituted) == {
        "c10": "fashion-mnist", "few": "fashion-mnist", "c5k": "fashion-mnist", "c100": "fashion-mnist",
        "fm": "fashion-mnist",
        "ptb": "bible-kjv", "imdb": "rated-sentences",
    }  # fmt: skip
    assert (originals.scale.datasets["imdb"].length, substituted.scale.datasets["imdb"].length) == (400, 50)
    # a scale that does not name an original replaces nothing
    assert sources(config.load(**debian)) == sources(config.load())


def test_outputs_name_the_substitutes(config: Config, debian: dict[str, Any]) -> None:
    project = config.load(scale="small", **debian)
    fig04, fig21, tab5 = (project.study_reductions(name) for name in ("fig04", "fig21", "tab5"))
    assert "Fashion-MNIST in place of CIFAR-10" in fig04
    assert "King James Bible in place of Penn Treebank" in fig04
    assert "rated sentences of movie reviews in place of IMDB" in fig21
    assert "length 50 (400)" in fig21
    assert not [note for note in tab5 if "in place of" in note]
    originals = config.load(scale="small")
    assert not [
        note for name in originals.studies for note in originals.study_reductions(name) if "in place of" in note
    ]


def test_outputs_mention_omitted_seeds(config: Config) -> None:
    config.set("scales/small.yaml", "paper_seeds", {"tab5": 1, "tab7": 2})
    project = config.load(scale="small", seeds=0)
    assert "1 seed (2)" in project.study_reductions("tab5")
    assert "2 seeds (3)" in project.study_reductions("tab7")
    assert not [note for name in ("fig02", "tab6") for note in project.study_reductions(name) if "seed" in note]


def test_an_own_run_is_not_compared_with_the_paper_whatever_its_seed(config: Config) -> None:
    run = "scnn-c10-sgd-lr0.1-S16-s777"
    config.set("scales/small.yaml", "runs", {run: 8})
    project = config.load(scale="small")
    for seed in ("777", "1001"):
        assert project.reductions([run.replace("777", seed)]) == []


def test_one_data_set_can_keep_its_original(config: Config, debian: dict[str, Any]) -> None:
    project = config.load(scale="small", datasets={"c100": {"source": "cifar-100"}}, **debian)
    assert project.scale.datasets["c100"].source == "cifar-100"
    assert project.scale.datasets["c10"].source == "fashion-mnist"


# --- mistakes: (the change, parts of the message)

MISTAKES: dict[str, tuple[Callable[[Config], object], list[str]]] = {
    # unknown keys
    "unknown key in a scale": (
        lambda c: c.set("scales/quick.yaml", "patiense", 3),
        ["quick.yaml", "unknown key 'patiense'", "did you mean patience"],
    ),
    "unknown key in a scale, nested": (
        lambda c: c.set("scales/quick.yaml", "hessian.example", 3),
        ["quick.yaml", "unknown key 'hessian.example'", "did you mean examples"],
    ),
    "unknown key in a model": (
        lambda c: c.set("scales/quick.yaml", "models.r32.width", 3),
        ["quick.yaml", "unknown key 'models.r32.width'", "did you mean widths"],
    ),
    "unknown key in a list": (
        lambda c: c.set("studies.yaml", "fig01.rows.0.labels", "x"),
        ["studies.yaml", "unknown key 'fig01.rows.0.labels'", "did you mean label"],
    ),
    "key of another place": (
        lambda c: c.set("scales/quick.yaml", "hessian.patience", 3),
        ["quick.yaml", "unknown key 'hessian.patience'", "remove it"],
    ),
    "unknown key in the paper's scale": (
        lambda c: c.set("scales/paper.yaml", "hessian.example", 3),
        ["paper.yaml", "unknown key 'hessian.example'"],
    ),
    "unknown key in a study": (
        lambda c: c.set("studies.yaml", "fig01.acuracy", True),
        ["studies.yaml", "unknown key 'fig01.acuracy'", "did you mean accuracy"],
    ),
    # values
    "wrong type": (
        lambda c: c.set("scales/quick.yaml", "hessian.examples", "many"),
        ["quick.yaml, line", "hessian.examples should be a valid integer", "found 'many'"],
    ),
    "wrong type in a model": (
        lambda c: c.set("scales/quick.yaml", "models.scnn.width", [8]),
        ["quick.yaml, line", "models.scnn.width should be a valid integer", "found [8]"],
    ),
    "wrong type of points": (
        lambda c: c.set("scales/quick.yaml", "schedules.late.points", 5),
        ["quick.yaml, line", "schedules.late.points should be a valid string", "found 5"],
    ),
    "out of range": (
        lambda c: c.set("scales/quick.yaml", "hessian.examples", -1),
        ["quick.yaml, line", "hessian.examples should be greater than 0", "found -1"],
    ),
    "out of range in a list": (
        lambda c: c.set("studies.yaml", "fig06.alphas", [1, 0]),
        ["studies.yaml, line", "fig06.alphas.1 should be greater than 0", "found 0"],
    ),
    "infinite": (
        lambda c: c.set("scales/quick.yaml", "lr_factor", float("inf")),
        ["quick.yaml, line", "lr_factor should be a finite number", "found inf"],
    ),
    "patterns for a number": (
        lambda c: c.set("scales/quick.yaml", "lr_factor", {"scnn-*": 3}),
        ["quick.yaml, line", "lr_factor should be a valid number", "found {'scnn-*': 3}"],
    ),
    "no such choice": (
        lambda c: c.set("scales/quick.yaml", "models.scnn.padding", "full"),
        ["quick.yaml, line", "models.scnn.padding should be 'valid' or 'same'", "found 'full'"],
    ),
    "missing key": (
        lambda c: c.remove("scales/paper.yaml", "models.scnn.width"),
        ["paper.yaml, line", "models.scnn.width is missing", "add it"],
    ),
    "missing top-level key": (
        lambda c: c.remove("scales/paper.yaml", "hessian"),
        ["paper.yaml: hessian is missing", "add it"],
    ),
    "key without a value": (
        lambda c: c.set("scales/quick.yaml", "snapshot_every", None),
        ["quick.yaml, line", "snapshot_every should be", "found None"],
    ),
    "list for a mapping": (
        lambda c: c.set("scales/quick.yaml", "schedules", ["late"]),
        ["quick.yaml, line", "schedules should be a valid dictionary", "found ['late']"],
    ),
    "unknown kind of model": (
        lambda c: c.set("scales/paper.yaml", "models.r32.kind", "transformer"),
        ["paper.yaml, line", "models.r32.kind should be 'simple_cnn', 'resnet', 'vgg'", "found 'transformer'"],
    ),
    "unknown kind of data": (
        lambda c: c.set("scales/paper.yaml", "datasets.ptb.kind", "sounds"),
        ["paper.yaml, line", "datasets.ptb.kind should be 'images'", "found 'sounds'"],
    ),
    "unknown kind of study": (
        lambda c: c.set("studies.yaml", "fig01.kind", "pie"),
        ["studies.yaml, line", "fig01.kind should be 'spectrum_evolution'", "found 'pie'"],
    ),
    "study without a kind": (
        lambda c: c.remove("studies.yaml", "fig01.kind"),
        ["studies.yaml, line", "fig01.kind is missing", "add it"],
    ),
    # files
    "not YAML": (lambda c: c.append("scales/quick.yaml", "\n{["), ["quick.yaml is not YAML", "line"]),
    "studies are not YAML": (lambda c: c.append("studies.yaml", "\n\tx: {"), ["studies.yaml is not YAML"]),
    "not text": (
        lambda c: (c.folder / "studies.yaml").write_bytes(b"\xff\xfe\x00"),
        ["studies.yaml is not", "UTF-8"],
    ),
    "empty scale": (lambda c: (c.folder / "scales/quick.yaml").write_text(""), ["quick.yaml: holds no keys"]),
    "empty studies": (lambda c: (c.folder / "studies.yaml").write_text(""), ["studies.yaml", "should be"]),
    "missing studies": (lambda c: (c.folder / "studies.yaml").unlink(), ["studies.yaml does not exist", "restore"]),
    "missing runs": (lambda c: (c.folder / "runs.tsv").unlink(), ["runs.tsv does not exist", "restore"]),
    "scale extends an unknown one": (
        lambda c: c.set("scales/quick.yaml", "extends", "papper"),
        ["quick.yaml: extends: scale 'papper' has no file", "known scales: paper, quick, small"],
    ),
    "scale extends itself": (
        lambda c: c.set("scales/paper.yaml", "extends", "quick"),
        ["paper.yaml: extends", "quick", "in a circle"],
    ),
    # runs
    "run twice": (
        lambda c: c.append("runs.tsv", "scnn-c10-sgd-lr0.1-S128-s777\tA\t9\n"),
        [ADDED_LINE, "scnn-c10-sgd-lr0.1-S128-s777", "remove one line"],
    ),
    "no run id": (
        lambda c: c.append("runs.tsv", "scnn-c10-adagrad-lr0.1-S128-s777\tA\t9\n"),
        [ADDED_LINE, "is not a run id", "write <model>"],
    ),
    "no number of epochs": (
        lambda c: c.append("runs.tsv", f"{ADDED_RUN}\tA\t\n"),
        [ADDED_LINE, "epochs must be a whole number"],
    ),
    "row cut short": (lambda c: c.append("runs.tsv", ADDED_RUN), [ADDED_LINE, "expected 3 columns", "add or remove"]),
    "row with a fourth column": (
        lambda c: c.append("runs.tsv", f"{ADDED_RUN}\tA\t9\tx\n"),
        [ADDED_LINE, "expected 3 columns, as in the first line; add or remove tabs"],
    ),
    "length in other digits": (
        lambda c: c.append("runs.tsv", f"{ADDED_RUN}\tA\t\u0663\n"),
        [ADDED_LINE, "epochs must be a whole number from 1 to 9999999"],
    ),
    "length without an end": (
        lambda c: c.append("runs.tsv", f"{ADDED_RUN}\tA\t{10**20}\n"),
        [ADDED_LINE, "epochs must be a whole number from 1 to 9999999"],
    ),
    "more directions than products": (
        lambda c: c.append("runs.tsv", "scnn-c10-nsgd-lr0.01-S128-g0.01-K99999-s777\tA\t9\n"),
        ["K99999-s777: 99999 eigenpairs need more than hessian.max_products", "lower K"],
    ),
    "no epoch": (lambda c: c.append("runs.tsv", f"{ADDED_RUN}\tA\t0\n"), [ADDED_LINE, "whole number from 1"]),
    "other columns": (
        lambda c: (c.folder / "runs.tsv").write_text("run,group,epochs\n"),
        ["runs.tsv", "run, group, epochs, separated by tabs"],
    ),
    "unknown model in a run": (
        lambda c: c.append("runs.tsv", "alexnet-c10-sgd-lr0.1-S128-s777\tA\t9\n"),
        ["alexnet-c10-sgd-lr0.1-S128-s777", "model 'alexnet' is not in the scale's models", "scnn"],
    ),
    "unknown data set in a run": (
        lambda c: c.append("runs.tsv", "scnn-mnist-sgd-lr0.1-S128-s777\tA\t9\n"),
        ["scnn-mnist-sgd-lr0.1-S128-s777", "dataset 'mnist' is not in the scale's datasets", "c10"],
    ),
    "images for a model of words": (
        lambda c: c.append("runs.tsv", "lstm-c10-sgd-lr0.1-S128-s777\tA\t9\n"),
        ["lstm-c10-sgd-lr0.1-S128-s777: a model of kind lstm reads tokens, but the data set has images", "another"],
    ),
    "words for a model of images": (
        lambda c: c.append("runs.tsv", "scnn-ptb-sgd-lr0.1-S128-s777\tA\t9\n"),
        ["a model of kind simple_cnn reads images, but the data set has tokens", "name another"],
    ),
    "variant that is the trunk": (
        lambda c: c.append("runs.tsv", "scnn-c10-sgd-lr0.01-S128-s777@e4/x1\tI\t9\n"),
        ["unknown variant 'x1'", "write it as 'sgd'"],
    ),
    "variant that has a name": (
        lambda c: c.append("runs.tsv", "scnn-c10-sgd-lr0.01-S128-s777@e4/x0\tI\t9\n"),
        ["unknown variant 'x0'", "write it as 'notop'"],
    ),
    "unknown variant": (
        lambda c: c.append("runs.tsv", "scnn-c10-sgd-lr0.01-S128-s777@e4/bottom\tI\t9\n"),
        ["unknown variant 'bottom'", "known: sgd, top, ctop, notop, x<number>, each but sgd with K<k>"],
    ),
    # branches
    "branch without its parent": (
        lambda c: c.drop_run(TRUNK),
        ["s777: its parent 'r32-c10-sgd-lr0.1-S128-s777' is not in config/runs.tsv", "add it"],
    ),
    "branch after the end of its parent": (
        lambda c: c.for_runs(TRUNK, epochs=9),
        ["L80-s777: branches off at epoch 10, but its parent ends at 9", "lengthen the parent or lower"],
    ),
    "branch between two snapshots of its parent": (
        lambda c: c.for_runs(TRUNK, snapshot_every=3),
        ["branches off at epoch 1, but its parent keeps a snapshot every 3 epochs", "lower snapshot_every of the"],
    ),
    "branch without an epoch of its own": (
        lambda c: c.for_runs("*-L80-*", epochs=10),
        ["L80-s777: branches off at epoch 10 and ends at 10", "raise its epochs"],
    ),
    "branch before the start of its parent": (
        lambda c: (
            c.append("runs.tsv", "r32-c10-sgd-lr0.1-S128-L80-s777@e4/top\tI\t12\n"),
            c.for_runs("*-L80-s777@*", epochs=12),
        ),
        ["r32-c10-sgd-lr0.1-S128-L80-s777@e4/top: branches off at epoch 4", "begins at 10"],
    ),
    # values that may differ by run
    "more Hessian examples than there are, for some runs": (
        lambda c: c.for_runs("lstm-*", hessian={"examples": 99999}),
        ["run lstm-", "hessian.examples 99999 exceeds 2499 training examples"],
    ),
    "text too short for its streams": (
        lambda c: c.for_runs("lstm-*-S128-*", batch_factor=20),
        ["run lstm-ptb-sgd-lr1-S128-s777: 50000 words in 2560 streams leave no window of 20", "lower batch_factor"],
    ),
    "more words than there are": (
        lambda c: c.set("scales/quick.yaml", "datasets.ptb.train", 10**9),
        ["datasets.ptb: train 1000000000 exceeds the", "words of python-topics; lower it"],
    ),
    "source of another kind": (
        lambda c: c.set("scales/quick.yaml", "datasets.ptb.source", "digits"),
        ["datasets.ptb.source: 'digits' has images, not tokens; use one of ptb, python-topics"],
    ),
    "full batch beyond the Hessian's examples": (
        lambda c: c.set("scales/quick.yaml", "full_batch_examples", 129),
        ["full_batch_examples 129 exceeds hessian.examples 128", "lower full_batch_examples"],
    ),
    "study of a run that no row has": (
        lambda c: c.set("studies.yaml", "fig01.rows.0.run", "scnn-c10-sgd-lr0.005-S128-s778"),
        ["fig01 in config/studies.yaml", "'scnn-c10-sgd-lr0.005-S128-s778'", "did you mean scnn-c10-sgd-lr0.005"],
    ),
    "table of a run that no row has": (
        lambda c: c.set("studies.yaml", "tab1.rows", [{"label": "x", "runs": ["none"], "paper": {}}]),
        ["tab1 in config/studies.yaml", "'none'", "is not a run id"],
    ),
    "seeds of an unknown study": (
        lambda c: c.set("scales/quick.yaml", "seeds", {"fig99": 2}),
        ["scale quick: 'fig99' is not in config/studies.yaml"],
    ),
    "fewer than no seeds": (
        lambda c: c.set("scales/quick.yaml", "seeds", -1),
        ["quick.yaml, line ", "seeds should be greater than or equal to 0", "found -1"],
    ),
    "seeds without end": (
        lambda c: c.set("scales/quick.yaml", "seeds", 1001),
        ["quick.yaml, line ", "seeds should be less than or equal to 1000", "found 1001"],
    ),
    "seeds of a study that are no number": (
        lambda c: c.set("studies.yaml", "fig01.seeds", "many"),
        ["fig01.seeds should be a valid integer", "found 'many'"],
    ),
    "some of the one seed of the paper": (
        lambda c: c.set("scales/quick.yaml", "paper_seeds", {"fig05": 1}),
        ["fig05 in config/studies.yaml: a study of kind", "has one seed", "remove it from the scale's paper_seeds"],
    ),
    # constraints between settings
    "study of an unknown schedule": (
        lambda c: c.set("studies.yaml", "fig01.rows.0.schedule", "grow"),
        ["fig01", "'grow'", "is not in the scale's schedules", "growth"],
    ),
    "study of more eigenvalues than measured": (
        lambda c: c.set("studies.yaml", "fig01.num_eigenvalues", 31),
        ["fig01 in config/studies.yaml: num_eigenvalues 31 exceeds num_eigenpairs 30", "schedules.growth.measures"],
    ),
    "direction beyond the eigenpairs": (
        lambda c: c.set("scales/quick.yaml", "schedules.alignment.measures.spectra", {"num_eigenpairs": 4}),
        ["quick.yaml, line", "schedules.alignment.measures.directions: indices: direction 5 exceeds num_eigenpairs 4",
         "raise num_eigenpairs"],
    ),
    "study of a direction that is not measured": (
        lambda c: c.set("studies.yaml", "fig15.direction", 2),
        ["fig15 in config/studies.yaml: direction 2 is not in schedules.step.measures.directions.indices", "add it"],
    ),
    "study of alphas that are not measured": (
        lambda c: c.set("studies.yaml", "fig06.alphas", [0.7]),
        ["fig06 in config/studies.yaml: alphas [0.7] are not in schedules.step.measures.directions.alphas", "add them"],
    ),
    "study of directions that a schedule does not measure": (
        lambda c: c.set("studies.yaml", "fig06.rows.0.schedule", "growth"),
        ["fig06 in config/studies.yaml: schedules.growth does not take directions; add directions"],
    ),
    "grid without its centre": (
        lambda c: c.set("scales/quick.yaml", "schedules.step.measures.directions.grid", [-1, 1]),
        ["schedules.step.measures.directions: grid", "contain 0"],
    ),
    "point outside the run": (
        lambda c: c.set("scales/quick.yaml", "schedules.growth.points", "at iterations 0, 99999"),
        ["fig01", "schedules.growth.points", "99999 lies outside the run", "shorten the schedule or lengthen"],
    ),
    "points that are no schedule": (
        lambda c: c.set("scales/quick.yaml", "schedules.growth.points", "often"),
        ["schedules.growth.points", "'often'", "write 'every"],
    ),
    "points for other runs alone": (
        lambda c: (
            c.set("scales/paper.yaml", "schedules.growth.points", None),
            c.remove("scales/quick.yaml", "schedules.growth.points"),
            c.for_runs("r32-*", schedules={"growth": {"points": "9 points"}}),
        ),
        ["fig01", "schedules.growth has no points for run 'scnn-c10-sgd-lr0.005-S128-s777'", "an entry of for_runs"],
    ),
    "unknown data source": (
        lambda c: c.set("scales/quick.yaml", "datasets.c10.source", "mnist"),
        ["scale quick: datasets.c10.source: 'mnist' is not a data source", "known: digits, fashion-mnist, cifar-10"],
    ),
    "more examples than there are": (
        lambda c: c.set("scales/quick.yaml", "datasets.c10.train", 1298),
        ["datasets.c10: train 1298 + val 200 exceed the 1497 examples of digits"],
    ),
    "more test examples than there are": (
        lambda c: c.set("scales/quick.yaml", "datasets.c10.test", 301),
        ["datasets.c10: test 301 exceeds the 300 test examples"],
    ),
    "more Hessian examples than there are": (
        lambda c: c.set("scales/quick.yaml", "hessian.examples", 1298),
        ["hessian.examples 1298 exceeds", "1297 training examples", "lower"],
    ),
    "more evaluation examples than there are": (
        lambda c: c.set("scales/quick.yaml", "measures.evaluations.examples", 1298),
        ["fig08", "run r32-", "measures.evaluations.examples 1298 exceeds 1297 training examples; lower measures."],
    ),
    "fewer products than pairs": (
        lambda c: c.set("scales/paper.yaml", "hessian.max_products", 29),
        ["run scnn-", "schedules.growth.measures.spectra: num_eigenpairs 30 exceeds hessian.max_products 29", "raise"],
    ),
    "a tolerance below rounding": (
        lambda c: c.set("scales/paper.yaml", "hessian.tolerance", 1e-30),
        ["paper.yaml, line", "hessian.tolerance should be greater than or equal to"],
    ),
    "more threads than a machine has": (
        lambda c: c.set("scales/paper.yaml", "torch_threads", 100_000),
        ["paper.yaml, line", "torch_threads should be less than or equal to 1024, found 100000"],
    ),
    "a data set with the name of a path": (
        lambda c: c.set("scales/quick.yaml", "datasets", {"../x": {"kind": "images", "source": "digits"}}),
        ["datasets.../x should match pattern"],
    ),
    "a study with the name of a path": (
        lambda c: c.edit("studies.yaml", lambda studies: studies.update({"fig/../../x": dict(studies["fig01"])})),
        ["fig/../../x in config/studies.yaml: a name has lower-case letters, digits and _"],
    ),
    "a table of a kind that draws": (
        lambda c: c.edit("studies.yaml", lambda studies: studies.update({"tab99": dict(studies["fig01"])})),
        ["tab99 in config/studies.yaml: the name of a figure begins with fig; rename it"],
    ),
    "a label with a control character": (
        lambda c: c.set("studies.yaml", "fig01.rows.0.label", "a\0b"),
        ["fig01 in config/studies.yaml: rows.0.label 'a\\x00b' has a control character; remove it"],
    ),
    "a label with half a formula": (
        lambda c: c.set("studies.yaml", "fig01.rows.0.label", "$\\lambda"),
        ["fig01 in config/studies.yaml: rows.0.label", "opens a formula and does not close it"],
    ),
    "images that a ResNet halves unevenly": (
        lambda c: c.set("scales/quick.yaml", "models.r32.image_size", 14),
        ["halves images of side 14 unevenly", "image_size", "multiple of 4"],
    ),
    "images that vanish": (
        lambda c: c.set("scales/quick.yaml", "models.scnn.image_size", None),
        ["images of side 8 vanish", "image_size", "at least 10"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_key_and_remedy(mistake: str, config: Config) -> None:
    spoil, parts = MISTAKES[mistake]
    spoil(config)
    message = config.refusal()
    assert [part for part in parts if part not in message] == [], message
    assert len(message) < 600


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (
            {"substitutes": {"cifar": {"source": "digits"}}},
            ["substitutes.cifar: 'cifar' is not a data source", "cifar-10"],
        ),
        ({"substitutes": {"ptb": {"source": "bible"}}}, ["substitutes.ptb: 'bible' is not a data source", "bible-kjv"]),
        (
            {"substitutes": {"ptb": {"source": "rated-sentences"}}},
            ["substitutes.ptb: 'rated-sentences' has reviews, but 'ptb' has tokens", "of that kind"],
        ),
        (
            {"substitutes": {"cifar-10": {"source": "fashion-mnist", "changes": {"lenght": 50}}}, "scale": "small"},
            ["config: unknown key 'datasets.c10.lenght'", "remove it"],
        ),
        (
            {"substitutes": {"ptb": {"source": "bible-kjv"}}, "sources": {"bible-kjv": {"folder": "/nowhere"}}},
            ["sources.bible-kjv.folder '/nowhere' is not a folder", "the command in the substitutes file"],
        ),
        ({"scal": "small"}, ["config: unknown key 'scal'", "did you mean scale"]),
        ({"scale": "huge"}, ["scale 'huge' has no file", "known scales: paper, quick, small"]),
        ({"scale": "../scales/quick"}, ["config: scale should match pattern", "found '../scales/quick'"]),
        (
            {"sources": {"cifar-10": {"folder": "~nobody9/x"}}},
            ["config: sources.cifar-10.folder '~nobody9/x' is not a folder; correct the path"],
        ),
        ({"seeds": -1}, ["config: seeds should be greater than or equal to 0", "found -1"]),
        ({"seeds": True}, ["config: seeds should be a valid integer", "found True"]),
        ({"seeds": "5"}, ["config: seeds should be a valid integer", "found '5'"]),
        ({"seeds": 10**9}, ["config: seeds should be less than or equal to 1000", "found 1000000000"]),
        ({"scale": 3}, ["config: scale should be a valid string", "found 3"]),
        *(
            ({"jobs_per_gpu": value}, ["config: jobs_per_gpu should be ", "found "])
            for value in (0, -1, 1.5, "two", None, [1])
        ),
        (
            {"datasets": {"mnist": {"source": "digits"}}},
            ["config: datasets.mnist is not in the scale", "known: c10, c100"],
        ),
        ({"datasets": {"c10": {"sorce": "digits"}}}, ["config: unknown key 'datasets.c10.sorce'", "mean 'source'"]),
        ({"datasets": {"c10": {"train": "all"}}}, ["config: datasets.c10.train should be a valid integer"]),
        ({"datasets": {"c10": {"source": "mnist"}}}, ["datasets.c10.source: 'mnist'", "known: digits"]),
        ({"sources": {"mnist": {}}}, ["config: sources.mnist is not a data source", "known: digits"]),
        ({"sources": {"cifar-10": {"path": "x"}}}, ["config: unknown key 'sources.cifar-10.path'", "remove it"]),
        (
            {"sources": {"cifar-10": {"folder": "/no/such/folder"}}},
            ["config: sources.cifar-10.folder '/no/such/folder' is not a folder", "correct the path"],
        ),
    ],
)
def test_a_mistake_in_the_config_is_refused(changes: dict[str, Any], parts: list[str], config: Config) -> None:
    message = config.refusal(**changes)
    assert [part for part in parts if part not in message] == [], message


def test_a_byte_order_mark_of_the_runs_is_ignored(config: Config) -> None:
    """Spreadsheets write a byte order mark."""
    path = config.folder / "runs.tsv"
    expected = read_runs(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_runs(path) == expected


def test_a_batch_above_the_training_set_is_allowed_and_noted(config: Config, project: Project) -> None:
    """Each update then sees all examples; no shipped scale has such a batch."""
    assert project.warnings() == []
    config.drop_figures()
    config.for_runs("scnn-*-S1024-*", batch_factor=2)
    crowded = config.load()
    run = "scnn-c10-sgd-lr0.05-S1024-s777"
    assert crowded.warnings() == [
        f"run {run}: batch size 2048 exceeds 1297 training examples; each of its updates sees all of them"
    ]
    assert crowded.run(run).steps_per_epoch == 1


def test_points_of_a_branch_count_from_its_branch_point(config: Config) -> None:
    config.set("scales/quick.yaml", "schedules.epochs.points", "every 2 epochs")
    project = config.load()
    branch = "r32-c10-sgd-lr0.1-S128-L40-s777"
    run = project.run(branch)
    spe, end = run.steps_per_epoch, run.epochs
    assert run.branch.epoch == 5
    assert project.schedule(branch, "epochs").points == [epoch * spe for epoch in range(5, end + 1, 2)]


def test_unknown_names_are_refused_with_the_known_ones(project: Project) -> None:
    with pytest.raises(ConfigError, match=r"'scnn-c10-sgd-lr0.1-S128-s77'.*did you mean scnn-c10-sgd-lr0.1-S128-s777"):
        project.run("scnn-c10-sgd-lr0.1-S128-s77")
    with pytest.raises(
        ConfigError, match=r"'fig99' is not in config/studies.yaml or config/beyond.yaml; they have fig01"
    ):
        project.study("fig99")
    with pytest.raises(ConfigError, match="schedule 'none' is not in the scale's schedules: growth"):
        project.schedule(TRUNK, "none")


# --- reductions

CONSTANT = "scnn-c10-sgd-lr0.1-S128-s777"
PLATEAU = "r32-c10-nsgd-lr0.01-S128-g0.1-K5-plat-s777"
OFTEN = "scnn-c10-nsgd-lr0.01-S128-g0.01-K5-s777"
FULL = "r32bn-c10-sgd-lr0.05-S2560-n2560-fb-s777"
VGG = "vgg-c10-sgd-lr0.1-S128-s777"
LSTM = "lstm-ptb-sgd-lr1-S20-s777"
STAGE = "r32-c10-sgd-lr0.1-S128-L20-s777"
VARIANT = "scnn-c10-sgd-lr0.01-S128-s777@e4/x2"
RUNS = [CONSTANT, PLATEAU, OFTEN, FULL, VGG, LSTM, STAGE, VARIANT]

# what the id itself gives, at every scale; a kind cannot change, since keys of the inherited one are refused
SAID_BY_THE_ID = {"run", "dataset_name", "momentum", "l2", "rule", "seed", "model.kind", "dataset.kind", "full_batch"}
SAID_BY_THE_ID |= {"nudge", "nudge.gamma", "nudge.correction", "nudge.rest", "nudge.fixed", "nudge.num_directions"}
SAID_BY_THE_ID |= {
    "optimizer",
    "beta1",
    "beta2",
    "weight_decay",
    "nesterov",
    "loss",
    "branch",
    "branch.parent",
    "branch.lr_factor",
    "nudge.keep_vectors",
}
# settings that change no number, or (threads) only its last bits
WITHOUT_EFFECT = {"snapshot_every", "torch_threads", "nudge.hessian.chunk_size"}
SAID_BY_THE_ID |= {"nudge.num_eigenpairs"}  # of a variant only the first counts

# a change of paper.yaml -> the text of the foot line
REDUCTIONS: list[tuple[dict[Any, Any], str]] = [
    ({"datasets.c10.source": "fashion-mnist"}, "Fashion-MNIST in place of CIFAR-10"),
    ({"datasets.c10.train": 20000}, "20,000/5,000/10,000 training/validation/test examples (45,000/5,000/10,000)"),
    ({"datasets.c10.val": 100}, "45,000/100/10,000 training/validation/test examples (45,000/5,000/10,000)"),
    ({"datasets.c10.test": 100}, "45,000/5,000/100 training/validation/test examples (45,000/5,000/10,000)"),
    ({"datasets.c10.flip": False}, "other augmentation"),
    ({"datasets.c10.shift": 0}, "other augmentation"),
    ({"datasets.c10.shift": 0, "datasets.c10.flip": False}, "no augmentation"),
    ({"datasets.ptb.source": "python-topics"}, "Python's language reference in place of Penn Treebank"),
    ({"datasets.ptb.train": 9000}, "9,000/73,760/82,430 training/validation/test words (929,589/73,760/82,430)"),
    ({"datasets.ptb.window": 10}, "window 10 (20)"),
    ({"datasets.ptb.vocabulary": 500}, "vocabulary 500 (10,000)"),
    ({"models.scnn.width": 8}, "SimpleCNN width 8 (32)"),
    ({"models.scnn.kernel_size": 5}, "SimpleCNN kernel size 5 (3)"),
    ({"models.scnn.padding": "same"}, "SimpleCNN padding same (valid)"),
    ({"models.scnn.hidden": 16}, "SimpleCNN hidden 16 (128)"),
    ({"models.scnn.image_size": 16}, "SimpleCNN image size 16 (as they are)"),
    ({"models.r32.widths": [8, 16]}, "ResNet widths 8/16 (16/32/64)"),
    ({"models.r32.blocks_per_stage": 1}, "ResNet blocks per stage 1 (5)"),
    ({"models.r32.init_scale": 0.5}, "ResNet init scale 0.5 (1)"),
    ({"models.r32.image_size": 16}, "ResNet image size 16 (as they are)"),
    ({"models.r32bn.running_momentum": 0.1}, "ResNet with BN running momentum 0.1 (0.01)"),
    ({"models.r32bn.batch_norm": False}, "ResNet with BN batch norm False (True)"),
    ({"models.vgg.stages": [[64], [128]]}, "VGG stages"),
    ({"models.vgg.hidden": 32}, "VGG hidden 32 (512)"),
    ({"models.vgg.num_pools": 4}, "VGG num pools 4 (5)"),
    ({"models.vgg.dropout": 0}, "VGG dropout 0 (0.5)"),
    ({"models.lstm.width": 32}, "LSTM width 32 (200)"),
    ({"models.lstm.num_layers": 1}, "LSTM num layers 1 (2)"),
    ({"lr_factor": 3}, "learning rates times 3"),
    ({("lstm-*", "lr_factor"): 2}, "LSTM learning rates times 2"),
    ({"batch_factor": 0.25}, "batch sizes times 0.25"),
    ({("lstm-*", "batch_factor"): 0.25}, "LSTM batch sizes times 0.25"),
    ({"full_batch_examples": 128}, "full batch of 128 images (2,560)"),
    ({("*-L20-*", "branch_epoch"): 2}, "branches after epoch 2/4 (20/4)"),
    ({(OFTEN, "refresh_every"): 40}, "directions computed every 40 iterations (4)"),
    ({"variants.loss_examples": 128}, "loss on 128 examples (2,250)"),
    ({"variants.refresh_every": 5}, "directions computed every 5 iterations (1)"),
    ({("[!l]*", "hessian"): {"examples": 64}}, "N 64 (2,560)"),
    ({("lstm-*", "hessian"): {"examples": 64}}, "N 64 windows (500)"),
    ({"hessian.resample": False}, "the same Hessian examples throughout"),
    ({"hessian.tolerance": 0.01}, "eigensolver tolerance 0.01 (0.001)"),
    ({"hessian.max_products": 50}, "at most 50 Hessian-vector products (400)"),
    ({("*-plat-*", "patience"): 10}, "plateau patience 10 and 200 (100 and 200)"),
    ({("*-plat-*", "stop_patience"): 20}, "plateau patience 100 and 20 (100 and 200)"),
    ({(CONSTANT, "epochs"): 20, (PLATEAU, "epochs"): 100}, "20 to 100 epochs (200 to 2,000)"),
    ({(CONSTANT, "epochs"): 20}, "20 epochs (200)"),
    ({"snapshot_every": 3}, ""),
    ({"torch_threads": 2}, ""),
    ({"hessian.chunk_size": 8}, ""),
]  # fmt: skip


def leaves(value: Any, key: str = "") -> dict[str, Any]:
    """A nested mapping, flattened to dotted keys."""
    if not isinstance(value, dict):
        return {key: value}
    return {k: v for name, inner in value.items() for k, v in leaves(inner, f"{key}.{name}" if key else name).items()}


def differences(ours: RunSettings, paper: RunSettings) -> set[str]:
    """Keys in which two settings differ."""
    one, other = leaves(ours.model_dump()), leaves(paper.model_dump())
    return {key for key in one | other if one.get(key) != other.get(key)}


@pytest.fixture(scope="module")
def paper() -> Project:
    return load_project({"scale": "paper"}, ROOT / "config")


def changed(config: Config, paper: Project, changes: dict[Any, Any]) -> Project:
    """The paper's scale with some changes, by key or by pattern and key; patterns need not match all runs."""
    (config.folder / "scales/other.yaml").write_text("extends: paper\ndescription: other\n")
    entries = [{"runs": key[0], "set": {key[1]: value}} for key, value in changes.items() if isinstance(key, tuple)]
    plain = {key: value for key, value in changes.items() if isinstance(key, str)}
    for key, value in ({**plain, "for_runs": entries}).items():
        config.set("scales/other.yaml", key, value)
    files = read_scale(config.folder / "scales", "other")
    scale = check_scale_files(files)
    return replace(paper, scale=scale, scale_runs=ScaleRuns(scale, files, paper.epochs))


@pytest.mark.parametrize(("changes", "note"), REDUCTIONS, ids=lambda value: str(value)[:50])
def test_a_reduction_is_named(changes: dict[Any, Any], note: str, config: Config, paper: Project) -> None:
    notes = changed(config, paper, changes).reductions(RUNS)
    assert len(notes) == bool(note), notes
    assert note in "; ".join(notes)


def test_cut_gradients_are_named(config: Config, paper: Project) -> None:
    """Gradients that are clipped elsewhere, or not at all, train differently."""
    assert changed(config, paper, {"clip_norm": 1}).reductions([LSTM]) != []


def test_another_epsilon_is_named(config: Config) -> None:
    run = "scnn-c10-adam-lr0.001-S128-s777"
    config.append("runs.tsv", f"{run}\tmine\t9\n")
    assert changed(config, config.load(scale="paper"), {"adam_epsilon": 1e-6}).reductions([run]) == [
        "epsilon 1e-06 (1e-08)"
    ]


def test_settings_without_a_reduction_are_the_papers(config: Config, paper: Project) -> None:
    """Every key of a run's settings is given by its id, has no effect, or is changed by one of the cases above."""
    covered: set[str] = set()
    for changes, note in REDUCTIONS:
        project = changed(config, paper, changes)
        found = {key for run in RUNS for key in differences(project.run(run), paper.run(run))}
        assert found or "hessian" in str(changes), changes
        assert bool(note) == bool(found - WITHOUT_EFFECT) or not found, changes
        covered |= found
    keys = {key for run in RUNS for key in leaves(paper.run(run).model_dump())}
    # see test_cut_gradients_are_named and test_another_epsilon_is_named
    assert keys - covered - SAID_BY_THE_ID - {"clip_norm", "epsilon"} == set()


def test_the_foot_describes_the_runs_of_the_figure(config: Config) -> None:
    """And neither what the scale sets for other runs, nor what the figure does not read."""
    directions = {"directions": {"loss_examples": 1000}}
    entry = {"runs": "scnn-*-lr0.01-*", "set": {"measures": directions, "schedules": {"step": {"measures": {
        "spectra": {"num_eigenpairs": 6}, "directions": {"num_gradients": 7}}}}}}  # fmt: skip
    config.append("scales/other.yaml", "extends: paper\ndescription: other\n")
    config.set("scales/other.yaml", "for_runs", [entry])
    project = config.load(scale="other")
    some = ["6 eigenpairs (5)", "7 gradients a point (10)", "loss on 1,000 examples (2,560)"]
    assert project.study_reductions("fig06") == some
    assert project.study_reductions("fig17") == []  # at lr 0.05
    assert project.study_reductions("fig14") == some[:1]  # draws neither loss nor gradient
    assert project.study_reductions("fig18") == ["loss on 1,000 examples (2,560)"]
    assert project.study_reductions("fig02") == []


def test_the_foot_names_other_settings_of_a_measure_by_their_keys(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reductions, "_MEASURE_NOTES", {})
    config.append("scales/other.yaml", "extends: paper\ndescription: other\n")
    config.set("scales/other.yaml", "measures", {"evaluations": {"num_probes": 10}})
    assert config.load(scale="other").study_reductions("tab1") == ["evaluations with num probes 10 (50)"]


def test_a_note_is_made_once_for_all_runs() -> None:
    project = load_project({"scale": "quick"}, ROOT / "config")
    notes = project.reductions(project.run_ids)
    assert len(set(notes)) == len(notes)
    assert [note for note in notes if "epochs" in note] == ["1 to 1,600 epochs (7 to 12,800)"]
