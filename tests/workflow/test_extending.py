"""docs/extending.md, taken word for word."""

import re

from .conftest import ROOT, Project

BLOCK = re.compile(r"```(?:python|diff|yaml|csv)\n# (new file|change|append): (\S+)\n(.*?)```", re.DOTALL)


def follow(project: Project) -> int:
    """Do what the blocks of the page say; their number."""
    blocks = BLOCK.findall((ROOT / "docs/extending.md").read_text())
    for what, name, content in blocks:
        path = project.folder / name
        if what == "new file":
            assert not path.exists()
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        elif what == "append":
            between = "" if path.suffix == ".csv" else "\n"
            path.write_text(path.read_text() + between + content)
        else:
            before, after = (
                "\n".join(line[1:] for line in content.splitlines() if line[0] == sign) for sign in ("-", "+")
            )
            assert path.read_text().count(before) >= 1, f"{name} has no {before!r}"
            path.write_text(path.read_text().replace(before, after, 1))
    return len(blocks)


def test_the_worked_example_draws_its_figures(checkout: Project) -> None:
    assert follow(checkout) == 13
    targets = [f"results/quick/figures/{name}.png" for name in ("fig_mlp", "fig_half")]
    result = checkout.snakemake("--cores", "2", *targets)
    assert result.returncode == 0, result.stdout
    assert all((checkout.folder / target).exists() for target in targets)


def test_the_example_changes_nothing_that_exists(edited: Project) -> None:
    """Nothing is trained or measured anew; the verdicts know the sources' number of classes, and the page all runs."""
    follow(edited)
    planned = edited.planned("all")
    assert set(planned) == {
        "prepare_data", "train_run", "measure_spectrum", "draw_figure", "judge_claims", "write_report",
    }  # fmt: skip
    assert planned["prepare_data"] == 1
    assert planned["train_run"] == 3
    assert planned["measure_spectrum"] == 1
    assert planned["draw_figure"] == 2
