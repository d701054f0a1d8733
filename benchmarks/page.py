"""Write docs/performance.md and its plot from the tables of the other benchmarks.

python benchmarks/page.py FOLDER
"""

import json
import platform
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

DOCS = Path(__file__).parents[1] / "docs"
OURS = "sharpest"


def cpu() -> str:
    with open("/proc/cpuinfo") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()


def markdown(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)])


def cold_table(cold: pd.DataFrame) -> str:
    rows = []
    for (problem, point), group in cold.groupby(["problem", "point"], sort=False):
        ours = float(group.loc[group.entrant == OURS, "gradients"].iloc[0])
        for row in group[group.products.notna()].itertuples():
            name = row.entrant if row.converged else f"{row.entrant}: NOT CONVERGED"
            rows.append([
                f"{problem}, {point}", name, f"{row.gradients:.0f}", f"{row.products:.0f}", f"{row.residual:.1e}",
                f"{row.error:.1e}", f"{row.gradients / ours:.2f}",
            ])  # fmt: skip
    return markdown(["net", "entrant", "gradients", "products", "worst residual", "worst error", "cost / ours"], rows)


def product_table(cold: pd.DataFrame) -> str:
    ours, product = (
        cold[cold.entrant == name].set_index(["problem", "point"]) for name in (OURS, "one product of sharpest")
    )
    rows = [
        [problem, point, f"{ours.loc[(problem, point), 'parameters']:,.0f}", f"{row.gradients:.2f}",
         f"{ours.loc[(problem, point), 'gradients'] / ours.loc[(problem, point), 'products']:.2f}"]
        for (problem, point), row in product.iterrows()
    ]  # fmt: skip
    return markdown(["net", "point", "parameters", "one product", "whole measurement / products"], rows)


def trajectory_table(along: pd.DataFrame) -> str:
    rows = []
    for problem, group in along.groupby("problem", sort=False):
        ours = float(group.loc[group.entrant == "sharpest, warm", "gradients"].iloc[0])
        for row in group.itertuples():
            rows.append([str(problem), row.entrant, f"{row.gradients:.0f}", f"{row.products}", f"{row.residual:.1e}",
                         f"{row.converged} of {row.points}", f"{row.gradients / ours:.2f}"])  # fmt: skip
    return markdown(["net", "entrant", "gradients", "products", "worst residual", "converged", "cost / ours"], rows)


def memory_table(memory: pd.DataFrame) -> str:
    wide = memory.pivot(index="problem", columns="entrant", values="MiB").loc[memory.problem.unique()]
    rows = [[str(name), f"{row.sharpest:.0f}", f"{row.curvlinops:.0f}", f"{row.sharpest / row.curvlinops:.2f}"]
            for name, row in wide.iterrows()]  # fmt: skip
    return markdown(["net", "sharpest, MiB", "curvlinops + eigsh, MiB", "ratio"], rows)


def line_table(lines: pd.DataFrame) -> str:
    rows = []
    for (problem, point), group in lines.groupby(["problem", "point"], sort=False):
        faster = group.direct_seconds.sum() / group.seconds.sum()
        rows.append([
            f"{problem}, {point}", f"{group.direct_evaluations.sum()}", f"{group.evaluations.sum()}", f"{faster:.2f}",
            f"{100 * group.median_error.median():.2g} %", f"{100 * group.worst_error.max():.2g} %",
        ])  # fmt: skip
    return markdown(
        ["net", "losses, direct", "losses, ours", "time, direct / ours", "median error", "worst error"], rows
    )


def exponents(scaling: pd.DataFrame) -> dict[str, float]:
    """Slope of log cost against log size; for p, of the cost per product, because the spectra differ."""
    fits = {}
    for size, group in scaling.groupby("against", sort=False):
        cost = group.seconds_per_product if size == "p" else group.seconds
        fits[str(size)] = float(np.polyfit(np.log(group.value), np.log(cost), 1)[0])
    return fits


@mpl.rc_context(mpl.rcParamsDefault)
def plot(cold: pd.DataFrame, scaling: pd.DataFrame, fits: dict[str, float], path: Path) -> None:
    figure, axes = plt.subplot_mosaic([["cold"] * 3, ["N", "K", "p"]], figsize=(11, 7), layout="constrained")
    bars = axes.pop("cold")
    converged = cold[(cold.converged == True) & ~cold.entrant.str.contains("PyHessian")]  # noqa: E712  # of a column
    labels = {OURS: "sharpest", "hessian": "hessian-eigenthings, fewest steps", "curvlinops": "curvlinops + eigsh"}
    cases = list(dict.fromkeys(zip(cold.problem, cold.point, strict=True)))
    for offset, (key, label) in enumerate(labels.items()):
        chosen = converged[converged.entrant.str.startswith(key)].groupby(["problem", "point"]).gradients.min()
        heights = [chosen.get(case, np.nan) for case in cases]
        bars.bar(np.arange(len(cases)) + 0.27 * (offset - 1), heights, 0.25, label=label)
    bars.set_xticks(
        np.arange(len(cases)), ["\n".join([*problem.split(", "), point]) for problem, point in cases], fontsize=8
    )
    bars.set_ylabel("cost in gradients")
    bars.set_title("top 10 at a residual of 1e-3, cold")
    bars.legend(frameon=False, loc="upper left")
    titles = {"N": "examples N", "K": "eigenpairs K", "p": "parameters p"}
    for size, axis in axes.items():
        group = scaling[scaling.against == size]
        cost = group.seconds_per_product if size == "p" else group.seconds
        axis.loglog(group.value, cost, "o-")
        axis.set_xticks(group.value, [f"{value:,.0f}" if value < 10_000 else f"{value:.1g}" for value in group.value])
        axis.xaxis.set_minor_locator(plt.NullLocator())
        axis.set_xlabel(titles[size])
        axis.set_ylabel("s per product" if size == "p" else "s")
        axis.set_title(f"exponent {fits[size]:.2f}")
    figure.savefig(path, dpi=110)


def main() -> None:
    folder = Path(sys.argv[1])
    cold, along, memory, scaling, lines = (
        pd.read_csv(folder / f"{name}.csv") for name in ("cold", "trajectory", "memory", "scaling", "lines")
    )
    versions = json.loads((folder / "versions.json").read_text())
    fits = exponents(scaling)
    plot(cold, scaling, fits, DOCS / "images/performance.png")
    by_examples = scaling[scaling.against == "N"].sort_values("value")
    doubling = (by_examples.seconds_per_product / by_examples.seconds_per_product.shift()).max()
    template = (Path(__file__).parent / "performance.md.in").read_text()
    (DOCS / "performance.md").write_text(
        template.format(
            cpu=cpu(),
            versions=", ".join(f"{name} {number}" for name, number in versions.items()),
            cold=cold_table(cold),
            products=product_table(cold),
            trajectory=trajectory_table(along),
            memory=memory_table(memory),
            lines=line_table(lines),
            doubling=f"{doubling:.2f}",
            **{f"exponent_{size}": f"{value:.2f}" for size, value in fits.items()},
        )
    )


if __name__ == "__main__":
    main()
