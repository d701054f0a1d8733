"""Results in one file: packed in one checkout, drawn in another, where nothing is trained."""

import hashlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from forked import run_command
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

from sharpest.commands.main import main
from sharpest.config.studies import KINDS
from sharpest.pipeline import unbundle
from sharpest.pipeline.bundle import OF_VECTORS

from .conftest import ROOT, Project

PROFILE = ("--workflow-profile", "workflow/profiles/local")
RESULTS = "results/tiny"
DRIFT = """
drift:
  kind: eigenvector_drift
  caption: drift
  num_eigenvectors: 1
  rows:
    - {run: scnn-c10-sgd-lr0.01-S128-s777, schedule: step, label: SimpleCNN}
"""
DRAWN = {"draw_figure": 5, "write_table": 1, "judge_claims": 1, "write_report": 1, "write_full_report": 1}


def sharpest(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a checkout, on its own copy of the package; stdout holds both streams."""
    return run_command("sharpest", arguments, project.folder, merged=True)


def made(project: Project) -> dict[str, bytes]:
    """Every csv of figures, tables and verdicts, and the record of what each was made from."""
    folder = project.folder / RESULTS
    paths = [*folder.glob("*.csv"), *folder.glob("figures/*.csv"), *folder.glob("tables/*.csv")]
    # the record of a figure has the SHA-256 of its pdf, which holds a time
    paths += [*folder.glob("claims.made.json"), *folder.glob("tables/*.made.json")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def tree(folder: Path) -> dict[str, str]:
    """All files of a checkout but Snakemake's own, by their digests."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not {".snakemake", "__pycache__"} & set(path.relative_to(folder).parts)
    }


