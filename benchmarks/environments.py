"""Environments of the rivals: one each under ``.bench/``, made when first needed and kept."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".bench"

NEEDS = {
    "eventsourcing_rival": ["eventsourcing[postgres]==9.5.6"],
    # its sqlalchemy-utils does not import under SQLAlchemy 2.1, and it forgets to name two
    "depeche_rival": [
        "depeche-db==0.13.1",
        "sqlalchemy<2.1",
        "psycopg[binary]",
        "sniffio",
        "pydantic",
    ],
    "strata_rival": ["stratadb==1.2.7"],
}


class NotInstalledError(Exception):
    """A rival could not be installed here; the result says so."""


def python_of(rival: str) -> str:
    """Return the interpreter of a rival, installing it if that was not done before.

    Raises:
        NotInstalledError: pip failed; its last words are the message.
    """
    if rival not in NEEDS:
        return sys.executable
    wanted = "\n".join([sys.version, *NEEDS[rival]])
    name = f"{rival}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
    folder = FOLDER / name
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists():
        print(f"Installing {rival} into .bench/ (once) …", file=sys.stderr, flush=True)
        try:
            venv.create(folder, clear=True, with_pip=True)
            command = [str(python), "-m", "pip", "install", "-q", *NEEDS[rival]]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            words = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            raise NotInstalledError(words[-1] if words else "pip failed") from error
        done.touch()
    return str(python)
