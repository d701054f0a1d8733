"""What the report is told of the configuration."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from sharpest.config.project import Project
from sharpest.config.strict import Strict
from sharpest.config.studies.every import AnyStudy


class Facts(Strict):
    """The configuration behind a report."""

    scale: str
    """Name of the scale."""
    description: str
    """One line on the scale."""
    studies: dict[str, AnyStudy]
    """Figures and tables, with their captions."""
    reductions: dict[str, tuple[str, ...]]
    """What was replaced or reduced against the paper, by study."""
    runs: dict[str, str]
    """Every run behind a study, and those it branches off -> its data set."""
    sources: dict[str, tuple[str, str]]
    """Data set -> source of the paper, source that is really read."""

    def parts(self) -> dict[str, Any]:
        """The same, study by study, as parameters of a rule: what changes is told alone."""
        whole = self.model_dump(mode="json")
        studies, reductions = whole.pop("studies"), whole.pop("reductions")
        whole["order"] = list(studies)
        return whole | {name: {"study": study, "reductions": reductions[name]} for name, study in studies.items()}

    @classmethod
    def joined(cls, parts: Mapping[str, Any]) -> Self:
        """From its :meth:`parts`; other parameters are left out."""
        studies = {name: part for name, part in parts.items() if isinstance(part, Mapping) and "study" in part}
        return cls(
            **{name: parts[name] for name in cls.model_fields if name in parts},
            studies={name: part["study"] for name, part in studies.items()},
            reductions={name: part["reductions"] for name, part in studies.items()},
        )

    def spectra(self) -> list[tuple[str, str]]:
        """Run and schedule of every spectrum behind a figure, once each."""
        return self._measured("spectra")

    def directions(self) -> list[tuple[str, str]]:
        """Run and schedule of every measurement along directions, once each."""
        return self._measured("directions")

    def evaluations(self) -> list[str]:
        """Runs whose end points are evaluated, once each."""
        return list(dict.fromkeys(run for run, _ in self._measured("evaluations")))

    def _measured(self, measure: str) -> list[tuple[str, str]]:
        files = (file for study in self.studies.values() for file in study.inputs() if file.kind == measure)
        return list(dict.fromkeys((file.run, file.schedule) for file in files if file.schedule))


def facts_of(project: Project, names: Iterable[str] | None = None) -> Facts:
    """Gather them, of some studies or of all."""
    studies = {name: project.study(name) for name in names or project.studies}
    runs = _with_trunks(project, [run for study in studies.values() for run in study.runs()])
    names = dict.fromkeys(project.run(run).dataset_name for run in runs)
    return Facts(
        scale=project.settings.scale,
        description=project.scale.description,
        studies=studies,
        reductions={name: tuple(project.study_reductions(name)) for name in studies},
        runs={run: project.run(run).dataset_name for run in runs},
        sources={
            name: (project.paper.datasets.get(name, dataset).source, dataset.source)
            for name in names
            for dataset in [project.scale.datasets[name]]
        },
    )


def _with_trunks(project: Project, runs: Sequence[str]) -> list[str]:
    """Each run once, behind the run that it branches off."""
    found: dict[str, None] = {}
    for run in runs:
        if branch := project.run(run).branch:
            found[branch.parent] = None
        found[run] = None
    return list(found)
