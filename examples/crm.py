"""A CRM for many tenants: each tenant is a space of one database.

    python examples/crm.py                             a new SQLite file in a temporary folder
    python examples/crm.py crm.db                      a file of yours; run it twice if you like
    python examples/crm.py postgresql://me@host/crm    a PostgreSQL database

First comes the domain: plain functions that need no database. Then the application, which does.
"""

import argparse
import asyncio
import shlex
import sys
import tempfile
from collections.abc import Mapping, MutableMapping
from operator import itemgetter
from pathlib import Path
from typing import Any

import ramax
from ramax import ContentStore, Database, Domain, Event, NewEvent, Rejected

# -- The domain: what may happen, and what it means -----------------------------------------------

contacts = Domain("contacts", entity_id=lambda payload: f"contact:{payload['contact_id']}")


class ContactExists(Rejected):
    """A tenant has one contact of each id."""


class ContactNotFound(Rejected):
    """There is no contact of that id."""


class NothingToChange(Rejected):
    """The contact is like that already."""


def add_contact(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Add a contact; ``params`` has ``contact_id``, ``name`` and ``email``.

    A command looks at the state and answers with what happened, or says no by raising. It changes
    nothing itself, so it can be run again when somebody else was faster.
    """
    key = f"contact:{params['contact_id']}"
    if key in state:
        raise ContactExists(f"{key} is {state[key]['name']} already")
    return [NewEvent("contact.added", params)]


def update_contact(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Change a contact; ``params`` has ``contact_id``, and ``name`` or ``email`` or both."""
    key = f"contact:{params['contact_id']}"
    if key not in state:
        raise ContactNotFound(f"there is no {key}")
    changes = {name: value for name, value in params.items() if state[key].get(name) != value}
    if not changes:
        raise NothingToChange(f"{key} is like that already")
    return [NewEvent("contact.updated", {"contact_id": params["contact_id"], **changes})]


@contacts.applicator("contact.added")
def contact_added(state: MutableMapping[str, Any], event: Event) -> None:
    """Put the contact into the read model.

    An applicator folds one event into the state, which behaves like a dict. It decides nothing
    and never says no: the event has happened.
    """
    state[event.entity_id] = {**event.payload, "added_at": event.timestamp}


@contacts.applicator("contact.updated")
def contact_updated(state: MutableMapping[str, Any], event: Event) -> None:
    """Change the contact; a change deep inside a value is found and stored like any other."""
    state[event.entity_id].update(event.payload)


# -- The application: tenants, and questions about them -------------------------------------------


async def open_tenant(db: Database, name: str) -> ContentStore:
    """Open the space of a tenant. For a new tenant it takes a new name, nothing else."""
    return await db.content_store(f"crm_{name}", contacts)


async def list_contacts(tenant: ContentStore) -> list[dict[str, Any]]:
    """Return all contacts of a tenant, the oldest first."""
    found = [contact async for _, contact in tenant.pstate.scan("contact:")]
    return sorted(found, key=itemgetter("added_at"))


# -- The demonstration ----------------------------------------------------------------------------

PEOPLE = {
    "acme": [("c1", "John Smith", "john@acme.example"), ("c2", "Ann Lee", "ann@acme.example")],
    "globex": [("c1", "Maria Lopez", "maria@globex.example")],
}


async def add_people(tenant: ContentStore, people: list[tuple[str, str, str]]) -> None:
    """Add contacts; the key makes each happen once, however often the demonstration is run."""
    for contact_id, name, email in people:
        params = {"contact_id": contact_id, "name": name, "email": email}
        await tenant.execute(add_contact, params, idempotency_key=f"demo: add {contact_id}")


async def show_contacts(tenant: ContentStore) -> None:
    """Print one line for each contact."""
    for contact in await list_contacts(tenant):
        name = tenant.space.space_name
        print(f"   {name:<11} {contact['contact_id']}  {contact['name']:<11}  {contact['email']}")


async def show_rejection(tenant: ContentStore) -> None:
    """Print how a command says no, and that nothing came of it."""
    try:
        await tenant.execute(add_contact, {"contact_id": "c1", "name": "Jon", "email": ""})
    except ContactExists as no:
        head = await tenant.events.get_space_latest_sequence()
        print(f"   {type(no).__name__}: {no}; the space is still at event {head}")


async def show_spaces(db: Database) -> None:
    """Print what each tenant holds."""
    print("   id  space        events  contacts  folded up to")
    for each in await db.spaces.stats():
        if each.space.space_name.startswith("crm_"):
            print(
                f"   {each.space.space_id:>2}  {each.space.space_name:<11} {each.event_count:>7}"
                f" {each.key_count:>9} {each.checkpoints['pstate']:>13}"
            )


async def demonstrate(database: str) -> None:
    """Show two tenants that share a database and nothing else."""
    async with ramax.connect(database) as db:
        acme, globex = await open_tenant(db, "acme"), await open_tenant(db, "globex")
        print("Contact c1 of one tenant is not contact c1 of the other:")
        await add_people(acme, PEOPLE["acme"])
        await add_people(globex, PEOPLE["globex"])
        move = {"contact_id": "c1", "email": "john@smith.example"}
        await acme.execute(update_contact, move, idempotency_key="demo: move c1")
        await show_contacts(acme)
        await show_contacts(globex)

        print("\nA command may say no:")
        await show_rejection(acme)

        print("\nA read model can be made again from its events, here that of one tenant:")
        folded = await acme.rebuild_pstate()
        print(f"   {folded} events of {acme.space.space_name} folded again, none of another space")

        print("\nThe spaces:")
        await show_spaces(db)


def main() -> None:
    """Run the demonstration on the database that the command line names."""
    parser = argparse.ArgumentParser(description="Two tenants in one database.")
    parser.add_argument("database", nargs="?", help="a path or URL; default: a new temporary file")
    database = parser.parse_args().database
    if database is not None:
        asyncio.run(demonstrate(database))
        return
    database = str(Path(tempfile.mkdtemp(prefix="ramax-")) / "crm.db")
    asyncio.run(demonstrate(database))
    again = shlex.join([sys.executable, sys.argv[0], database])
    print(f"\nThe database is {database}\nTry next:")
    print(f"   {again}   # nothing is added twice")
    print("   read examples/crm.py, then docs/tutorial/first-space.md")


if __name__ == "__main__":
    main()
