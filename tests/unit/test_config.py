"""The configuration: what is read, and how each mistake is refused in one line that says what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sharpest.config.project import Project, load_project
from sharpest.config.run import RunSettings
from sharpest.errors import ConfigError
from sharpest.run_id import RunId
from sharpest.schedule import measurement_iterations

ROOT = Path(__file__).parents[2]
SCALES = ["quick", "small", "paper"]
ADDED_RUN = "scnn-c10-sgd-lr0.07-S64-s777"


class Config:
    """A copy of the folder ``config`` that a test may spoil."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT / "config", folder)
        self.folder = folder

    def edit(self, name: str, change: Callable[[Any], object]) -> None:
        """Apply ``change`` to the content of a YAML file."""
        path = self.folder / name
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def set(self, name: str, key: str, value: object) -> None:
        """Set a key, given with dots, in a YAML file."""
        *parents, last = key.split(".")

        def change(content: Any) -> None:
            for parent in parents:
                content = content[int(parent)] if isinstance(content, list) else content.setdefault(parent, {})
            content[last] = value

        self.edit(name, change)

    def remove(self, name: str, key: str) -> None:
        """Remove a key, given with dots, from a YAML file."""
        *parents, last = key.split(".")

        def change(content: Any) -> None:
            for parent in parents:
                content = content[parent]
            del content[last]

        self.edit(name, change)

    def drop_figures(self) -> None:
        """Keep only the table, where a test makes runs shorter than their schedules."""
        self.edit("studies.yaml", lambda studies: [studies.pop(name) for name in list(studies) if name != "tab1"])

    def append(self, name: str, text: str) -> None:
        with open(self.folder / name, "a", encoding="utf-8") as file:
            file.write(text)

    def load(self, **config: object) -> Project:
        return load_project({"scale": "quick", **config}, self.folder)

    def refusal(self, **config: object) -> str:
        """The message with which the configuration is refused."""
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
            points = project.points(curve.run, curve.schedule)
            assert points[-1] <= project.run(curve.run).num_iterations


def test_runs_of_the_paper_are_what_their_ids_say() -> None:
    paper = load_project({"scale": "paper"}, ROOT / "config")
    for run in paper.run_ids:
        settings, run_id = paper.run(run), RunId.parse(run)
        assert (settings.lr, settings.batch_size, settings.l2) == (run_id.lr, run_id.batch_size, run_id.l2)
        assert settings.epochs == paper.epochs[run]
        assert paper.reductions([run]) == []
    # inventory 1.3: 45,000 examples make 351 updates of 128
    assert paper.run("scnn-c10-sgd-lr0.1-S128-s777").steps_per_epoch == 351


def test_nsgd_computes_more_eigenpairs_than_it_uses(config: Config) -> None:
    many = "r32-c10-nsgd-lr0.01-S128-g0.1-K20-s777"
    config.append("runs.tsv", f"{many}\tK\t10\n")
    project = config.load()
    few = project.run("r32-c10-nsgd-lr0.01-S128-g0.1-K5-plat-s777").nsgd
    assert few is not None
    assert (few.gamma, few.num_directions, few.num_eigenpairs) == (0.1, 5, 10)
    assert project.run(many).nsgd.num_eigenpairs == 20  # type: ignore[union-attr]


# --- scales


def test_a_scale_differs_only_where_it_says_so(config: Config) -> None:
    config.append("scales/other.yaml", "extends: paper\ndescription: other\nhessian: {examples: 64}\n")
    other, paper = config.load(scale="other").scale, config.load(scale="paper").scale
    assert other.hessian.examples == 64
    changes = {"description": "other", "hessian": paper.hessian.model_copy(update={"examples": 64})}
    assert other == paper.model_copy(update=changes)


def test_quick_says_all_that_it_changes() -> None:
    """Every value of quick is in its own file, or is the paper's."""

    def check(found: Any, own: Any, inherited: Any, key: str) -> None:
        if isinstance(found, dict) and (isinstance(own, dict) or own is None) and isinstance(inherited, dict):
            for name, value in found.items():
                check(value, (own or {}).get(name), inherited.get(name), f"{key}.{name}")
        else:
            assert found == (inherited if own is None else own), key

    own = yaml.safe_load((ROOT / "config/scales/quick.yaml").read_text(encoding="utf-8"))
    quick, paper = (load_project({"scale": name}, ROOT / "config").scale for name in ("quick", "paper"))
    check(quick.model_dump(mode="json"), own, paper.model_dump(mode="json"), "quick")


