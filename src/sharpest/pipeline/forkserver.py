"""A process that has imported torch, from which the jobs of a machine are forked.

Importing torch takes a job more than a second: at the quick scale, a quarter of the total time. If this server runs,
the process that Snakemake starts for a job hands its script to the server, waits, and exits with the status of the job.
If that process is killed, so is the job. Forked jobs are as independent as started ones: the server has only imported
libraries. It has imported no code of this package and has no threads, and every job has its own files, folder,
environment and streams. A job imports torch itself if it finds no server: on a cluster node, in another environment,
with more than one thread (libraries read the number when they are loaded), and on a GPU, where forking is untested.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

LIBRARIES = (
    "torch",
    "snakemake.script",
    "pandas",
    "h5py",
    "pydantic",
    "filelock",
    "yaml",
    "scipy.interpolate",
    "matplotlib.pyplot",
)
"""Libraries that jobs import; nothing from this package, whose code may change while the server runs."""

VARIABLE = "SHARPEST_FORKSERVER"
"""Environment variable with the server's address and Python environment. If it is set but empty, no server starts."""

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "GOTO_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
_PR_SET_PDEATHSIG = 1
_NUMBER = struct.Struct("!i")


def start() -> None:
    """Start a server that ends with this process, and give jobs its address. Does nothing except on Linux."""
    if VARIABLE in os.environ or not hasattr(os, "pidfd_open"):
        return
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("")  # Linux chooses an abstract name, which needs no file
        listener.listen(128)
        descriptor = listener.fileno()
        subprocess.Popen(
            [sys.executable, "-m", __name__, str(descriptor), str(os.getpid())],
            env=os.environ | _ONE_THREAD,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[descriptor],
        )
        os.environ[VARIABLE] = f"{listener.getsockname()[1:].decode()} {sys.prefix}"


def hand_over() -> None:
    """Let the server, if there is one, run this job's script, and exit with its status. Called first in a job."""
    name, _, prefix = os.environ.pop(VARIABLE, "").partition(" ")
    if not name or prefix != sys.prefix or (os.environ | _ONE_THREAD) != os.environ:
        return
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(f"\0{name}")
    except OSError:
        return  # the server is on another machine, or has ended
    owner, user = _peer(server)
    if user != os.getuid() or owner not in _ancestors():
        return
    job = json.dumps(
        {"argv": sys.argv, "path": sys.path, "folder": os.getcwd(), "environment": dict(os.environ)}
    ).encode()
    try:
        socket.send_fds(server, [_NUMBER.pack(len(job))], [0, 1, 2])
        server.sendall(job)
        status = server.recv(_NUMBER.size)
    except ConnectionError:  # it ended without reading all of this
        status = b""
    if len(status) < _NUMBER.size:
        sys.exit(
            f"error      the server that jobs are forked from has ended{_memory_limit()}; run the same command again"
        )
    code = os.waitstatus_to_exitcode(_NUMBER.unpack(status)[0])
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(abs(code))


def _memory_limit() -> str:
    """The limit of memory in force, which may be why a server ended, for its message; empty if there is none."""
    limits = {
        f"ulimit -{letter}": resource.getrlimit(kind)[0]
        for letter, kind in (("v", resource.RLIMIT_AS), ("d", resource.RLIMIT_DATA))
    }
    root = Path("/sys/fs/cgroup")
    with suppress(OSError):
        own = root / Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip().lstrip("/")
        for group in (own, *own.parents):
            with suppress(OSError, ValueError):
                limits[f"{group}/memory.max"] = int((group / "memory.max").read_text())
    finite = {name: limit for name, limit in limits.items() if limit != resource.RLIM_INFINITY}
    if not finite:
        return ""
    name = min(finite, key=lambda name: finite[name])
    return f", and memory is limited to {finite[name] / 1e9:.1f} GB by {name}: raise that limit"


def _peer(connected: socket.socket) -> tuple[int, int]:
    """Process and user at the other end of a socket; for a server, the process that started it."""
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 3 * _NUMBER.size)
    process, user, _ = struct.unpack("3i", credentials)
    return process, user


def _ancestors() -> list[int]:
    """The ancestors of this process. A batch system may start unrelated jobs on the server's machine."""
    ancestors, process = [], os.getppid()
    with suppress(OSError):  # one of them has just ended
        while process > 1:
            ancestors.append(process)
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return ancestors


class _Server:
    """Forks a job for each connection, and ends once its owner has ended and no job is running."""

    def __init__(self, listener: socket.socket, owner: int) -> None:
        self._listener, self._owner = listener, os.pidfd_open(owner)
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._begin)
        self._selector.register(self._owner, selectors.EVENT_READ, self._owner_ended)
        self._job: dict[str, Any] | None = None
        self._orphaned = os.getppid() != owner

    def serve(self) -> dict[str, Any] | None:
        """Serve until the end. Returns the description of the job in each forked job, and None in the server."""
        while not self._orphaned or len(self._selector.get_map()) > 1:
            for key, _ in self._selector.select():
                if key.fd in self._selector.get_map():  # an earlier event may have unregistered it
                    key.data()
                    if self._job is not None:
                        return self._job
        return None

    def _owner_ended(self) -> None:
        self._orphaned = True
        self._selector.unregister(self._owner)

    def _begin(self) -> None:
        client, _ = self._listener.accept()
        if _peer(client)[1] != os.getuid():  # abstract sockets are open to all users
            client.close()
            return
        try:
            size, streams, _, _ = socket.recv_fds(client, _NUMBER.size, 3)
            with client.makefile("rb") as stream:
                job = json.loads(stream.read(_NUMBER.unpack(size)[0]))
        except (OSError, ValueError, struct.error):
            client.close()  # the client was killed while sending
            return
        process = os.fork()
        if process == 0:
            self._become(job, streams)
            return
        for descriptor in streams:
            os.close(descriptor)
        self._watch(process, client)

    def _become(self, job: dict[str, Any], streams: Sequence[int]) -> None:
        """Turn a forked process into a job: close the server's files, die with it, take the client's streams."""
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for key in list(self._selector.get_map().values()):
            # a socket closed only by number would, when collected, close whatever file has that number by then
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            else:
                os.close(key.fd)
        self._selector.close()
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        self._job = job

    def _watch(self, process: int, client: socket.socket) -> None:
        """Kill a job if the process that waits for it ends; send that process the exit status of the job."""
        ended = os.pidfd_open(process)

        def kill() -> None:
            self._selector.unregister(client)
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

        def report() -> None:
            self._selector.unregister(ended)
            os.close(ended)
            status = os.waitpid(process, 0)[1]
            with client, suppress(OSError):  # no process waits for a killed job
                if client.fileno() in self._selector.get_map():
                    self._selector.unregister(client)
                client.sendall(_NUMBER.pack(status))

        self._selector.register(client, selectors.EVENT_READ, kill)
        self._selector.register(ended, selectors.EVENT_READ, report)


def main(descriptor: int, owner: int) -> None:
    """Serve jobs until the owner has ended."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for name in LIBRARIES:
        import_module(name)
    gc.freeze()  # keeps garbage collection in jobs from copying these pages
    try:
        server = _Server(socket.socket(fileno=descriptor), owner)
    except ProcessLookupError:
        os._exit(0)  # the owner ended during the imports
    job = server.serve()
    if job is None:
        os._exit(0)  # an orderly shutdown of torch takes half a second
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.argv, sys.path = job["argv"], job["path"]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
