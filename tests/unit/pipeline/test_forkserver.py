"""The fork server: to an observer, a forked job is the process that Snakemake started."""

import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sharpest.pipeline import forkserver

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the fork server needs Linux")
# as Snakemake sets them for a job with one thread
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "GOTO_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}

# a forked job finds torch already imported
HEAD = "import sys, os, time, signal\nearly = 'torch' in sys.modules\nimport sharpest.pipeline.startup\n"

StartJob = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of this process, which ends with it; the environment that jobs need to use it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(forkserver.VARIABLE, raising=False)
        forkserver.start()
        yield os.environ.pop(forkserver.VARIABLE)


@pytest.fixture
def start_job(server: str, tmp_path: Path) -> StartJob:
    """Start a script that imports the startup module of jobs and then runs the given code."""

    def start(*lines: str, before: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
        script = tmp_path / "job.py"
        script.write_text(HEAD + "\n".join(lines))
        return subprocess.Popen(
            [*before, sys.executable, str(script), "argument"],
            env={**os.environ, **ONE_THREAD, forkserver.VARIABLE: server, **environment},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def ended(job: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = job.communicate(timeout=60)
    return job.returncode, out, err


def test_a_job_is_forked_with_its_own_arguments_folder_environment_and_streams(start_job, tmp_path):
    code, out, err = ended(
        start_job(
            "print(early, sys.argv[1], os.getcwd(), os.environ['MINE'], os.environ.get('SHARPEST_FORKSERVER'))",
            "print(__name__, __file__, file=sys.stderr)",
            MINE="here",
        )
    )
    assert (code, out) == (0, f"True argument {tmp_path} here None\n")
    assert err == f"__main__ {tmp_path / 'job.py'}\n"


def test_a_job_does_not_affect_others(start_job):
    """Modules, environment, random numbers, the number of threads."""
    first = "import sharpest.errors, torch; os.environ['LEFT'] = '1'; torch.manual_seed(5); torch.set_num_threads(2)"
    assert ended(start_job(first))[0] == 0
    second = (
        "print('sharpest.errors' in sys.modules, 'LEFT' in os.environ)",
        "import torch; print(torch.initial_seed() == 5, torch.get_num_threads())",
    )
    assert ended(start_job(*second))[1] == "False False\nFalse 1\n"


def test_jobs_run_in_parallel(start_job):
    waiting = start_job("print(sys.stdin is None, flush=True); time.sleep(60)")
    assert waiting.stdout.readline() == "False\n"
    assert ended(start_job("print(early)"))[1] == "True\n"
    waiting.kill()
    ended(waiting)


def test_files_of_a_job_stay_open_when_garbage_is_collected(start_job):
    """The server held files for the parallel job under the same descriptors as files that this job opens."""
    waiting = start_job("print(flush=True); time.sleep(60)")
    waiting.stdout.readline()
    code, out, err = ended(
        start_job(
            "import gc, tempfile",
            "files = [tempfile.TemporaryFile() for _ in range(20)]",
            "gc.collect()",
            "print([os.fstat(file.fileno()).st_nlink for file in files] == 20 * [0])",
        )
    )
    waiting.kill()
    ended(waiting)
    assert (code, out) == (0, "True\n"), err


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("sys.exit(3)", 3),
        ("raise ValueError('broken')", 1),
        ("os._exit(0)", 0),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
    ],
)
def test_a_job_ends_as_it_would_alone(start_job, line, code):
    """Also a job that runs out of memory, which Snakemake reports by its signal."""
    assert ended(start_job(line))[0] == ended(start_job(line, SHARPEST_FORKSERVER=""))[0] == code


def test_a_job_dies_with_the_process_that_snakemake_sees(start_job):
    waiting = start_job("print(os.getpid(), flush=True); time.sleep(60)")
    process = int(waiting.stdout.readline())
    assert process != waiting.pid
    waiting.kill()
    waiting.wait()
    _until(lambda: not Path(f"/proc/{process}").exists())


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"SHARPEST_FORKSERVER": ""}, id="no server"),
        pytest.param({"SHARPEST_FORKSERVER": f"gone {sys.prefix}"}, id="another machine's, or one that has ended"),
        pytest.param({"OMP_NUM_THREADS": "2"}, id="two threads"),
    ],
)
def test_a_job_without_a_server_of_its_kind_runs_by_itself(start_job, environment):
    assert ended(start_job("print(early)", **environment))[1] == "False\n"


def test_a_job_of_another_environment_runs_by_itself(start_job, server):
    assert ended(start_job("print(early)", SHARPEST_FORKSERVER=f"{server.split()[0]} /other"))[1] == "False\n"


def test_a_job_that_a_batch_system_starts_on_the_same_machine_runs_by_itself(start_job):
    """Its process does not descend from Snakemake's, and has its own limits."""
    job = start_job("print(early)", before=("setsid", "--fork"))
    assert ended(job)[1] == "False\n"


@pytest.mark.parametrize("accepted", [True, False])
def test_a_job_whose_server_ends_before_it_reads_fails_in_one_line(start_job, accepted):
    """This process is the server; closing a socket with unread data resets the connection."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("")
        listener.listen()
        job = start_job("print(early)", SHARPEST_FORKSERVER=f"{listener.getsockname()[1:].decode()} {sys.prefix}")
        assert select.select([listener], [], [], 60)[0]
        if accepted:
            with listener.accept()[0] as connection:
                assert select.select([connection], [], [], 60)[0]
    limit = forkserver._memory_limit()  # of a container
    line = f"error      the server that jobs are forked from has ended{limit}; run the same command again\n"
    assert ended(job) == (1, "", line)


def test_a_limit_of_memory_is_named(monkeypatch):
    limits = {resource.RLIMIT_AS: 2 * 10**8, resource.RLIMIT_DATA: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], resource.RLIM_INFINITY))
    assert forkserver._memory_limit() == ", and memory is limited to 0.2 GB by ulimit -v: raise that limit"


def test_an_ancestor_that_has_just_ended_is_no_error(monkeypatch):
    parent = subprocess.Popen(["true"])
    parent.wait()
    monkeypatch.setattr(os, "getppid", lambda: parent.pid)
    assert forkserver._ancestors() == [parent.pid]


def test_a_server_ends_with_its_owner():
    """But not before its jobs, which a killed Snakemake leaves running."""
    owner = (
        "import subprocess, sys, os; from sharpest.pipeline import forkserver as f; f.start()\n"
        "job = subprocess.Popen([sys.executable, '-c', 'print(1)']); job.wait()\n"
        "print(os.environ[f.VARIABLE].split()[0], flush=True)"
    )
    environment = {name: value for name, value in os.environ.items() if name != forkserver.VARIABLE}
    name = subprocess.run([sys.executable, "-c", owner], env=environment, capture_output=True, text=True, check=True)

    def gone() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(f"\0{name.stdout.split()[-1]}") != 0

    _until(gone)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_whose_owner_ended_during_its_imports_ends_quietly():
    owner = subprocess.Popen(["true"])
    owner.wait()
    code = (
        "import sys; from sharpest.pipeline import forkserver; forkserver.LIBRARIES = ();"
        "forkserver.main(int(sys.argv[1]), int(sys.argv[2]))"
    )
    with socket.socket(socket.AF_UNIX) as listener:
        command = [sys.executable, "-c", code, str(listener.fileno()), str(owner.pid)]
        ended = subprocess.run(command, pass_fds=[listener.fileno()], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
