"""`ramax demo`: two tenants of a CRM in one database, and what to try next.

The story of examples/crm.py, which explains each line of it.
"""

import asyncio
import shlex
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import click

from ramax.cli.failures import Command
from ramax.cli.session import url_option
from ramax.core.domain import Domain
from ramax.entry import connect
from ramax.errors import Rejected
from ramax.runtime.content_store import ContentStore
from ramax.values import Event, NewEvent

State = Mapping[str, Any]

contacts = Domain("contacts", entity_id=lambda payload: f"contact:{payload['contact_id']}")

PEOPLE = {
    "crm_acme": [("c1", "John Smith", "john@acme.example"), ("c2", "Ann Lee", "ann@acme.example")],
    "crm_globex": [("c1", "Maria Lopez", "maria@globex.example")],
}


class ContactExists(Rejected):
    """A tenant has one contact of each id."""


def add_contact(state: State, params: State) -> list[NewEvent]:
    """Add a contact, unless there is one of that id."""
    key = f"contact:{params['contact_id']}"
    if key in state:
        raise ContactExists(f"{key} is {state[key]['name']} already")
    return [NewEvent("contact.added", params)]


def update_contact(_state: State, params: State) -> list[NewEvent]:
    """Change a contact."""
    return [NewEvent("contact.updated", params)]


@contacts.applicator("contact.added")
def contact_added(state: MutableMapping[str, Any], event: Event) -> None:
    """Put the contact into the read model."""
    state[event.entity_id] = {**event.payload, "added_at": event.timestamp}


@contacts.applicator("contact.updated")
def contact_updated(state: MutableMapping[str, Any], event: Event) -> None:
    """Change it there."""
    state[event.entity_id].update(event.payload)


@click.command(cls=Command)
@url_option(from_environment=False)
def demo(url: str | None) -> None:
    """Show two tenants in one database.

    Without --url that is a new SQLite file. It may be run again: nothing is added twice.
    """
    target = url or str(Path(tempfile.mkdtemp(prefix="ramax-")) / "crm.db")
    asyncio.run(_demonstrate(target))
    asked = shlex.quote(target)
    print(f"\nThe database is {target}. Try next:")
    print(f"  ramax spaces stats --url {asked}")
    print(f"  ramax events tail crm_acme --url {asked}")
    print(f"  ramax pstate scan crm_acme --url {asked} --json")
    print(f"  ramax verify --domain {__name__}:contacts --url {asked}")
    print(f"  ramax rebuild crm_acme --domain {__name__}:contacts --url {asked}")


async def _demonstrate(target: str) -> None:
    async with connect(target) as db:
        print("Each tenant is a space. Contact c1 of one is not contact c1 of the other:")
        tenants = [await db.content_store(name, contacts) for name in PEOPLE]
        for tenant in tenants:
            await _add_people(tenant)
        acme = tenants[0]
        move = {"contact_id": "c1", "email": "john@smith.example"}
        await acme.execute(update_contact, move, idempotency_key="demo: move c1")
        for tenant in tenants:
            async for key, contact in tenant.pstate.scan("contact:"):
                where = tenant.space.space_name.ljust(10)
                print(f"  {where}  {key}  {contact['name'].ljust(11)}  {contact['email']}")
        print("\nA command may say no; nothing is written then:")
        try:
            await acme.execute(add_contact, {"contact_id": "c1", "name": "Jon", "email": ""})
        except ContactExists as no:
            print(f"  {type(no).__name__}: {no}")
        print("\nA read model can be made again from the events of its space alone:")
        print(f"  {await acme.rebuild_pstate()} events of {acme.space.space_name} folded again")


async def _add_people(tenant: ContentStore) -> None:
    for contact_id, name, email in PEOPLE[tenant.space.space_name]:
        params = {"contact_id": contact_id, "name": name, "email": email}
        await tenant.execute(add_contact, params, idempotency_key=f"demo: add {contact_id}")
