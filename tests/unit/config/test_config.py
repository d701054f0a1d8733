"""The configuration: reading it, and the one-line refusal of each mistake with its remedy."""

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

from .conftest import ROOT, Scales

TRUNK = "r32-c10-sgd-lr0.1-S128-s777"


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


def test_runs_of_the_paper_are_what_their_ids_say(paper: Project) -> None:
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


def test_nsgd_computes_more_eigenpairs_than_it_uses(scales: Scales) -> None:
    many = "r32-c10-nsgd-lr0.01-S128-g0.1-K20-s777"
    scales.append("runs.tsv", f"{many}\tK\t10\n")
    project = scales.load(scale="quick")
    few = project.run("r32-c10-nsgd-lr0.01-S128-g0.1-K5-plat-s777").nudge
    assert few is not None
    assert (few.gamma, few.num_directions, few.num_eigenpairs) == (0.1, 5, 10)
    assert project.run(many).nudge.num_eigenpairs == 20  # type: ignore[union-attr]


# --- scales


def test_a_scale_changes_only_the_keys_it_sets(scales: Scales) -> None:
    scales.append("scales/other.yaml", "extends: paper\ndescription: other\nhessian: {max_products: 64}\n")
    other, paper = scales.load(scale="other").scale, scales.load(scale="paper").scale
    assert other.hessian.max_products == 64
    changes = {"description": "other", "hessian": paper.hessian.model_copy(update={"max_products": 64})}
    assert other == paper.model_copy(update=changes)


def test_points_count_in_the_scales_learning_rate(scales: Scales) -> None:
    scales.set("scales/quick.yaml", "schedules.evolution.points", "every 3/lr iterations")
    run = "scnn-c10-sgd-lr0.1-S128-s777"
    project = scales.load(scale="quick")
    settings = project.run(run)
    assert settings.lr == 0.3  # not 0.30000000000000004
    expected = measurement_points("every 10 iterations", settings.epochs, settings.steps_per_epoch, 1)
    assert project.schedule(run, "evolution").points == expected


def test_a_data_set_is_overridden_in_the_config(scales: Scales) -> None:
    project = scales.load(scale="quick", datasets={"c10": {"source": "fashion-mnist", "train": 1400}})
    assert project.scale.datasets["c10"].source == "fashion-mnist"
    assert project.scale.datasets["c10"].train == 1400
    assert project.scale.datasets["c10"].val == 200
    assert project.scale.datasets["fm"].source == "digits"


