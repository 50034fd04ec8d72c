import re

import sqlalchemy as sa

import ramax
from tests.cli.command import fail, on, process, read, run, succeed

DEMO = ("--domain", "ramax.cli.demo:contacts")


def test_rebuild_makes_the_read_model_anew(demo_url):
    async def spoil(db: ramax.Database) -> None:
        await db.pstate.put("crm_acme", "extra", 1)
        await db.events.append("crm_acme", "contact:c3", "contact.added", {"name": "Bo"})

    on(demo_url, spoil)
    said = succeed("rebuild", "crm_acme", *DEMO, "--url", demo_url)
    assert re.fullmatch(
        r"space 'crm_acme': folded 4 events in \d+\.\d s \([\d,]+ events/s\)\n", said
    )
    keys = [each["key"] for each in read("pstate", "scan", "crm_acme", "--url", demo_url)]
    assert keys == ["contact:c1", "contact:c2", "contact:c3"]
    assert read("verify", *DEMO, "--url", demo_url)["ok"]


def test_rebuild_needs_a_domain_and_a_space(demo_url):
    assert run("rebuild", "crm_acme", "--url", demo_url).exit_code == 2
    assert "there is no space 'nobody'" in fail("rebuild", "nobody", *DEMO, "--url", demo_url)
    said = succeed("rebuild", "default", *DEMO, "--url", demo_url)
    assert said == "space 'default': folded 0 events in 0.0 s\n"


PROJECTED = """
import sqlalchemy as sa
from ramax import Domain

people = sa.Table(
    "people", sa.MetaData(),
    sa.Column("space_id", sa.BigInteger, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
)
domain = Domain("contacts")

@domain.projection("people", into=people).on("contact.added")
def added(event):
    yield sa.insert(people).values(key=event.entity_id)
"""


def test_a_projection_is_rebuilt_by_its_name(demo_url, tmp_path):
    (tmp_path / "projected.py").write_text(PROJECTED)

    async def create(db: ramax.Database) -> None:
        async with db.engine.begin() as connection:
            await connection.execute(sa.text(PEOPLE))

    async def count(db: ramax.Database) -> None:
        async with db.engine.connect() as connection:
            found = await connection.execute(sa.text("SELECT key FROM people ORDER BY key"))
            keys.extend(found.scalars())

    keys: list[str] = []
    on(demo_url, create)
    options = ("--domain", "projected:domain", "--url", demo_url)
    done = process("rebuild", "crm_acme", "--projection", "people", *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "folded 3 events" in done.stdout
    on(demo_url, count)
    assert keys == ["contact:c1", "contact:c2"]
    wrong = process("rebuild", "crm_acme", "--projection", "other", *options, cwd=tmp_path)
    assert wrong.returncode == 1
    assert "no projection 'other'" in wrong.stderr


PEOPLE = "CREATE TABLE people (space_id BIGINT, key TEXT, PRIMARY KEY (space_id, key))"

DOMAINS = """
from ramax import Domain

added, updated, broken = Domain("added"), Domain("updated"), Domain("broken")

@added.applicator("contact.added")
def apply_added(state, event):
    state[event.entity_id] = "added"

@updated.applicator("contact.updated")
def apply_updated(state, event):
    state[event.entity_id] = "updated"

@broken.applicator("contact.updated")
def apply_broken(state, event):
    raise ValueError("cannot")
"""


def test_several_domains_fold_together(demo_url, tmp_path):
    (tmp_path / "parts.py").write_text(DOMAINS)
    both = ("--domain", "parts:added", "--domain", "parts:updated")
    done = process("rebuild", "crm_acme", *both, "--url", demo_url, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    values = [each["value"] for each in read("pstate", "scan", "crm_acme", "--url", demo_url)]
    assert values == ["updated", "added"]


def test_an_applicator_that_fails_is_one_line_and_leaves_the_old_read_model(demo_url, tmp_path):
    (tmp_path / "parts.py").write_text(DOMAINS)
    broken = ("rebuild", "crm_acme", "--domain", "parts:broken", "--url", demo_url)
    done = process(*broken, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "ramax: the applicator for 'contact.updated' failed on event 3 of space 'crm_acme': "
        "ValueError('cannot'); mend the applicator, then run again or rebuild\n"
    )
    assert "apply_broken" in process(*broken, "--debug", cwd=tmp_path).stderr
    assert read("verify", *DEMO, "--url", demo_url)["ok"]
