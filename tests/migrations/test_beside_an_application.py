"""The guide "live beside your own Alembic", followed to the letter with an installed wheel."""

import os
import re
import sqlite3
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from ramax.storage.tables import HEAD
from tests.migrations.elixir import BEFORE_SPACES, ElixirFile, event, pstate

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/howto/live-beside-your-own-alembic.md").read_text()

MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("orders", metadata, sa.Column("id", sa.Integer, primary_key=True))
"""
REVISION = """
import sqlalchemy as sa
from alembic import op
revision = "f00d"
down_revision = None
branch_labels = ("shop",)
def upgrade():
    op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))
def downgrade():
    op.drop_table("orders")
"""
OPEN = """
import asyncio, ramax
async def main():
    async with ramax.connect("shop.db") as db:
        print(await db.current_revision(), [s.space_name for s in await db.spaces.list_all()])
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an environment that has ramax as a wheel, and what ramax depends on."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    build += ["--no-isolation"] if has("hatchling") else []
    subprocess.run(build, check=True, capture_output=True)
    venv.create(folder / "venv", symlinks=os.name != "nt")
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(site)  # all that an installer does for a wheel like ours
    # The dependencies are borrowed: a line in a .pth file adds a folder, but not what the .pth
    # files of that folder add, such as this checkout.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    found = Path(sysconfig.get_path("scripts", "venv", paths)) / Path(sys.executable).name
    where = run(found, folder, "-c", "import ramax; print(ramax.__file__)")
    assert Path(where.strip()).is_relative_to(site)
    return found


def has(module):
    return subprocess.run([sys.executable, "-c", f"import {module}"], check=False).returncode == 0


def run(python, folder, *arguments, fails=False):
    """Run Python in ``folder`` with nothing of this checkout in sight; return what it printed."""
    hidden = {"PYTHONPATH", "RAMAX_DATABASE_URL", "VIRTUAL_ENV"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [python, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def blocks():
    """Find the files that the guide shows."""
    return dict(re.findall(r'^```\w+ title="(\S+)"\n(.*?)^```', GUIDE, re.DOTALL | re.MULTILINE))


@pytest.fixture
def shop(tmp_path):
    """An application with one table and one revision, set up as the guide says."""
    for name, content in {
        "shop/__init__.py": "",
        "shop/models.py": MODELS,
        "migrations/env.py": blocks()["env.py"],
        "migrations/versions/f00d_orders.py": REVISION,
        "migrations/script.py.mako": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


@pytest.fixture
def alembic(shop, python):
    def call(ini, *arguments, **options):
        (shop / "alembic.ini").write_text(blocks()[ini])
        return run(python, shop, "-m", "alembic", *arguments, **options)

    return call


def tables(shop):
    connection = sqlite3.connect(shop / "shop.db")
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    return {name for (name,) in found}


def stamps(shop, table):
    connection = sqlite3.connect(shop / "shop.db")
    found = connection.execute(f"SELECT version_num FROM {table}").fetchall()
    connection.close()
    return {stamp for (stamp,) in found}


def test_apart_ramax_creates_its_tables_and_autogenerate_leaves_them_alone(shop, alembic, python):
    alembic("apart.ini", "upgrade", "head")
    assert "events" not in tables(shop)
    assert HEAD in run(python, shop, "-c", OPEN)
    assert {"orders", "events", "spaces"} <= tables(shop)
    assert stamps(shop, "alembic_version") == {"f00d"}
    assert stamps(shop, "ramax_alembic_version") == {HEAD}
    assert "No new upgrade operations" in alembic("apart.ini", "check")

    env = shop / "migrations" / "env.py"
    env.write_text(env.read_text().replace(", include_name=include_name", ""))
    assert "remove_table" in alembic("apart.ini", "check", fails=True)


def test_a_second_section_runs_the_revisions_in_the_wheel(shop, alembic, python):
    alembic("section.ini", "-n", "ramax", "upgrade", "head")
    assert "orders" not in tables(shop)
    alembic("section.ini", "upgrade", "head")
    assert stamps(shop, "alembic_version") == {"f00d"}
    assert f"{HEAD} (head)" in alembic("section.ini", "-n", "ramax", "current")
    for section in ([], ["-n", "ramax"]):
        assert "No new upgrade operations" in alembic("section.ini", *section, "check")
    assert HEAD in run(python, shop, "-c", OPEN)


def test_one_history_upgrades_a_filled_database_of_the_old_form_too(shop, alembic, python):
    file = ElixirFile(shop / "shop.db", BEFORE_SPACES)
    file.insert("events", event(3), event(5))
    file.insert("pstate_entities", pstate("k"))
    alembic("one.ini", "-x", "space=acme", "upgrade", "heads")
    assert stamps(shop, "alembic_version") == {"f00d", HEAD}
    assert "ramax_alembic_version" not in tables(shop)
    assert file.read("SELECT event_id, space_id, space_sequence FROM events") == [
        (3, 1, 1),
        (5, 1, 2),
    ]
    assert "'acme'" in run(python, shop, "-c", OPEN)
    assert "No new upgrade operations" in alembic("one.ini", "check")
    alembic("one.ini", "downgrade", "ramax@ramax_0001")
    refused = run(python, shop, "-c", OPEN, fails=True)
    assert "it is upgraded with the application" in refused