SUBSTITUTES = yaml.safe_load((ROOT / "config/substitutes/debian.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def debian(scales: Scales, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The shipped set of substitutes, in a folder with a place for its files."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return SUBSTITUTES


def test_substitutes_replace_every_use_of_their_original(scales: Scales, debian: dict[str, Any]) -> None:
    originals, substituted = scales.load(scale="small"), scales.load(scale="small", **debian)

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
    assert sources(scales.load(scale="quick", **debian)) == sources(scales.load(scale="quick"))


def test_outputs_name_the_substitutes(scales: Scales, debian: dict[str, Any]) -> None:
    project = scales.load(scale="small", **debian)
    fig04, fig21, tab5 = (project.study_reductions(name) for name in ("fig04", "fig21", "tab5"))
    assert "Fashion-MNIST in place of CIFAR-10" in fig04
    assert "King James Bible in place of Penn Treebank" in fig04
    assert "rated sentences of movie reviews in place of IMDB" in fig21
    assert "length 50 (400)" in fig21
    assert not [note for note in tab5 if "in place of" in note]
    originals = scales.load(scale="small")
    assert not [
        note for name in originals.studies for note in originals.study_reductions(name) if "in place of" in note
    ]


def test_outputs_mention_omitted_seeds(scales: Scales) -> None:
    scales.set("scales/small.yaml", "paper_seeds", {"tab5": 1, "tab7": 2})
    project = scales.load(scale="small", seeds=0)
    assert "1 seed (2)" in project.study_reductions("tab5")
    assert "2 seeds (3)" in project.study_reductions("tab7")
    assert not [note for name in ("fig02", "tab6") for note in project.study_reductions(name) if "seed" in note]


def test_an_own_run_is_not_compared_with_the_paper_whatever_its_seed(scales: Scales) -> None:
    run = "scnn-c10-sgd-lr0.1-S16-s777"
    scales.set("scales/small.yaml", "runs", {run: 8})
    project = scales.load(scale="small")
    for seed in ("777", "1001"):
        assert project.reductions([run.replace("777", seed)]) == []


def test_one_data_set_can_keep_its_original(scales: Scales, debian: dict[str, Any]) -> None:
    project = scales.load(scale="small", datasets={"c100": {"source": "cifar-100"}}, **debian)
    assert project.scale.datasets["c100"].source == "cifar-100"
    assert project.scale.datasets["c10"].source == "fashion-mnist"


def test_a_byte_order_mark_of_the_runs_is_ignored(scales: Scales) -> None:
    """Spreadsheets write a byte order mark."""
    path = scales.folder / "runs.tsv"
    expected = read_runs(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_runs(path) == expected


def test_a_batch_above_the_training_set_is_allowed_and_noted(scales: Scales, project: Project) -> None:
    """Each update then sees all examples; no shipped scale has such a batch."""
    assert project.warnings() == []
    scales.keep_studies("tab1")
    crowded = scales.load("for_runs: [{runs: 'scnn-*-S1024-*', set: {batch_factor: 2}}]\n")
    run = "scnn-c10-sgd-lr0.05-S1024-s777"
    assert crowded.warnings() == [
        f"run {run}: batch size 2048 exceeds 1297 training examples; each of its updates sees all of them"
    ]
    assert crowded.run(run).steps_per_epoch == 1


def test_points_of_a_branch_count_from_its_branch_point(scales: Scales) -> None:
    scales.set("scales/quick.yaml", "schedules.epochs.points", "every 2 epochs")
    project = scales.load(scale="quick")
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


def changed(scales: Scales, paper: Project, changes: dict[Any, Any]) -> Project:
    """The paper's scale with some changes, by key or by pattern and key; patterns need not match all runs."""
    (scales.folder / "scales/other.yaml").write_text("extends: paper\ndescription: other\n")
    entries = [{"runs": key[0], "set": {key[1]: value}} for key, value in changes.items() if isinstance(key, tuple)]
    plain = {key: value for key, value in changes.items() if isinstance(key, str)}
    for key, value in ({**plain, "for_runs": entries}).items():
        scales.set("scales/other.yaml", key, value)
    files = read_scale(scales.folder / "scales", "other")
    scale = check_scale_files(files)
    return replace(paper, scale=scale, scale_runs=ScaleRuns(scale, files, paper.epochs))


def test_every_reduction_is_named_and_all_other_settings_are_the_papers(scales: Scales, paper: Project) -> None:
    """Every key of a run's settings is given by its id, has no effect, or is changed by one of the cases above."""
    covered: set[str] = set()
    for changes, note in REDUCTIONS:
        project = changed(scales, paper, changes)
        notes = project.reductions(RUNS)
        assert len(notes) == bool(note), (changes, notes)
        assert note in "; ".join(notes), changes
        found = {key for run in RUNS for key in differences(project.run(run), paper.run(run))}
        assert found or "hessian" in str(changes), changes
        assert bool(note) == bool(found - WITHOUT_EFFECT) or not found, changes
        covered |= found
    keys = {key for run in RUNS for key in leaves(paper.run(run).model_dump())}
    # see test_cut_gradients_are_named and test_another_epsilon_is_named
    assert keys - covered - SAID_BY_THE_ID - {"clip_norm", "epsilon"} == set()


def test_cut_gradients_are_named(scales: Scales, paper: Project) -> None:
    """Gradients that are clipped elsewhere, or not at all, train differently."""
    assert changed(scales, paper, {"clip_norm": 1}).reductions([LSTM]) != []


def test_another_epsilon_is_named(scales: Scales) -> None:
    run = "scnn-c10-adam-lr0.001-S128-s777"
    scales.append("runs.tsv", f"{run}\tmine\t9\n")
    assert changed(scales, scales.load(scale="paper"), {"adam_epsilon": 1e-6}).reductions([run]) == [
        "epsilon 1e-06 (1e-08)"
    ]


def test_the_foot_describes_the_runs_of_the_figure(scales: Scales) -> None:
    """And neither what the scale sets for other runs, nor what the figure does not read."""
    directions = {"directions": {"loss_examples": 1000}}
    entry = {"runs": "scnn-*-lr0.01-*", "set": {"measures": directions, "schedules": {"step": {"measures": {
        "spectra": {"num_eigenpairs": 6}, "directions": {"num_gradients": 7}}}}}}  # fmt: skip
    scales.append("scales/other.yaml", "extends: paper\ndescription: other\n")
    scales.set("scales/other.yaml", "for_runs", [entry])
    project = scales.load(scale="other")
    some = ["6 eigenpairs (5)", "7 gradients a point (10)", "loss on 1,000 examples (2,560)"]
    assert project.study_reductions("fig06") == some
    assert project.study_reductions("fig17") == []  # at lr 0.05
    assert project.study_reductions("fig14") == some[:1]  # draws neither loss nor gradient
    assert project.study_reductions("fig18") == ["loss on 1,000 examples (2,560)"]
    assert project.study_reductions("fig02") == []


def test_the_foot_names_other_settings_of_a_measure_by_their_keys(
    scales: Scales, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reductions, "_MEASURE_NOTES", {})
    scales.append("scales/other.yaml", "extends: paper\ndescription: other\n")
    scales.set("scales/other.yaml", "measures", {"evaluations": {"num_probes": 10}})
    assert scales.load(scale="other").study_reductions("tab1") == ["evaluations with num probes 10 (50)"]


def test_a_note_is_made_once_for_all_runs(quick: Project) -> None:
    notes = quick.reductions(quick.run_ids)
    assert len(set(notes)) == len(notes)
    assert [note for note in notes if "epochs" in note] == ["1 to 1,600 epochs (7 to 12,800)"]