def test_a_scales_own_patterns_win(config: Config) -> None:
    run = "scnn-c10-sgd-lr0.1-S128-s777"
    config.drop_figures()
    config.set("scales/paper.yaml", "epochs", {run: 7, "scnn-*": 8, "r32-*": 9})
    config.append("scales/other.yaml", 'extends: paper\ndescription: other\nepochs: {"scnn-*": 3}\n')
    other = config.load(scale="other")
    assert other.run(run).epochs == 3
    assert other.run("r32-c10-sgd-lr0.1-S128-s777").epochs == 9
    assert config.load(scale="paper").run(run).epochs == 7
    # the paper's "*-plat-*": 10 is inherited behind quick's "*": 1
    assert config.load().run("r32-c10-sgd-lr0.1-S128-plat-s777").snapshot_every == 1


def test_points_are_replaced_and_never_mixed(config: Config) -> None:
    text = 'extends: paper\ndescription: other\nepochs: {"*": 9}\nschedules:\n'
    config.append("scales/other.yaml", text + '  alignment: {points: {"*": every epoch}}\n')
    config.append(
        "scales/other.yaml", "".join(f"  {name}: {{points: 3 points}}\n" for name in ("step", "late", "growth"))
    )
    other = config.load(scale="other")
    assert other.scale.schedules["alignment"].points == {"*": "every epoch"}
    assert other.scale.schedules["step"].points == "3 points"
    assert other.points("scnn-c10-sgd-lr0.1-S128-s777", "alignment") == [351 * epoch for epoch in range(10)]


def test_points_count_in_the_scales_learning_rate(config: Config) -> None:
    config.set("scales/quick.yaml", "schedules.evolution.points", "every 3/lr iterations")
    run = "scnn-c10-sgd-lr0.1-S128-s777"
    project = config.load()
    settings = project.run(run)
    assert settings.lr == 0.3  # not 0.30000000000000004
    expected = measurement_iterations("every 10 iterations", settings.epochs, settings.steps_per_epoch, 1)
    assert project.points(run, "evolution") == expected


def test_a_data_set_is_overridden_in_the_config(config: Config) -> None:
    project = config.load(datasets={"c10": {"source": "fashion-mnist", "train": 1400}})
    assert project.scale.datasets["c10"].source == "fashion-mnist"
    assert project.scale.datasets["c10"].train == 1400
    assert project.scale.datasets["c10"].val == 200
    assert project.scale.datasets["fm"].source == "digits"


# --- mistakes: (what is spoiled, parts of the message)

