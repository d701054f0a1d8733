"""Peak memory of one measurement, in a process of its own.

python benchmarks/memory.py PROBLEM ENTRANT
"""

import resource
import subprocess
import sys

import torch


def peak_megabytes(problem: str, entrant: str) -> float:
    """What the process grows by from the first gradient's inputs on, in MiB."""
    run = subprocess.run([sys.executable, __file__, problem, entrant], capture_output=True, text=True, check=True)
    return float(run.stdout.split()[-1])


def main() -> None:
    from entrants import arpack, sharpest
    from problems import PROBLEMS

    from sharpest.job import tune_allocator

    tune_allocator()
    torch.set_num_threads(1)
    problem = PROBLEMS[sys.argv[1]]()
    measure = {"sharpest": sharpest, "curvlinops": arpack(1e-3)}[sys.argv[2]]
    theta = problem.model.initial()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    measure(problem, theta)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


if __name__ == "__main__":
    main()
