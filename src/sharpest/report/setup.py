"""The configuration behind a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sharpest.config.project import Project
from sharpest.config.strict import Strict
from sharpest.config.studies import AnyStudy
from sharpest.report.paper import answered_beside, item_of
from sharpest.results.paths import BEYOND, PAPER, Paths, verdicts

if TYPE_CHECKING:
    from sharpest.claims.ledger import Claim
    from sharpest.claims.plans import Plans

_BEYOND = "beyond_"  # prefix; a study called runs or scale would clash with another parameter


class Setup(Strict):
    """The configuration behind a report."""

    scale: str
    """Name of the scale."""
    description: str
    """One line on the scale."""
    studies: dict[str, AnyStudy]
    """Figures and tables, with their captions."""
    beyond: tuple[str, ...] = ()
    """Studies that go beyond the paper."""
    later_claims: bool = False
    """Whether claims of later papers are judged."""
    reductions: dict[str, tuple[str, ...]]
    """Study -> what was replaced or reduced compared with the paper."""
    beside: dict[str, tuple[str, ...]]
    """Study -> ids of the claims about other items that its runs answer."""
    runs: dict[str, str]
    """Every run of a study, and the trunks of branches -> data set."""
    sources: dict[str, tuple[str, str]]
    """Data set -> source in the paper, source that is read."""

    def parts(self) -> dict[str, Any]:
        """The configuration as parameters of a rule, one per study, so that a change names only its study."""
        whole = self.model_dump(mode="json")
        studies, reductions, beside = (whole.pop(key) for key in ("studies", "reductions", "beside"))
        whole["order"] = list(studies)
        return whole | {
            f"{_BEYOND * (name in self.beyond)}{name}": {
                "study": study,
                "reductions": reductions[name],
                "beside": beside[name],
            }
            for name, study in studies.items()
        }

    @classmethod
    def joined(cls, parts: Mapping[str, Any]) -> Self:
        """Restore a setup from its ``parts``; other parameters are ignored."""
        studies = {
            name.removeprefix(_BEYOND): part
            for name, part in parts.items()
            if isinstance(part, Mapping) and "study" in part
        }
        return cls(
            **{name: parts[name] for name in cls.model_fields if name in parts},
            studies={name: part["study"] for name, part in studies.items()},
            reductions={name: part["reductions"] for name, part in studies.items()},
            beside={name: part["beside"] for name, part in studies.items()},
        )

    def measured(self) -> dict[str, list[tuple[str, str]]]:
        """Measure -> run and schedule of each of its files that a study reads, without repetition."""
        measured: dict[str, dict[tuple[str, str], None]] = {}
        for study in self.studies.values():
            for source in study.inputs():
                if source.schedule is not None:
                    measured.setdefault(source.kind, {})[source.run, source.schedule] = None
        return {measure: list(curves) for measure, curves in measured.items()}

    def made(self, paths: Paths) -> list[Path]:
        """The files of verdicts, figures and tables that a report shows."""
        figures = [name for name, study in self.studies.items() if not study.is_table]
        return [
            verdicts(paths, PAPER, "csv"),
            verdicts(paths, PAPER, "by_chance.csv"),
            *[verdicts(paths, BEYOND, "csv")] * self.later_claims,
            *(paths.figure(name, suffix) for name in figures for suffix in ("png", "csv", "md")),
            *(paths.table(name, "csv") for name, study in self.studies.items() if study.is_table),
        ]


def setup_of(
    project: Project,
    claims: Sequence[Claim],
    plans: Plans,
    names: Iterable[str] | None = None,
    later_claims: bool = False,
) -> Setup:
    """The setup of a report on some studies, or on all.

    Args:
        project: The project.
        claims: The claims of the paper.
        plans: What each claim reads.
        names: The studies; None = all.
        later_claims: Whether claims of later papers are judged.
    """
    studies = {name: project.study(name) for name in (project.studies if names is None else names)}
    runs = _with_trunks(project, [run for study in studies.values() for run in study.runs()])
    names = dict.fromkeys(project.run(run).dataset_name for run in runs)
    return Setup(
        scale=project.settings.scale,
        description=project.scale.description,
        studies=studies,
        beyond=tuple(name for name in studies if name in project.beyond),
        later_claims=later_claims,
        reductions={name: tuple(project.study_reductions(name)) for name in studies},
        beside={
            name: tuple(claim.id for claim in answered_beside(study, item_of(name), claims, plans))
            if name not in project.beyond
            else ()
            for name, study in studies.items()
        },
        runs={run: project.run(run).dataset_name for run in runs},
        sources={
            name: (project.paper.datasets.get(name, dataset).source, dataset.source)
            for name in names
            for dataset in [project.scale.datasets[name]]
        },
    )


def _with_trunks(project: Project, runs: Sequence[str]) -> list[str]:
    """Each run once; a branch follows its trunk."""
    ordered: dict[str, None] = {}
    for run in runs:
        if branch := project.run(run).branch:
            ordered[branch.parent] = None
        ordered[run] = None
    return list(ordered)