MISTAKES: dict[str, tuple[Callable[[Config], object], list[str]]] = {
    # unknown keys
    "unknown key in a scale": (
        lambda c: c.set("scales/quick.yaml", "patiense", 3),
        ["quick.yaml", "unknown key 'patiense'", "did you mean 'patience'"],
    ),
    "unknown key in a scale, nested": (
        lambda c: c.set("scales/quick.yaml", "hessian.example", 3),
        ["quick.yaml", "unknown key 'hessian.example'", "did you mean 'examples'"],
    ),
    "unknown key in a model": (
        lambda c: c.set("scales/quick.yaml", "models.r32.width", 3),
        ["quick.yaml", "unknown key 'models.r32.width'", "did you mean 'widths'"],
    ),
    "unknown key in a list": (
        lambda c: c.set("studies.yaml", "fig01.rows.0.labels", "x"),
        ["studies.yaml", "unknown key 'fig01.rows.0.labels'", "did you mean 'label'"],
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
        ["studies.yaml", "unknown key 'fig01.acuracy'", "did you mean 'accuracy'"],
    ),
    # values
    "wrong type": (
        lambda c: c.set("scales/quick.yaml", "hessian.examples", "many"),
        ["quick.yaml: hessian.examples should be a valid integer", "found 'many'"],
    ),
    "wrong type in a model": (
        lambda c: c.set("scales/quick.yaml", "models.scnn.width", [8]),
        ["quick.yaml: models.scnn.width should be a valid integer", "found [8]"],
    ),
    "wrong type of points": (
        lambda c: c.set("scales/quick.yaml", "schedules.late.points", 5),
        ["quick.yaml: schedules.late.points should be a valid string", "found 5"],
    ),
    "out of range": (
        lambda c: c.set("scales/quick.yaml", "hessian.examples", -1),
        ["quick.yaml: hessian.examples should be greater than 0", "found -1"],
    ),
    "out of range in a list": (
        lambda c: c.set("studies.yaml", "fig06.alphas", [1, 0]),
        ["studies.yaml: fig06.alphas.1 should be greater than 0", "found 0"],
    ),
    "infinite": (
        lambda c: c.set("scales/quick.yaml", "lr_factor", float("inf")),
        ["quick.yaml: lr_factor should be a finite number", "found inf"],
    ),
    "no such choice": (
        lambda c: c.set("scales/quick.yaml", "models.scnn.padding", "full"),
        ["quick.yaml: models.scnn.padding should be 'valid' or 'same'", "found 'full'"],
    ),
    "missing key": (
        lambda c: c.remove("scales/paper.yaml", "models.scnn.width"),
        ["paper.yaml: models.scnn.width is missing", "add it"],
    ),
    "missing top-level key": (
        lambda c: c.remove("scales/paper.yaml", "epochs"),
        ["paper.yaml: epochs is missing", "add it"],
    ),
    "key without a value": (
        lambda c: c.set("scales/quick.yaml", "snapshot_every", None),
        ["quick.yaml: snapshot_every should be"],
    ),
    "list for a mapping": (
        lambda c: c.set("scales/quick.yaml", "schedules", ["late"]),
        ["quick.yaml: schedules should be a valid dictionary", "found ['late']"],
    ),
    "unknown kind of model": (
        lambda c: c.set("scales/paper.yaml", "models.r32.kind", "vgg"),
        ["paper.yaml: models.r32.kind should be 'simple_cnn' or 'resnet'", "found 'vgg'"],
    ),
    "unknown kind of study": (
        lambda c: c.set("studies.yaml", "fig01.kind", "pie"),
        ["studies.yaml: fig01.kind should be 'spectrum_evolution'", "found 'pie'"],
    ),
    "study without a kind": (
        lambda c: c.remove("studies.yaml", "fig01.kind"),
        ["studies.yaml: fig01.kind is missing", "add it"],
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
        ["runs.tsv, line 30", "scnn-c10-sgd-lr0.1-S128-s777", "remove one line"],
    ),
    "no run id": (
        lambda c: c.append("runs.tsv", "scnn-c10-adam-lr0.1-S128-s777\tA\t9\n"),
        ["runs.tsv, line 30", "is not a run id", "write <model>"],
    ),
    "no number of epochs": (
        lambda c: c.append("runs.tsv", f"{ADDED_RUN}\tA\t\n"),
        ["runs.tsv, line 30", "epochs must be a whole number"],
    ),
    "row cut short": (lambda c: c.append("runs.tsv", ADDED_RUN), ["runs.tsv, line 30", "epochs must be"]),
    "no epoch": (lambda c: c.append("runs.tsv", f"{ADDED_RUN}\tA\t0\n"), ["line 30", "at least 1"]),
    "other columns": (
        lambda c: (c.folder / "runs.tsv").write_text("run,group,epochs\n"),
        ["runs.tsv", "run, group, epochs, separated by tabs"],
    ),
    "unknown model in a run": (
        lambda c: c.append("runs.tsv", "vgg-c10-sgd-lr0.1-S128-s777\tA\t9\n"),
        ["vgg-c10-sgd-lr0.1-S128-s777", "model 'vgg' is not in the scale's models", "scnn"],
    ),
    "unknown data set in a run": (
        lambda c: c.append("runs.tsv", "scnn-ptb-sgd-lr0.1-S128-s777\tA\t9\n"),
        ["scnn-ptb-sgd-lr0.1-S128-s777", "dataset 'ptb' is not in the scale's datasets", "c10"],
    ),
    "study of a run that no row has": (
        lambda c: c.set("studies.yaml", "fig01.rows.0.run", "scnn-c10-sgd-lr0.005-S128-s778"),
        ["fig01 in config/studies.yaml", "'scnn-c10-sgd-lr0.005-S128-s778'", "did you mean scnn-c10-sgd-lr0.005"],
    ),
    "table of a run that no row has": (
        lambda c: c.set("studies.yaml", "tab1.rows", [{"label": "x", "runs": ["none"], "paper": {}}]),
        ["tab1 in config/studies.yaml", "'none'", "add a row"],
    ),
    # facts that tie settings together
    "study of an unknown schedule": (
        lambda c: c.set("studies.yaml", "fig01.rows.0.schedule", "grow"),
        ["fig01", "'grow'", "is not in the scale's schedules", "growth"],
    ),
    "study of more eigenvalues than measured": (
        lambda c: c.set("studies.yaml", "fig01.num_eigenvalues", 31),
        ["fig01 in config/studies.yaml: num_eigenvalues 31 exceeds num_eigenpairs 30", "raise schedules.growth"],
    ),
    "direction beyond the eigenpairs": (
        lambda c: c.set("scales/quick.yaml", "schedules.alignment.num_eigenpairs", 4),
        ["schedules.alignment", "direction 5 exceeds num_eigenpairs 4", "raise num_eigenpairs"],
    ),
    "study of a direction that is not measured": (
        lambda c: c.set("studies.yaml", "fig15.direction", 2),
        ["fig15 in config/studies.yaml: direction 2 is not in schedules.step.directions.indices", "add it"],
    ),
    "study of alphas that are not measured": (
        lambda c: c.set("studies.yaml", "fig06.alphas", [0.7]),
        ["fig06 in config/studies.yaml: alphas [0.7] are not in schedules.step.directions.alphas", "add them"],
    ),
    "study of directions that a schedule does not measure": (
        lambda c: c.set("studies.yaml", "fig06.rows.0.schedule", "growth"),
        ["fig06 in config/studies.yaml: schedule growth measures no directions", "give it directions"],
    ),
    "grid without its centre": (
        lambda c: c.set("scales/quick.yaml", "schedules.step.directions.grid", [-1, 1]),
        ["schedules.step.directions.grid", "hold 0"],
    ),
    "point outside the run": (
        lambda c: c.set("scales/quick.yaml", "schedules.growth.points", "at iterations 0, 99999"),
        ["fig01", "schedules.growth.points", "99999 lies outside the run", "shorten the schedule or lengthen"],
    ),
    "points that are no schedule": (
        lambda c: c.set("scales/quick.yaml", "schedules.growth.points", "often"),
        ["schedules.growth.points", "'often'", "write 'every"],
    ),
    "points without a pattern for a run": (
        lambda c: c.set("scales/quick.yaml", "schedules.growth.points", {"r32-*": "9 points"}),
        ["schedules.growth.points: no pattern fits run 'scnn-c10-sgd-lr0.005-S128-s777'", "add one"],
    ),
    "pattern that fits no run": (
        lambda c: c.set("scales/quick.yaml", "epochs", {"vgg-*": 3}),
        ["epochs: pattern 'vgg-*' fits no run", "correct or remove it"],
    ),
    "unknown data source": (
        lambda c: c.set("scales/quick.yaml", "datasets.c10.source", "mnist"),
        ["scale quick: datasets.c10.source: 'mnist' is no data source", "known: digits, fashion-mnist, cifar-10"],
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
        lambda c: c.set("scales/quick.yaml", "evaluation.examples", 1298),
        ["evaluation.examples 1298 exceeds", "1297 training examples", "lower"],
    ),
    "batch larger than the data": (
        lambda c: c.set("scales/quick.yaml", "batch_factor", 2),
        ["run scnn-c10-sgd-lr0.05-S1024-s777: batch size 2048 exceeds 1297 training examples"],
    ),
    "images that vanish": (
        lambda c: c.set("scales/quick.yaml", "models.scnn.image_size", None),
        ["images of side 8 vanish", "image_size", "at least 10"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_key_and_remedy(mistake: str, config: Config) -> None:
    spoil, parts = MISTAKES[mistake]
    spoil(config)
    message = config.refusal()
    assert [part for part in parts if part not in message] == [], message
    assert len(message) < 600


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"scal": "small"}, ["config: unknown key 'scal'", "did you mean 'scale'"]),
        ({"scale": "huge"}, ["scale 'huge' has no file", "known scales: paper, quick, small"]),
        ({"scale": 3}, ["config: scale should be a valid string", "found 3"]),
        ({"datasets": {"ptb": {"source": "digits"}}}, ["config: datasets.ptb is not in the scale", "known: c10, fm"]),
        ({"datasets": {"c10": {"sorce": "digits"}}}, ["config: unknown key 'datasets.c10.sorce'", "mean 'source'"]),
        ({"datasets": {"c10": {"train": "all"}}}, ["config: datasets.c10.train should be a valid integer"]),
        ({"datasets": {"c10": {"source": "mnist"}}}, ["datasets.c10.source: 'mnist'", "known: digits"]),
        ({"sources": {"mnist": {}}}, ["config: sources.mnist is no data source", "known: digits"]),
        ({"sources": {"cifar-10": {"path": "x"}}}, ["config: unknown key 'sources.cifar-10.path'", "remove it"]),
        (
            {"sources": {"cifar-10": {"folder": "/no/such/folder"}}},
            ["config: sources.cifar-10.folder '/no/such/folder' is no folder", "correct the path"],
        ),
    ],
)
def test_a_mistake_in_the_config_is_refused(changes: dict[str, Any], parts: list[str], config: Config) -> None:
    message = config.refusal(**changes)
    assert [part for part in parts if part not in message] == [], message


