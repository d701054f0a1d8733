"""The metadata of a bundle: a Workflow Run RO-Crate.

Source: RO-Crate 1.1 (https://w3id.org/ro/crate/1.1) with the profiles Workflow RO-Crate 1.0
(https://w3id.org/workflowhub/workflow-ro-crate/1.0), Process Run Crate and Workflow Run Crate 0.5
(https://w3id.org/ro/wfrun/workflow/0.5).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sharpest.results.paths import Paths

METADATA = "ro-crate-metadata.json"
"""Its name in the zip file."""
WORKFLOW = "Snakefile"

_CRATE, _RUN = "https://w3id.org/ro/crate/1.1", "https://w3id.org/ro/wfrun"
_WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate"
_PROFILES = {
    f"{_RUN}/process/0.5": "Process Run Crate",
    f"{_RUN}/workflow/0.5": "Workflow Run Crate",
    f"{_WORKFLOW_CRATE}/1.0": "Workflow RO-Crate",
}
_LICENSE = "https://spdx.org/licenses/MIT"
_FORMATS = {
    "h5": "application/x-hdf5",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "yaml": "application/yaml",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "png": "image/png",
}


@dataclass(frozen=True)
class Packed:
    """A file of a bundle.

    Attributes:
        name: In the zip file.
        size: In bytes.
        sha256: Of its bytes.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Origin:
    """How results came to be.

    Attributes:
        scale: Its name.
        description: Of the scale, in a line.
        git: Commits of the code.
        packages: Names and versions of what computed.
        created: When the first file was written, and the last one; ISO 8601.
    """

    scale: str
    description: str
    git: Sequence[str]
    packages: Sequence[tuple[str, str]]
    created: tuple[str, str]


def metadata(files: Sequence[Packed], config: Sequence[str], origin: Origin) -> str:
    """The text of ``ro-crate-metadata.json``.

    Args:
        files: All others of the bundle; those of the workflow and of the results by the folders they are in.
        config: Names of those that the workflow has read.
        origin: How they came to be.
    """
    entities = [
        *_of_crate(files, origin),
        _of_run(files, config, origin),
        *_of_scale(origin),
        *(_file(file, origin) for file in files),
        *(_package(*package) for package in origin.packages),
    ]
    context = [f"{_CRATE}/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]
    return json.dumps({"@context": context, "@graph": entities}, indent=1) + "\n"


def checksums(text: bytes) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of each file that the metadata describe, by its name.

    Raises:
        ValueError, TypeError, KeyError, OverflowError: If they are not those of a bundle.
    """
    entities = json.loads(text)["@graph"]
    return {str(each["@id"]): (int(each["contentSize"]), str(each["sha256"])) for each in entities if "sha256" in each}


def _ids(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"@id": name} for name in names]


def _of_crate(files: Sequence[Packed], origin: Origin) -> list[dict[str, Any]]:
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": _ids([_CRATE, f"{_WORKFLOW_CRATE}/1.0"]),
    }
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"sharpest: results of the scale {origin.scale}",
        "description": f"What figures, tables and claims are made from. {origin.description}.",
        "datePublished": origin.created[1],
        "license": {"@id": _LICENSE},
        "conformsTo": _ids(list(_PROFILES)),
        "hasPart": _ids([file.name for file in files]),
        "mainEntity": {"@id": WORKFLOW},
        "mentions": {"@id": "#run"},
    }
    profiles = [
        {"@id": uri, "@type": "CreativeWork", "name": name, "version": uri.rpartition("/")[2]}
        for uri, name in _PROFILES.items()
    ]
    terms = {"@id": _LICENSE, "@type": "CreativeWork", "name": "MIT License", "description": "As the code."}
    language = {
        "@id": f"{_WORKFLOW_CRATE}#snakemake",
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
        "url": {"@id": "https://snakemake.readthedocs.io"},
    }
    return [descriptor, root, *profiles, terms, language]


def _of_run(files: Sequence[Packed], config: Sequence[str], origin: Origin) -> dict[str, Any]:
    made = [file.name for file in files if file.name.startswith(f"{Paths.of(origin.scale).folder}/")]
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Training and measuring at the scale {origin.scale}",
        "description": "All jobs of the workflow that stand before figures, tables and claims.",
        "instrument": {"@id": WORKFLOW},
        "object": _ids(["#scale", *config]),
        "result": _ids(made),
        "startTime": origin.created[0],
        "endTime": origin.created[1],
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }


def _of_scale(origin: Origin) -> list[dict[str, Any]]:
    parameter = {
        "@id": "#scale-parameter",
        "@type": "FormalParameter",
        "name": "scale",
        "additionalType": "Text",
        "workExample": {"@id": "#scale"},
    }
    value = {
        "@id": "#scale",
        "@type": "PropertyValue",
        "name": "scale",
        "value": origin.scale,
        "exampleOfWork": {"@id": "#scale-parameter"},
    }
    return [parameter, value]


def _file(file: Packed, origin: Origin) -> dict[str, Any]:
    suffix = file.name.rpartition(".")[2]
    entity: dict[str, Any] = {
        "@id": file.name,
        "@type": "File",
        "name": file.name.rpartition("/")[2],
        "contentSize": str(file.size),
        "sha256": file.sha256,
        "encodingFormat": _FORMATS.get(suffix, "text/plain"),
    }
    if file.name == "README.md":
        entity["about"] = {"@id": "./"}
    if file.name == WORKFLOW:
        entity |= {
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "name": "sharpest",
            "conformsTo": {"@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"},
            "programmingLanguage": {"@id": f"{_WORKFLOW_CRATE}#snakemake"},
            "version": ", ".join(origin.git),
            "softwareRequirements": _ids([_uri(*package) for package in origin.packages]),
            "input": {"@id": "#scale-parameter"},
        }
    return entity


def _uri(name: str, version: str) -> str:
    if name == "python":
        return f"https://www.python.org/downloads/release/python-{version.replace('.', '')}/"
    return f"https://pypi.org/project/{name}/{version}/"


def _package(name: str, version: str) -> dict[str, Any]:
    uri = _uri(name, version)
    return {
        "@id": uri,
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
        "url": {"@id": uri},
    }