@pytest.fixture(scope="module")
def sent(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished project with a figure of eigenvectors, and its bundle ``sent.zip``."""
    project = tiny.copy_without(tmp_path_factory.mktemp("sent"))
    (project.folder / "config/beyond.yaml").write_text(DRIFT)
    finished = project.snakemake("--cores", "2", *PROFILE, "all")
    assert finished.returncode == 0, finished.stdout
    packed = sharpest(project, "bundle", "--output", "sent.zip")
    assert packed.returncode == 0, packed.stdout
    return project


@pytest.fixture(scope="module")
def bundle(sent: Project) -> Path:
    return sent.folder / "sent.zip"


def fresh(sent: Project, folder: Path) -> Project:
    """A checkout of the same version that has made nothing."""
    return sent.copy_without(folder, "results", ".snakemake", "sent.zip", "output.txt")


@pytest.fixture(scope="module")
def received(sent: Project, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Another checkout, without the scale and without results, into which the bundle was put."""
    project = fresh(sent, tmp_path_factory.mktemp("received"))
    (project.folder / "config/scales/tiny.yaml").unlink()
    placed = sharpest(project, "unbundle", str(bundle))
    assert placed.returncode == 0, placed.stdout
    assert len(placed.stdout.splitlines()) == 1
    return project


@pytest.fixture
def edited_copy(received: Project, tmp_path: Path) -> Project:
    return received.copy_without(tmp_path)


@pytest.mark.slow
def test_all_is_drawn_again_and_nothing_is_trained(sent: Project, received: Project, tmp_path: Path) -> None:
    project = received.copy_without(tmp_path)
    assert project.planned("all") == DRAWN
    drawn = project.snakemake("--cores", "2", *PROFILE, "--config", "scale=tiny", "--", "all")
    assert drawn.returncode == 0, drawn.stdout
    assert project.planned("all") == {}
    expected = made(sent)
    assert {"figures/drift.csv", "figures/fig12.csv", "tables/tab1.csv", "claims.csv"} <= expected.keys()
    assert made(project) == expected
    verified = sharpest(project, "verify", "--list")
    assert verified.returncode == 0, verified.stdout
    lines = verified.stdout.splitlines()
    assert any(line.startswith("runs/") and "theta" in line and "not in the bundle)" in line for line in lines)
    assert any(line.startswith("spectra/") and "eigenvectors not in the bundle)" in line for line in lines)
    # other code of a figure draws it again
    project.edit("src/sharpest/figures/lines.py", lambda text: text + "\nprint(__name__)\n")
    assert project.planned(f"{RESULTS}/figures/fig04.csv") == {"draw_figure": 1}


def test_a_bundle_holds_no_states_vectors_or_data(sent: Project, bundle: Path) -> None:
    with ZipFile(bundle) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        stored = [name for name in entries if name.endswith(".h5")]
        assert len(stored) > 15
        assert all(entries[name].file_size <= (sent.folder / name).stat().st_size + 4096 for name in stored)
        large = [name for name in stored if entries[name].file_size < (sent.folder / name).stat().st_size / 2]
    assert any(name.endswith("snapshots.h5") for name in large)
    assert any("/data/" in name for name in large)
    assert any("/spectra/" in name for name in large)


def test_the_same_results_give_the_same_bytes_also_from_a_bundle(received: Project, bundle: Path) -> None:
    assert sharpest(received, "bundle", "--output", "again.zip").returncode == 0
    again = received.folder / "again.zip"
    with ZipFile(bundle) as one, ZipFile(again) as other:
        assert one.namelist() == other.namelist()
        assert [name for name in one.namelist() if one.read(name) != other.read(name)] == []
    assert again.read_bytes() == bundle.read_bytes()
    again.unlink()


def test_a_missing_or_damaged_file_is_found(edited_copy: Project) -> None:
    folder = edited_copy.folder / RESULTS
    gone = folder / "spectra/vgg-c10-sgd-lr0.1-S128-s777/grid.h5"
    gone.unlink()
    spoiled = folder / "spectra/lstm-ptb-sgd-lr1-S20-s777/grid.h5"
    content = bytearray(spoiled.read_bytes())
    content[-9] ^= 1
    spoiled.write_bytes(content)
    verified = sharpest(edited_copy, "verify")
    assert verified.returncode == 1
    wrong = [line for line in verified.stdout.splitlines() if line.startswith("wrong: ")]
    assert [re.search(r"(\w+)-\w+-sgd.*h5: (is \w+)", line).groups() for line in wrong] == [  # type: ignore[union-attr]
        ("lstm", "is damaged"),
        ("vgg", "is missing"),
    ]
    planned = edited_copy.snakemake("-n", f"{RESULTS}/figures/fig04.csv")
    assert planned.returncode != 0
    assert f"{gone.relative_to(edited_copy.folder)}: is missing, and came in a bundle; run sharpest" in planned.stdout


def test_other_code_of_a_measure_reruns_nothing_and_is_named(edited_copy: Project) -> None:
    edited_copy.edit("src/sharpest/curvature/lanczos.py", lambda text: text + "\nprint(__name__)\n")
    planned, printed = edited_copy.plan("all")
    assert planned == DRAWN
    lines = [line for line in printed.splitlines() if "came in a bundle" in line]
    assert len(set(lines)) == 1
    assert re.search(r"stale there: 1 directions, .*\d+ spectra \(sharpest\.curvature\.lanczos changed\)$", lines[0])


def test_other_settings_rerun_nothing_and_are_named(edited_copy: Project) -> None:
    edited_copy.edit("config/scales/tiny.yaml", lambda text: text.replace("{points: 2 points}", "{points: 3 points}"))
    edited_copy.edit("config/scales/tiny.yaml", lambda text: text.replace("width: 2", "width: 3"))
    planned, printed = edited_copy.plan("all")
    assert planned == DRAWN
    assert re.search(r"stale there: .* runs.* \(settings changed\)", printed)


def test_what_needs_states_is_refused(received: Project) -> None:
    opened = sharpest(received, "open", "scnn-c10-sgd-lr0.01-S128-s777@2")
    assert opened.returncode == 1
    message = r"error: results/tiny/runs/scnn-\S+/snapshots\.h5: came in a bundle, without theta.*; open it where .*\n"
    assert re.fullmatch(message, opened.stdout)


def test_other_seeds_than_came_are_refused(received: Project) -> None:
    planned = received.snakemake("-n", "all", "--config", "seeds=2")
    assert planned.returncode != 0
    assert "config: seeds 2: results/tiny came in a bundle with seeds None" in planned.stdout


class Refused:
    """Asserts that a bundle is refused in one line, and that no file is another."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.project, self._patch, self._capsys = project, monkeypatch, capsys
        # held until the process ends, and tests share theirs
        monkeypatch.setattr(unbundle, "hold", lambda path: None)

    def __call__(self, bundle: Path, message: str, *options: str) -> None:
        before = tree(self.project.folder)
        with self._patch.context() as patch:
            patch.chdir(self.project.folder)
            assert main(["unbundle", str(bundle), *options]) == 1
        said = self._capsys.readouterr().err
        assert said.startswith("error: ")
        assert len(said.splitlines()) == 1, said
        assert message in said
        assert tree(self.project.folder) == before
        assert not list((self.project.folder / "results").glob(".unbundle*"))


def test_results_and_configuration_that_are_there_are_kept(
    sent: Project, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --force nothing is replaced, and with it what is replaced is kept."""
    project = fresh(sent, tmp_path)
    refused = Refused(project, monkeypatch, capsys)
    project.edit("config/studies.yaml", lambda text: text.replace("caption: growth", "caption: mine"))
    refused(bundle, "config/studies.yaml: not as in the bundle")
    own = project.folder / RESULTS / "spectra/mine.h5"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    refused(bundle, "results/tiny: exists; move it, or have it moved with --force")
    placed = sharpest(project, "unbundle", str(bundle), "--force")
    assert placed.returncode == 0, placed.stdout
    assert "what was results/tiny is results/tiny.replaced" in placed.stdout
    assert (project.folder / "results/tiny.replaced/spectra/mine.h5").read_text() == "mine"
    assert "caption: mine" in (project.folder / "config/studies.yaml.replaced").read_text()
    assert not own.exists()
    assert project.planned("all") == DRAWN
    refused(bundle, "results/tiny.replaced: exists, and what is replaced is kept there", "--force")


def test_nothing_is_packed_of_an_unfinished_project(sent: Project, tmp_path: Path) -> None:
    project = sent.copy_without(tmp_path, "sent.zip")
    (project.folder / RESULTS / "spectra/vgg-c10-sgd-lr0.1-S128-s777/grid.h5").unlink()
    refused = sharpest(project, "bundle")
    assert refused.returncode == 1
    assert re.fullmatch(
        r"error: results/tiny/spectra/vgg\S+grid\.h5: does not exist; make all with: .*\n", refused.stdout
    )
    assert not list(project.folder.glob("*.zip"))


def test_studies_that_draw_eigenvectors_are_known() -> None:
    """Their figures come drawn; a kind that reads the array and is not known would fail where a bundle is drawn."""
    modules = (ROOT / "src/sharpest/figures").glob("*.py")
    readers = {path.stem for path in modules if '"eigenvectors"' in path.read_text()}
    assert readers == {KINDS[kind].made_by.partition(":")[0].removeprefix("figures.") for kind in OF_VECTORS}


class _Context(HTTPAdapter):
    """Answers with a JSON-LD context, of the terms of RO-Crate 1.1 that a bundle uses."""

    def send(self, request: PreparedRequest, *arguments: object, **options: object) -> Response:  # type: ignore[override]
        content = json.dumps({"@context": CONTEXT}).encode()
        headers = {"Content-Type": "application/ld+json"}
        raw = HTTPResponse(io.BytesIO(content), headers, 200, preload_content=False, request_url=request.url)
        return self.build_response(request, raw)


SCHEMA = (
    "about", "actionStatus", "additionalType", "contentSize", "CreateAction", "CreativeWork", "ComputerLanguage",
    "Dataset", "datePublished", "description", "encodingFormat", "endTime", "exampleOfWork", "hasPart", "identifier",
    "instrument", "license", "mainEntity", "mentions", "name", "object", "programmingLanguage", "PropertyValue",
    "result", "SoftwareApplication", "softwareRequirements", "SoftwareSourceCode", "softwareVersion", "startTime",
    "url", "value", "version", "workExample",
)  # fmt: skip
CONTEXT = {term: f"http://schema.org/{term}" for term in SCHEMA} | {
    "File": "http://schema.org/MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
}
VALIDATOR = "from rocrate_validator.cli import cli; cli()"


def test_a_bundle_is_a_valid_workflow_run_crate(bundle: Path, tmp_path: Path) -> None:
    """By the validator of the RO-Crate community; without a network it takes the context from its cache."""
    with CachedSession(str(tmp_path / "cache"), backend="sqlite", expire_after=-1) as session:
        session.mount("https://", _Context())
        session.get("https://w3id.org/ro/crate/1.1/context", headers={"Accept": "application/ld+json"})
    with ZipFile(bundle) as archive:
        graph = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
    types = {each for entity in graph for each in [entity["@type"]] if isinstance(each, str)}
    used = types | {key for entity in graph for key in entity if not key.startswith("@")}
    assert used - {"sha256"} <= CONTEXT.keys()
    command = [sys.executable, "-c", VALIDATOR, "-y", "validate", "--no-paging", "--verbose"]
    command += ["--offline", "--cache-path", str(tmp_path / "cache"), "--output-line-width", "200", str(bundle)]
    validated = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert validated.returncode == 0, validated.stdout
    assert "is a valid workflow-run-crate-0.5" in validated.stdout