def test_unknown_names_are_refused_with_the_known_ones(project: Project) -> None:
    with pytest.raises(ConfigError, match=r"'scnn-c10-sgd-lr0.1-S128-s77'.*did you mean scnn-c10-sgd-lr0.1-S128-s777"):
        project.run("scnn-c10-sgd-lr0.1-S128-s77")
    with pytest.raises(ConfigError, match=r"'fig99' is not in config/studies.yaml; it has fig01"):
        project.study("fig99")
    with pytest.raises(ConfigError, match="schedule 'none' is not in the scale's schedules: growth"):
        project.schedule("none")


# --- reductions

PLATEAU = "r32-c10-nsgd-lr0.01-S128-g0.1-K5-plat-s777"
CONSTANT = "scnn-c10-sgd-lr0.1-S128-s777"

# what the id itself says, at every scale; a kind cannot change, since the keys of the inherited one are refused
SAID_BY_THE_ID = {"run", "dataset_name", "momentum", "l2", "rule", "seed", "model.kind"}
SAID_BY_THE_ID |= {"nsgd", "nsgd.gamma", "nsgd.num_directions", "nsgd.num_eigenpairs"}
# what changes no number, or (threads) only its last bits
WITHOUT_EFFECT = {"snapshot_every", "torch_threads", "nsgd.hessian.chunk_size"}

