"""A real Slurm of one node on the loopback interface, for the duration of a command or a test.

    python tests/one_node_slurm.py [--accounting] COMMAND...

It needs root and Debian's packages. The node has the machine's cores and one fake GPU, which Slurm schedules. It cleans
up when it stops, and the daemons die with the process that started them.
"""

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PACKAGES = "slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge"
ACCOUNTING_PACKAGES = "slurmdbd mariadb-server-core mariadb-client-core"
# the executor removes SLURM_CONF from the environment of its jobs, whose srun then reads this file
CONFIGURATION = Path("/etc/slurm/slurm.conf")
_SBIN = "/usr/sbin"

# proctrack and task plugins: without cgroups, which may be missing in a container
# jobacct_gather: kills a job above its memory, checked every two seconds
# batch_sched_delay, sched_interval: a job starts within seconds of its submission
# MinJobAge: squeue lists an ended job for five minutes, Slurm's default
_SLURM = """\
ClusterName=sharpest
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/none
{accounting}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
MinJobAge=300
KillWait=5
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=1-00:00:00 DefaultTime=00:10:00 State=UP
"""

_DATABASE_DAEMON = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdPort={ports[2]}
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[3]}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""

_GRANTS = """\
create database slurm_acct_db;
create user 'slurm'@'127.0.0.1' identified by 'slurm';
create user 'slurm'@'localhost' identified by 'slurm';
grant all on slurm_acct_db.* to 'slurm'@'127.0.0.1';
grant all on slurm_acct_db.* to 'slurm'@'localhost';
"""


class SlurmError(Exception):
    """The cluster cannot be started; the message says why and what to do."""


@contextmanager
def one_node(accounting: bool = False) -> Iterator[Path]:
    """A running cluster, used by every Slurm command of this machine.

    Args:
        accounting: Run a database, so that ``sacct`` and ``sacctmgr`` work.

    Yields:
        The folder of its logs and state, deleted at the end.

    Raises:
        SlurmError: If not run as root, a package is missing, the machine has its own Slurm, or a daemon does not start.
    """
    _check(accounting)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="one-node-slurm-")))
        folder.chmod(0o755)
        _configure(folder, accounting)
        CONFIGURATION.parent.mkdir(exist_ok=True)
        if CONFIGURATION.is_symlink():  # left by a cluster that was killed
            CONFIGURATION.unlink()
        CONFIGURATION.symlink_to(folder / "slurm.conf")
        stack.callback(CONFIGURATION.unlink)

        def start(name: str, *arguments: str, ready: list[str]) -> None:
            stack.enter_context(_daemon(folder, name, *arguments))
            _wait(lambda: _succeeds(ready), f"{name}: did not come up", folder)

        socket_path = f"{folder}/munge.socket"
        start(
            "munged", "--foreground", "--force", f"--key-file={folder}/munge.key", f"--socket={socket_path}",
            f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed",
            ready=["munge", f"--socket={socket_path}", "-n"],
        )  # fmt: skip
        if accounting:
            _install_database(folder)
            port = _value(folder / "slurmdbd.conf", "StoragePort")
            client = ["mariadb", "--no-defaults", f"--socket={folder}/database.socket"]
            start(
                "mariadbd", "--no-defaults", "--user=root", f"--datadir={folder}/database",
                f"--socket={folder}/database.socket", f"--pid-file={folder}/database.pid", "--bind-address=127.0.0.1",
                f"--port={port}", "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900",
                ready=[*client, "-e", "select 1"],
            )  # fmt: skip
            subprocess.run([*client, "-e", _GRANTS], check=True)
            start("slurmdbd", "-D", ready=["sacctmgr", "-n", "show", "cluster"])
            for entity in (["cluster", "sharpest"], ["account", "tests"], ["user", "root", "account=tests"]):
                subprocess.run(["sacctmgr", "-i", "add", *entity], check=True, stdout=subprocess.DEVNULL)
        start("slurmctld", "-D", ready=["scontrol", "ping"])
        stack.callback(_cancel_all)
        start("slurmd", "-D", "-N", _host(), ready=["sh", "-c", "sinfo -h -o %t | grep -qE 'idle|mix|alloc'"])
        yield folder


