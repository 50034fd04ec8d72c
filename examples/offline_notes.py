"""Notes on two devices and a server: written while cut off, the same on all three afterwards.

    python examples/offline_notes.py postgresql://postgres@localhost/notes

Each device works on a SQLite file of its own. Without a URL the server is a file as well.
"""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ramax
from ramax import ContentStore, Domain, NewEvent, Rejected, SpaceManager, SqlLayer

notes = Domain("notes", entity_id=lambda payload: f"note:{payload['note']}")


class NoteExists(Rejected):
    """There is a note of that name."""


def write(state: Any, params: Any) -> Iterable[NewEvent]:
    """Begin a note."""
    if f"note:{params['note']}" in state:
        raise NoteExists(params["note"])
    return [NewEvent("note.written", dict(params))]


def add_line(_state: Any, params: Any) -> Iterable[NewEvent]:
    """Add a line to a note; what others add meanwhile stays."""
    return [NewEvent("line.added", dict(params))]


@notes.applicator("note.written")
def written(state: Any, event: Any) -> None:
    """Two devices may both have begun the note: the lines of the one that was first stay."""
    state.setdefault(event.entity_id, {"lines": []})


@notes.applicator("line.added")
def line_added(state: Any, event: Any) -> None:
    """Lines stand in the order in which they were written, wherever that was."""
    note = state.setdefault(event.entity_id, {"lines": []})
    note["lines"].append(event.payload["text"])


async def show(name: str, store: ContentStore) -> None:
    """Print what a device knows."""
    print(f"{name}:")
    async for key, note in store.pstate.scan("note:"):
        print(f"  {key.removeprefix('note:')}: {', '.join(note['lines'])}")


async def same(*stores: ContentStore) -> bool:
    """Say whether all of them know the same."""
    states = [[pair async for pair in store.pstate.scan()] for store in stores]
    return all(state == states[0] for state in states)


async def add(store: ContentStore, note: str, text: str) -> None:
    """Write a line."""
    await store.execute(add_line, {"note": note, "text": text})


async def main(server_url: str, folder: Path) -> None:
    """Write on both devices, apart and together."""

    def server() -> SqlLayer:
        return SqlLayer(server_url, layer_id="server")

    async with (
        ramax.connect(folder / "laptop.db") as laptop_db,
        ramax.connect(folder / "phone.db") as phone_db,
        SpaceManager(laptop_db, lambda _ref: [server()]) as laptop,
        SpaceManager(phone_db, lambda _ref: [server()]) as phone,
    ):
        on_laptop = await laptop.create("notes", notes)
        await on_laptop.execute(write, {"note": "shopping"})
        await add(on_laptop, "shopping", "bread")
        await laptop.flush("notes")
        on_phone = await phone.load("notes", notes)
        await show("the phone has loaded", on_phone)

        # The network is gone; both go on.
        await laptop.remove_layer("notes", "server")
        await phone.remove_layer("notes", "server")
        await add(on_phone, "shopping", "milk")
        await asyncio.sleep(0.01)  # clocks count milliseconds; within one, origins decide
        await add(on_laptop, "shopping", "tea")
        await on_phone.execute(write, {"note": "trip"})
        await add(on_phone, "trip", "tickets")
        await show("the laptop, cut off", on_laptop)
        await show("the phone, cut off", on_phone)
        print("the same:", await same(on_laptop, on_phone))

        # It is back.
        heard = phone.events()
        await phone.add_layer("notes", server())
        await phone.flush("notes")
        await laptop.add_layer("notes", server())
        await laptop.flush("notes")
        async with ramax.connect(server_url) as server_db, asyncio.timeout(30):
            on_server = await server_db.content_store("notes", notes)
            await on_server.catchup_pstate()
            async for event in heard:
                if event.kind == "received" and await same(on_laptop, on_phone, on_server):
                    break
            await show("the server", on_server)
            print("the same:", await same(on_laptop, on_phone, on_server))


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{name}/server.db"
        asyncio.run(main(url, Path(name)))