# a change of paper.yaml -> what the foot line says of it
REDUCTIONS: list[tuple[dict[str, Any], str]] = [
    ({"datasets.c10.source": "fashion-mnist"}, "Fashion-MNIST in place of CIFAR-10"),
    ({"datasets.c10.train": 20000}, "20,000/5,000/10,000 training/validation/test examples (45,000/5,000/10,000)"),
    ({"datasets.c10.val": 100}, "45,000/100/10,000 training/validation/test examples (45,000/5,000/10,000)"),
    ({"datasets.c10.test": 100}, "45,000/5,000/100 training/validation/test examples (45,000/5,000/10,000)"),
    ({"datasets.c10.flip": False}, "other augmentation"),
    ({"datasets.c10.shift": 0}, "other augmentation"),
    ({"datasets.c10.shift": 0, "datasets.c10.flip": False}, "no augmentation"),
    ({"models.scnn.width": 8}, "SimpleCNN width 8 (32)"),
    ({"models.scnn.kernel_size": 5}, "SimpleCNN kernel size 5 (3)"),
    ({"models.scnn.padding": "same"}, "SimpleCNN padding same (valid)"),
    ({"models.scnn.hidden": 16}, "SimpleCNN hidden 16 (128)"),
    ({"models.scnn.image_size": 16}, "SimpleCNN image size 16 (as they are)"),
    ({"models.r32.widths": [8, 16]}, "ResNet widths 8/16 (16/32/64)"),
    ({"models.r32.blocks_per_stage": 1}, "ResNet blocks per stage 1 (5)"),
    ({"models.r32.image_size": 16}, "ResNet image size 16 (as they are)"),
    ({"lr_factor": 3}, "learning rates times 3"),
    ({"batch_factor": 0.25}, "batch sizes times 0.25"),
    ({"hessian.examples": 64}, "N 64 (2,560)"),
    ({"hessian.resample": False}, "the same Hessian examples throughout"),
    ({"hessian.tolerance": 0.01}, "eigensolver tolerance 0.01 (0.001)"),
    ({"hessian.max_products": 50}, "at most 50 Hessian-vector products (400)"),
    ({"patience": 10}, "plateau patience 10 and 200 (100 and 200)"),
    ({"stop_patience": 20}, "plateau patience 100 and 20 (100 and 200)"),
    ({"epochs": {CONSTANT: 20, PLATEAU: 100}}, "20 to 100 epochs (200 to 2,000)"),
    ({"epochs": {CONSTANT: 20}}, "20 epochs (200)"),
    ({"snapshot_every": {"*": 3}}, ""),
    ({"torch_threads": 2}, ""),
    ({"hessian.chunk_size": 8}, ""),
]  # fmt: skip