def _check(accounting: bool) -> None:
    if os.geteuid() != 0:
        raise SlurmError("a one-node Slurm must be started by root: its node daemon changes users")
    programs = ["slurmctld", "slurmd", "sbatch", "munged"] + (["slurmdbd", "mariadbd"] if accounting else [])
    missing = [name for name in programs if shutil.which(name, path=f"{os.environ['PATH']}:{_SBIN}") is None]
    if missing:
        packages = PACKAGES + (f" {ACCOUNTING_PACKAGES}" if accounting else "")
        raise SlurmError(f"no {', '.join(missing)} on this machine; apt-get install --no-install-recommends {packages}")
    if CONFIGURATION.exists() and not (CONFIGURATION.is_symlink() and not _succeeds(["scontrol", "ping"])):
        raise SlurmError(f"{CONFIGURATION} exists: this machine has a Slurm of its own, or another test runs one")


def _configure(folder: Path, accounting: bool) -> None:
    (folder / "munge.key").touch(mode=0o600)
    (folder / "munge.key").write_bytes(secrets.token_bytes(1024))
    for name in ("state", "spool"):
        (folder / name).mkdir()
    # slurmd sets CUDA_VISIBLE_DEVICES only for character devices; this is a copy of /dev/null
    device = folder / "gpu0"
    os.mknod(device, 0o20666, os.makedev(1, 3))
    (folder / "gres.conf").write_text(f"NodeName={_host()} Name=gpu File={device}\n")
    ports = _free_ports(4)
    storage = f"""\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={ports[2]}
AccountingStoragePass={folder}/munge.socket"""
    with open("/proc/meminfo") as file:
        megabytes = int(file.readline().split()[1]) // 1024
    values = {
        "folder": folder,
        "host": _host(),
        "ports": ports,
        "cpus": os.cpu_count(),
        "memory": megabytes * 9 // 10,
        "accounting": storage if accounting else "AccountingStorageType=accounting_storage/none",
    }
    (folder / "slurm.conf").write_text(_SLURM.format(**values))
    if accounting:
        database = folder / "slurmdbd.conf"
        database.touch(mode=0o600)
        database.write_text(_DATABASE_DAEMON.format(**values))


def _install_database(folder: Path) -> None:
    with open(folder / "database.log", "w") as log:
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={folder}/database", "--skip-test-db"],
            check=True,
            stdout=log,
            stderr=log,
        )


@contextmanager
def _daemon(folder: Path, name: str, *arguments: str) -> Iterator[None]:
    program = shutil.which(name, path=f"{os.environ['PATH']}:{_SBIN}")
    assert program is not None
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    with open(folder / f"{name}.out", "w") as out:
        process = subprocess.Popen(
            [program, *arguments], stdout=out, stderr=out, env=environment, start_new_session=True,
            preexec_fn=_die_with_parent,
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    ctypes.CDLL("libc.so.6").prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _cancel_all() -> None:
    subprocess.run(["scancel", "--user=root"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait(lambda: not subprocess.run(["squeue", "-h"], capture_output=True).stdout, "jobs outlive scancel", None)


def _wait(condition: Callable[[], bool], failure: str, folder: Path | None, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            logs = sorted(folder.glob("*.log")) + sorted(folder.glob("*.out")) if folder else []
            tails = "".join(f"\n== {log.name}\n{log.read_text()[-2000:]}" for log in logs)
            raise SlurmError(f"{failure} in {seconds:.0f} s{tails}")
        time.sleep(0.2)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _host() -> str:
    return socket.gethostname().split(".")[0]


def _value(file: Path, key: str) -> str:
    return next(line.partition("=")[2] for line in file.read_text().splitlines() if line.startswith(f"{key}="))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    accounting = arguments[:1] == ["--accounting"]
    command = arguments[accounting:]
    if not command:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the clean-up below runs
    try:
        with one_node(accounting):
            status = subprocess.run(command).returncode
    except SlurmError as error:
        sys.exit(f"error: {error}")
    sys.exit(status)
