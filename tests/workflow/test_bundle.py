"""Results in one file: packed in one checkout, drawn in another, where nothing is trained."""

import hashlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
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

RESULTS = "results/tiny"
DRAWN = {"draw_figure": 6, "write_table": 1, "judge_claims": 2, "write_report": 1, "write_full_report": 1}


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
def bundle(later: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a finished project."""
    path = tmp_path_factory.mktemp("bundle") / "sent.zip"
    packed = sharpest(later, "bundle", "--output", str(path))
    assert packed.returncode == 0, packed.stdout
    return path


def fresh(later: Project, folder: Path) -> Project:
    """A checkout of the same version that has made nothing."""
    return later.copy_without(folder, "results", ".snakemake", "output.txt")


@pytest.fixture(scope="module")
def received(later: Project, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Another checkout, without the scale and without results, into which the bundle was put."""
    project = fresh(later, tmp_path_factory.mktemp("received"))
    (project.folder / "config/scales/tiny.yaml").unlink()
    placed = sharpest(project, "unbundle", str(bundle))
    assert placed.returncode == 0, placed.stdout
    assert len(placed.stdout.splitlines()) == 1
    return project


@pytest.mark.slow
def test_all_is_drawn_again_and_nothing_is_trained(later: Project, received: Project, tmp_path: Path) -> None:
    project = received.copy_without(tmp_path)
    assert project.planned("all") == DRAWN
    drawn = project.snakemake("--cores", "2", "--config", "scale=tiny", "--", "all")
    assert drawn.returncode == 0, drawn.stdout
    expected = made(later)
    assert {"figures/drift.csv", "figures/fig12.csv", "tables/tab1.csv", "claims.csv"} <= expected.keys()
    assert made(project) == expected
    verified = sharpest(project, "verify", "--list")
    assert verified.returncode == 0, verified.stdout
    lines = verified.stdout.splitlines()
    assert any(line.startswith("runs/") and "theta" in line and "not in the bundle)" in line for line in lines)
    assert any(line.startswith("spectra/") and "eigenvectors not in the bundle)" in line for line in lines)
    # other code of a figure draws it again; that of a measure and other settings make nothing again, and are named
    for edited in ("figures/lines.py", "curvature/lanczos.py"):
        project.edit(f"src/sharpest/{edited}", lambda text: text + "\nprint(__name__)\n")
    project.edit("config/scales/tiny.yaml", lambda text: text.replace("width: 2", "width: 3"))
    planned, printed = project.plan("all")
    assert "draw_figure" in planned
    assert set(planned) <= set(DRAWN)
    lines = [line for line in printed.splitlines() if "came in a bundle" in line]
    assert len(set(lines)) == 1
    assert re.search(r"stale there: .*\d+ spectra .*sharpest\.curvature\.lanczos, settings changed", lines[0])


@pytest.mark.slow
def test_a_bundle_holds_no_states_vectors_or_data_and_always_has_the_same_bytes(
    later: Project, received: Project, bundle: Path, tmp_path: Path
) -> None:
    with ZipFile(bundle) as archive:
        stored = {entry.filename: entry.file_size for entry in archive.infolist() if entry.filename.endswith(".h5")}
    before = {name: (later.folder / name).stat().st_size for name in stored}
    assert all(size <= before[name] + 4096 for name, size in stored.items())
    large = [name for name in stored if stored[name] < before[name] / 2]
    assert all(any(kind in name for name in large) for kind in ("snapshots.h5", "/data/", "/spectra/"))
    assert sharpest(received, "bundle", "--output", str(tmp_path / "again.zip")).returncode == 0
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


@pytest.mark.slow
def test_what_a_bundle_does_not_have_is_refused(received: Project, tmp_path: Path, refusal: Callable[..., str]) -> None:
    opened = sharpest(received, "open", "scnn-c10-sgd-lr0.01-S128-s777@2")
    assert opened.returncode == 1
    message = r"error: results/tiny/runs/scnn-\S+/snapshots\.h5: came in a bundle, without theta.*; open it where .*\n"
    assert re.fullmatch(message, opened.stdout)
    project = received.copy_without(tmp_path)
    assert "seeds 2: results/tiny came in a bundle with seeds None" in refusal(project, scale="tiny", seeds=2)
    gone = project.folder / RESULTS / "spectra/vgg-c10-sgd-lr0.1-S128-s777/grid.h5"
    gone.unlink()
    assert refusal(project, scale="tiny").startswith(f"{gone.relative_to(project.folder)}: is missing, and came in a b")
    unpacked = sharpest(project, "bundle")
    assert unpacked.returncode == 1
    assert "grid.h5: " in unpacked.stdout
    assert len(unpacked.stdout.splitlines()) == 1
    assert not list(project.folder.glob("*.zip"))


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


@pytest.mark.slow
def test_results_and_configuration_that_are_there_are_kept(
    later: Project, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --force nothing is replaced, and with it what is replaced is kept."""
    project = fresh(later, tmp_path)
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


@pytest.mark.slow
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
