"""The registry of spaces: create, list, find, delete, and what isolation means.

    python examples/space_demo.py [database]     a path or URL; default: a new database in memory

The domain is as small as can be, a counter, since this is about the spaces around it.
"""

import argparse
import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any

import ramax
from ramax import Database, Domain, Event, NewEvent, SpaceExistsError, SpaceNotEmptyError

# -- The domain -----------------------------------------------------------------------------------

counting = Domain("counting", entity_id=lambda payload: f"counter:{payload['counter']}")


def count(_state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Count; ``counter`` and ``by``. A command that never says no need not look at the state."""
    return [NewEvent("counted", params)]


@counting.applicator("counted")
def counted(state: MutableMapping[str, Any], event: Event) -> None:
    """Add to the counter, which begins at 0."""
    state[event.entity_id] = state.get(event.entity_id, 0) + event.payload["by"]


# -- The demonstration ----------------------------------------------------------------------------


async def create_spaces(db: Database) -> None:
    """Spaces have a name, an id that is never used again, and metadata of yours."""
    for name, plan in [("demo_acme", "pro"), ("demo_globex", "free")]:
        space = await db.spaces.get_or_create(name, {"plan": plan})
        print(f"   {space.space_name} has id {space.space_id} and metadata {dict(space.metadata)}")
    try:
        await db.spaces.create("demo_acme")
    except SpaceExistsError as error:
        print(f"   {error}")


async def find_spaces(db: Database) -> None:
    """Finding returns None where there is nothing; ``db.spaces.get`` would raise."""
    names = [space.space_name for space in await db.spaces.list_all("demo_")]
    print(f"   all that begin with demo_: {', '.join(names)}")
    print(f"   demo_acme: {await db.spaces.find_by_name('demo_acme') is not None}")
    print(f"   demo_initech: {await db.spaces.find_by_name('demo_initech') is not None}")


async def use_the_same_id(db: Database) -> None:
    """One entity id in two spaces: two entities, two histories, two sequences."""
    acme = await db.content_store("demo_acme", counting)
    globex = await db.content_store("demo_globex", counting)
    await acme.execute(count, {"counter": "visits", "by": 1})
    await acme.execute(count, {"counter": "visits", "by": 1})
    await globex.execute(count, {"counter": "visits", "by": 10})
    for store in (acme, globex):
        visits = await store.pstate.fetch("counter:visits")
        events = await store.events.get_events("counter:visits")
        sequences = [event.space_sequence for event in events]
        print(f"   {store.space.space_name:<12} visits = {visits}, events {sequences}")


async def rebuild_one(db: Database) -> None:
    """A rebuild folds the events of one space again; what is not from events does not survive."""
    acme = await db.content_store("demo_acme", counting)
    globex = await db.content_store("demo_globex", counting)
    await acme.pstate.put("note", "written by hand, not by an event")
    await globex.pstate.put("note", "written by hand, not by an event")
    await acme.rebuild_pstate()
    for store in (acme, globex):
        keys = [key async for key, _ in store.pstate.scan()]
        print(f"   {store.space.space_name:<12} {', '.join(keys)}")


async def delete_spaces(db: Database) -> None:
    """Deleting takes everything that a space holds, and asks to be told so."""
    try:
        await db.spaces.delete("demo_acme")
    except SpaceNotEmptyError as error:
        print(f"   {error}")
    await db.spaces.delete("demo_acme", force=True)
    again = await db.content_store("demo_acme", counting)
    print(
        f"   created again, demo_acme has id {again.space.space_id},"
        f" {await again.pstate.count()} keys and sequence"
        f" {await again.events.get_space_latest_sequence()}"
    )
    for name in ("demo_acme", "demo_globex"):
        await db.spaces.delete(name, force=True)


async def demonstrate(database: str | None) -> None:
    """Go through the life of two spaces."""
    async with ramax.connect(database) as db:
        print("Create:")
        await create_spaces(db)
        print("\nFind:")
        await find_spaces(db)
        print("\nThe same entity id in both:")
        await use_the_same_id(db)
        print("\nRebuild demo_acme only:")
        await rebuild_one(db)
        print("\nDelete:")
        await delete_spaces(db)


def main() -> None:
    """Run the demonstration on the database that the command line names."""
    parser = argparse.ArgumentParser(description="The life of two spaces, deleted at the end.")
    parser.add_argument("database", nargs="?", help="a path or URL; default: in memory")
    asyncio.run(demonstrate(parser.parse_args().database))


if __name__ == "__main__":
    main()
