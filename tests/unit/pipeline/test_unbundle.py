"""Bundles whose checksums are right, and whose content is not: one line each, and nothing is changed."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest
from results_folder import ResultsFolder

from sharpest.errors import StoreError
from sharpest.pipeline import unbundle

ROOT = Path(__file__).parents[3]
RUN = "scnn-c10-sgd-lr0.01-S128-s777"
STATES = f"runs/{RUN}/snapshots.h5"
METADATA, MARKER = "ro-crate-metadata.json", "results/quick/bundle.json"
FOREIGN = """
extends: quick
description: with a net of its own
models:
  mine: {kind: imported, net: "os:abort", loss: "mine:loss"}
"""

Files = dict[str, bytes]
Change = Callable[[Files], None]


def described() -> dict[str, object]:
    made = {"place": STATES, "of": ["runs", RUN], "code": "t", "settings": "0"}
    return {
        "version": 1, "scale": "quick", "settings": {"seeds": None, "datasets": {}, "substitutes": {}},
        "layouts": {"snapshots": 5}, "git": ["abc"], "code": {"t": "scripts/train_run.py 0123456789ab"},
        "made": [made], "finished": [],
    }  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files of a small bundle, without the metadata."""
    folder = ResultsFolder(tmp_path_factory.mktemp("made") / "quick")
    states = folder.write_snapshots(RUN, {}, {})
    config = [path for path in (ROOT / "config").rglob("*") if path.suffix in (".yaml", ".csv", ".tsv")]
    return {
        f"results/quick/{STATES}": states.read_bytes(),
        MARKER: json.dumps(described()).encode(),
        "README.md": b"read me",
        **{
            path.relative_to(ROOT).as_posix(): path.read_bytes()
            for path in config
            if path.name != "config.yaml" and path.parent.name != "substitutes"
        },
    }


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "clone"
    (folder / "config/scales").mkdir(parents=True)
    monkeypatch.chdir(folder)
    # held until the process ends, and tests share theirs
    monkeypatch.setattr(unbundle, "hold", lambda path: None)
    return folder


