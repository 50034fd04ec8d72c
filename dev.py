"""Run a job of the project; what it needs is installed into .venv first.

usage: python3 dev.py JOB [arguments of the job]

  demo   two tenants in one database
  test   every test, PostgreSQL included (arguments go to pytest)
  lint   style, format, types and layers
  docs   the documentation, into site/
  bench  the benchmarks
"""

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - says it better than the installer would
    sys.exit(f"ramax needs Python 3.11 or newer; this is {sys.version.split()[0]}.")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = str(BIN / "python")

JOBS = {
    "demo": ["python examples/crm.py"],
    "test": ["python -m pytest -n 2 --dist loadfile"],
    "lint": ["ruff check", "ruff format --check", "mypy", "lint-imports --no-logo"],
    "docs": ["zensical build --strict"],
    "bench": ["python -m benchmarks"],
}


def create_environment(uv: str | None) -> None:
    """Make .venv for this Python; a broken one, or one of another Python, is replaced."""
    if Path(PYTHON).exists():
        ask = [PYTHON, "-c", "import sys; print(sys.version)"]
        answer = subprocess.run(ask, capture_output=True, text=True, check=False)
        if answer.stdout.strip() == sys.version:
            return
    if uv:
        subprocess.check_call([uv, "venv", "-q", "--clear", "-p", sys.executable, str(VENV)])
    elif importlib.util.find_spec("ensurepip"):
        venv.create(VENV, clear=True, with_pip=True)
    else:
        sys.exit("This Python cannot install packages: add python3-venv (Debian, Ubuntu) or uv.")


def install(extra: str) -> None:
    """Install the project with ``extra``, unless that was done with these very files."""
    inputs = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    fingerprint = hashlib.sha256(b"".join([*inputs, sys.version.encode()])).hexdigest()
    stamp = VENV / f"installed-{extra}"
    if stamp.exists() and stamp.read_text() == fingerprint:
        return
    print("Installing what this needs into .venv (once, about half a minute) …", flush=True)
    uv = shutil.which("uv")
    create_environment(uv)
    pip = (
        [uv, "pip", "install", "-q", "-p", PYTHON]
        if uv
        else [PYTHON, "-m", "pip", "install", "-qq"]
    )
    if subprocess.call([*pip, "-c", "constraints.txt", "-e", f".[{extra}]"], cwd=ROOT):
        sys.exit("The installation failed; what was missing stands above.")
    stamp.write_text(fingerprint)


def main() -> int:
    """Run the job that the command line names: each of its commands, even after one failed."""
    job, arguments = (sys.argv[1:2] or ["--help"])[0], sys.argv[2:]
    if job not in JOBS or (arguments and len(JOBS[job]) > 1):
        print(__doc__)
        return 0 if job in {"-h", "--help"} else 2
    install("docs" if job == "docs" else "dev")
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is for the job to answer
    codes = []
    for command in JOBS[job]:
        program, *rest = command.split()
        print("$", command, *arguments, flush=True)
        codes.append(subprocess.call([str(BIN / program), *rest, *arguments], cwd=ROOT))
    return max(codes, key=abs)


if __name__ == "__main__":
    sys.exit(main())