def leaves(value: Any, key: str = "") -> dict[str, Any]:
    """A nested mapping with dotted keys."""
    if not isinstance(value, dict):
        return {key: value}
    return {k: v for name, inner in value.items() for k, v in leaves(inner, f"{key}.{name}" if key else name).items()}


def differences(ours: RunSettings, paper: RunSettings) -> set[str]:
    """Keys in which two settings differ."""
    one, other = leaves(ours.model_dump()), leaves(paper.model_dump())
    return {key for key in one | other if one.get(key) != other.get(key)}


def changed(config: Config, changes: dict[str, Any]) -> Project:
    """The paper's scale with some changes."""
    config.drop_figures()
    config.append("scales/other.yaml", "extends: paper\ndescription: other\n")
    for key, value in changes.items():
        config.set("scales/other.yaml", key, value)
    return config.load(scale="other")


@pytest.mark.parametrize(("changes", "note"), REDUCTIONS, ids=lambda value: str(value)[:50])
def test_a_reduction_is_named(changes: dict[str, Any], note: str, config: Config) -> None:
    project = changed(config, changes)
    assert "; ".join(project.reductions([CONSTANT, PLATEAU])) == note


def test_settings_without_a_reduction_are_the_papers(config: Config, tmp_path: Path) -> None:
    """Every key of a run's settings is said by its id, without effect, or changed by one of the cases above."""
    paper = config.load(scale="paper")
    covered: set[str] = set()
    for number, (changes, note) in enumerate(REDUCTIONS):
        project = changed(Config(tmp_path / f"{number}"), changes)
        found = {key for run in (CONSTANT, PLATEAU) for key in differences(project.run(run), paper.run(run))}
        assert found, changes
        assert bool(note) == bool(found - WITHOUT_EFFECT), changes
        covered |= found
    keys = {key for run in (CONSTANT, PLATEAU) for key in leaves(paper.run(run).model_dump())}
    assert keys - covered - SAID_BY_THE_ID == set()


def test_a_note_is_made_once_for_all_runs() -> None:
    project = load_project({"scale": "quick"}, ROOT / "config")
    notes = project.reductions(project.run_ids)
    assert len(set(notes)) == len(notes)
    assert [note for note in notes if "epochs" in note] == ["6 to 80 epochs (7 to 2,000)"]
