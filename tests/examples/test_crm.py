import re
import shlex
from pathlib import Path

import pytest

from examples.crm import (
    ContactExists,
    ContactNotFound,
    NothingToChange,
    add_contact,
    contacts,
    list_contacts,
    open_tenant,
    update_contact,
)
from ramax import KeyNotFoundError, NewEvent
from ramax.testing import given
from tests.examples.program import run

JOHN = {"contact_id": "c1", "name": "John", "email": "john@acme.example"}
ANN = {"contact_id": "c2", "name": "Ann", "email": "ann@acme.example"}
JOHN_ADDED = NewEvent("contact.added", JOHN)


def test_adding_a_contact_is_one_event():
    assert add_contact(given(contacts), JOHN) == [JOHN_ADDED]


def test_a_contact_is_added_once():
    with pytest.raises(ContactExists, match="contact:c1 is John already"):
        add_contact(given(contacts, JOHN_ADDED), JOHN)


def test_an_update_records_what_is_new():
    params = {"contact_id": "c1", "name": "John", "email": "j@acme.example"}

    events = update_contact(given(contacts, JOHN_ADDED), params)

    assert events == [NewEvent("contact.updated", {"contact_id": "c1", "email": "j@acme.example"})]
    assert given(contacts, JOHN_ADDED, *events)["contact:c1"]["email"] == "j@acme.example"


def test_an_update_needs_a_contact_and_a_change():
    with pytest.raises(ContactNotFound):
        update_contact({}, JOHN)
    with pytest.raises(NothingToChange):
        update_contact(given(contacts, JOHN_ADDED), {"contact_id": "c1"})
    with pytest.raises(NothingToChange):
        update_contact(given(contacts, JOHN_ADDED), JOHN)


async def test_tenants_share_a_database_and_nothing_else(db):
    acme, globex = await open_tenant(db, "acme"), await open_tenant(db, "globex")
    await acme.execute(add_contact, ANN)
    await acme.execute(add_contact, JOHN)
    await globex.execute(add_contact, {**JOHN, "name": "Maria"})

    assert [contact["name"] for contact in await list_contacts(acme)] == ["Ann", "John"]
    assert [contact["name"] for contact in await list_contacts(globex)] == ["Maria"]
    assert await acme.pstate.count("contact:") == 2
    assert await globex.events.get_space_latest_sequence() == 1
    with pytest.raises(KeyNotFoundError):
        await globex.pstate.fetch("contact:c2")


async def test_a_no_writes_nothing(db):
    acme = await open_tenant(db, "acme")
    await acme.execute(add_contact, JOHN)

    with pytest.raises(ContactExists):
        await acme.execute(add_contact, JOHN)

    assert await acme.events.get_space_latest_sequence() == 1


async def test_a_rebuild_gives_the_same_contacts(db):
    acme = await open_tenant(db, "acme")
    await acme.execute(add_contact, JOHN)
    await acme.execute(update_contact, {"contact_id": "c1", "name": "Jon"})
    before = await list_contacts(acme)

    assert await acme.rebuild_pstate() == 2
    assert await list_contacts(acme) == before


def test_the_program_can_be_run_again(durable_url: str):
    first, second = run("examples/crm.py", durable_url), run("examples/crm.py", durable_url)

    assert first == second
    assert "crm_globex  c1  Maria Lopez" in first
    assert "ContactExists: contact:c1 is John Smith already" in first
    assert re.search(r"crm_acme +3 +2 +3\n", first)
    assert re.search(r"crm_globex +1 +1 +1\n", first)


def test_the_program_says_where_its_own_file_is_and_how_to_run_again(tmp_path: Path):
    shown = run("examples/crm.py", TMPDIR=str(tmp_path))

    [database] = tmp_path.glob("ramax-*/crm.db")
    assert f"The database is {database}\n" in shown
    again = next(line for line in shown.splitlines() if line.endswith("# nothing is added twice"))
    assert shown.startswith(run(*shlex.split(again, comments=True)[1:]))