def packed(files: Files, change: Change, path: Path, edit: Callable[[dict[str, object]], None] | None = None) -> Path:
    """A bundle of the files after a change; ``edit`` changes an entity of the metadata."""
    files = dict(files)
    change(files)
    entities: list[dict[str, object]] = [
        {"@id": name, "contentSize": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    ]
    if edit is not None:
        edit(entities[0])
    with ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(METADATA, json.dumps({"@graph": entities}))
    return path


def refused(clone: Path, bundle: Path) -> str:
    """The one line of the refusal."""
    with pytest.raises(StoreError) as caught:
        unbundle.unpack(bundle, force=False)
    assert not [path for path in clone.rglob("*") if path.is_file()]
    assert not list(clone.parent.rglob("evil*"))
    message = str(caught.value)
    assert message.isprintable()
    return message


def add(name: str, content: bytes = b"x") -> Change:
    return lambda files: files.update({name: content})


def describe(**changes: object) -> Change:
    return add(MARKER, json.dumps({**described(), **changes}).encode())


def made(**changes: object) -> Change:
    return describe(made=[{"place": STATES, "of": ["runs", RUN], "code": "t", "settings": "0", **changes}])


def replace(name: str, old: bytes, new: bytes) -> Change:
    return lambda files: files.update({name: files[name].replace(old, new, 1)})


def other_folder(files: Files) -> None:
    for name in [name for name in files if name.startswith("results/")]:
        files[name.replace("quick", "teeny")] = files.pop(name)


NO_BUNDLE = "does not describe a bundle"
ELSEWHERE = "neither a result nor configuration"
REFUSED: dict[str, tuple[Change, str]] = {
    "a file above the folder": (add("../evil.txt"), "'../evil.txt' that would lie elsewhere"),
    "a file within, then above": (add("results/quick/../../evil.csv"), "would lie elsewhere"),
    "an absolute path": (add("/tmp/evil.csv"), "would lie elsewhere"),
    "a path of Windows": (add("results\\quick\\evil.csv"), "would lie elsewhere"),
    "the page that a user edits": (add("config/config.yaml"), ELSEWHERE),
    "code among the configuration": (add("config/evil.py"), ELSEWHERE),
    "a program among the results": (add("results/quick/evil.sh"), ELSEWHERE),
    "an unknown layout": (describe(layouts={"phases": 1}), "phases version 1, this one reads none"),
    "a newer layout": (describe(layouts={"snapshots": 99}), "snapshots version 99, this one reads"),
    "a newer bundle": (describe(version=2), "bundle version 2, this one reads 1"),
    "a scale that is a path": (describe(scale="../x"), NO_BUNDLE),
    "another folder": (other_folder, "results of the scale quick in another folder"),
    "no description": (lambda files: files.pop(MARKER), "it has 0 files bundle.json"),
    "a damaged file": (replace(f"results/quick/{STATES}", b"theta", b"thesa"), "snapshots.h5"),
    "code of the package": (add("src/sharpest/evil.py"), ELSEWHERE),
    "a program": (add("evil"), ELSEWHERE),
    "a rule elsewhere": (add("workflow/evil.smk"), ELSEWHERE),
    "work of a job": (add("results/quick/work/r/state.json"), ELSEWHERE),
    "a shard": (add("results/quick/shards/spectra/r/s/0.h5"), ELSEWHERE),
    "a name of two lines": (add("results/quick/a\nb.csv"), "would lie elsewhere"),
    "a list": (add(MARKER, b"[]"), NO_BUNDLE),
    "a number": (add(MARKER, b"Infinity"), NO_BUNDLE),
    "a version without end": (add(MARKER, b'{"version": Infinity}'), NO_BUNDLE),
    "a version that is true": (describe(version=True), NO_BUNDLE),
    "seeds without end": (describe(settings={"seeds": float("inf"), "datasets": {}, "substitutes": {}}), NO_BUNDLE),
    "files that are a number": (describe(made=3), NO_BUNDLE),
    "a file elsewhere": (made(place="../../evil.h5"), NO_BUNDLE),
    "a device": (made(place="/dev/zero"), NO_BUNDLE),
    "a file of nothing": (made(of=[]), NO_BUNDLE),
    "a file that is not there": (made(place="data/c10.h5"), "does not hold data/c10.h5, which its bundle.json names"),
    "a figure that is not there": (describe(finished=["fig01"]), "does not hold figures/fig01.csv"),
    "a figure elsewhere": (describe(finished=["../x"]), NO_BUNDLE),
    "code elsewhere": (describe(code={"t": "scripts/../../x.py 0123456789ab"}), NO_BUNDLE),
    "code that is a device": (describe(code={"t": "scripts//dev/zero 0123456789ab"}), NO_BUNDLE),
    "a commit of two lines": (describe(git=["a\nb"]), NO_BUNDLE),
    "a layout of two lines": (describe(layouts={"a\nb": 1}), NO_BUNDLE),
    "a layout of two lines and of no number": (describe(layouts={"a\nb": "x"}), NO_BUNDLE),
    "a scale that is no YAML": (add("config/scales/quick.yaml", b"{"), "its configuration cannot be read: config/sc"),
    "an empty scale": (add("config/scales/quick.yaml", b""), "config/scales/quick.yaml: holds no keys"),
    "a scale with an unknown key": (add("config/scales/quick.yaml", b"epoch: 3"), "unknown key 'epoch'"),
    "runs of another kind": (add("config/runs.tsv", b"x"), "config/runs.tsv: expected columns run, group, epochs"),
    "claims of another kind": (add("config/claims.csv", b"x"), "config/claims.csv: the columns are"),
    "no runs": (lambda files: files.pop("config/runs.tsv"), "config/runs.tsv does not exist"),
    "other data": (
        describe(settings={"seeds": None, "datasets": {"c10": {"train": -1}}, "substitutes": {}}),
        "its configuration cannot be read: config: datasets.c10.train should be greater than 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_hostile_bundle_is_refused(case: str, files: Files, clone: Path, tmp_path: Path) -> None:
    change, message = REFUSED[case]
    assert message in refused(clone, packed(files, change, tmp_path / "hostile.zip"))


@pytest.mark.parametrize(
    "changes",
    [{"contentSize": float("inf")}, {"contentSize": []}, {"contentSize": "1e9"}, {"@id": [1]}, {"sha256": 3}],
)
def test_metadata_of_another_type_are_refused(
    changes: dict[str, object], files: Files, clone: Path, tmp_path: Path
) -> None:
    bundle = packed(files, lambda files: None, tmp_path / "hostile.zip", lambda entity: entity.update(changes))
    assert METADATA in refused(clone, bundle) or "SHA-256 differs" in refused(clone, bundle)


def test_every_file_is_checked_also_one_that_is_not_placed(files: Files, clone: Path, tmp_path: Path) -> None:
    bundle = packed(files, lambda files: None, tmp_path / "damaged.zip")
    content = bundle.read_bytes()
    assert content.count(b"read me") == 1
    bundle.write_bytes(content.replace(b"read me", b"read it"))
    assert "damaged" in refused(clone, bundle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replace("config/claims.csv", b"e", b"f"), "config/claims.csv, which is not the file that was packed"),
        (replace("config/claims.csv", b"e", b"ee"), "config/claims.csv of another size than"),
        (add("config/scales/more.yaml"), "other files than ro-crate-metadata.json says"),
        (lambda files: files.pop("README.md"), "other files than ro-crate-metadata.json says"),
        (lambda files: files.pop(METADATA), "has no ro-crate-metadata.json"),
        (replace(METADATA, b"{", b"["), "does not say what it holds"),
    ],
)
def test_content_that_the_metadata_do_not_describe_is_refused(
    change: Change, message: str, files: Files, clone: Path, tmp_path: Path
) -> None:
    with ZipFile(packed(files, lambda files: None, tmp_path / "good.zip")) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    with ZipFile(tmp_path / "damaged.zip", "w") as archive:
        for name, each in content.items():
            archive.writestr(name, each)
    assert message in refused(clone, tmp_path / "damaged.zip")


def test_a_link_is_refused(files: Files, clone: Path, tmp_path: Path) -> None:
    with (
        ZipFile(packed(files, lambda files: None, tmp_path / "good.zip")) as archive,
        ZipFile(tmp_path / "hostile.zip", "w") as copy,
    ):
        for entry in archive.infolist():
            content = archive.read(entry)
            entry.external_attr = (0o120777 << 16) * (entry.filename == "config/claims.csv")
            copy.writestr(entry, content)
    assert "config/claims.csv, which is not a regular file" in refused(clone, tmp_path / "hostile.zip")


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_truncated_bundle_is_refused(share: float, files: Files, clone: Path, tmp_path: Path) -> None:
    bundle = packed(files, lambda files: None, tmp_path / "part.zip")
    os.truncate(bundle, int(share * bundle.stat().st_size))
    assert "is truncated, damaged or no bundle" in refused(clone, bundle)


def test_a_pipe_is_no_bundle(clone: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    assert refused(clone, tmp_path / "pipe.zip") == f"{tmp_path}/pipe.zip: is not a regular file; remove it"


def test_a_good_bundle_is_placed(files: Files, clone: Path, tmp_path: Path) -> None:
    said = unbundle.unpack(packed(files, lambda files: None, tmp_path / "good.zip"), force=False)
    assert said.startswith("results/quick: 2 files; to draw all: ")
    assert (clone / "results/quick" / STATES).exists()
    assert not (clone / "README.md").exists()


def test_foreign_code_is_marked_and_not_run(files: Files, clone: Path, tmp_path: Path) -> None:
    def foreign(files: Files) -> None:
        files["config/scales/theirs.yaml"] = FOREIGN.encode()
        described_there = json.dumps({**described(), "scale": "theirs", "made": [], "layouts": {}})
        for name in [name for name in files if name.startswith("results/")]:
            del files[name]
        files["results/theirs/bundle.json"] = described_there.encode()

    said = unbundle.unpack(packed(files, foreign, tmp_path / "foreign.zip"), force=False)
    assert "; foreign code, which is not in the bundle and was not run: net os:abort, loss mine:loss; to draw" in said
