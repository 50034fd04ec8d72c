"""An agent's memory in three spaces: conversations, results of tools, preferences.

It needs no domain: spaces have data types of their own. What happened in one turn of a conversation
is written to two spaces at once, or not at all. Vectors stand in for what a language model would
make of a text; here they count a few words, so that the program needs no model.

Run it: ``python examples/agent_memory.py [database]``; without a database it runs in memory.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import ramax

WORDS = ("paris", "train", "hotel", "weather", "budget")


def embed(text: str) -> list[float]:
    """Turn a text into numbers: how often each of a few words occurs."""
    lower = text.lower()
    return [float(lower.count(word)) for word in WORDS]


class Memory:
    """What an agent remembers of one user; each kind of memory is a space of its own."""

    def __init__(self, db: ramax.Database, root: ramax.ContentStore) -> None:
        self._db = db
        self.conversations = root.at("conversations")
        self.tools = root.at("tool-results")
        self.preferences = root.at("preferences")

    async def prepare(self) -> None:
        """Make what has to be there before the first turn."""
        if await self.conversations.vectors.collection("turns") is None:
            await self.conversations.vectors.create_collection("turns", len(WORDS))
        await self.tools.json.create_index("$.tool")
        for space in (self.conversations, self.tools):
            await self._db.spaces.enable_search(space.space.space_name)

    async def turn(self, said: str, answer: str, results: Sequence[dict[str, Any]] = ()) -> int:
        """Remember a turn, and what tools found on the way; all of it or nothing."""
        names = [self.conversations, self.tools]
        async with self._db.transaction(*names) as tx:
            talk, tools = tx.at(self.conversations), tx.at(self.tools)
            asked = await talk.log.append("user", {"text": said})
            await talk.log.append("assistant", {"text": answer})
            (number,) = asked.sequences
            await talk.vectors.upsert("turns", str(number), embed(said), {"text": said})
            for position, result in enumerate(results):
                await tools.json.set(f"{number}:{position}", result)
        return number

    async def prefer(self, name: str, value: Any) -> None:
        """Remember what the user likes; two agents at once lose nothing."""
        await self.preferences.cells.transition(
            name, lambda old: [*(old or []), value] if value not in (old or []) else old
        )

    async def recall(self, question: str, k: int = 2) -> list[str]:
        """Return what the user said that is nearest to a question."""
        found = await self.conversations.vectors.search("turns", embed(question), k)
        return [match.metadata["text"] for match in found if match.metadata and match.score > 0]

    async def search(self, words: str) -> list[str]:
        """Return where these words stand: in what was said, and in what tools answered."""
        hits = await self._db.search(words, spaces=["conversations", "tool-results"])
        return [f"{hit.space} {hit.type} {hit.key}" for hit in hits]

    async def transcript(self, last: int) -> list[str]:
        """Return the newest lines of the conversation, in order."""
        entries = await self.conversations.log.range(reverse=True, limit=last)
        return [f"{entry.type}: {entry.payload['text']}" for entry in reversed(entries)]


async def story(db: ramax.Database) -> None:
    """Talk, use a tool, remember, recall; then look back."""
    memory = Memory(db, await db.content_store())
    await memory.prepare()
    await memory.turn("I want to take the train to Paris", "When do you leave?")
    rain = await memory.turn(
        "On Friday. How is the weather there?",
        "It will rain.",
        [{"tool": "weather", "city": "Paris", "celsius": 11}],
    )
    first_look = await memory.conversations.events.get_space_latest_sequence()
    await memory.turn("Find a hotel in Paris, the budget is 100", "Hotel du Nord, 90 euros.")
    await memory.prefer("travel", "train")
    await memory.prefer("travel", "cheap hotels")
    await memory.prefer("travel", "train")

    print("last words:")
    for line in await memory.transcript(2):
        print(f"  {line}")
    print("about Paris by train:", await memory.recall("paris train", 1))
    print("about hotels:", await memory.recall("a hotel within the budget", 1))
    print("Paris stands in:", sorted(await memory.search("paris -hotel")))
    weather = await memory.tools.json.find("$.tool", "eq", "weather")
    print("the weather tool said:", [document["celsius"] for _, document in weather])
    print("likes:", await memory.preferences.cells.get("travel"))

    try:
        async with db.transaction(memory.conversations, memory.tools) as tx:
            await tx.at(memory.conversations).log.append("user", {"text": "forget this"})
            expected = {"op": "test", "path": "/celsius", "value": 30}
            await tx.at(memory.tools).json.patch(f"{rain}:0", [expected])
    except ramax.ConflictError as error:
        print("nothing was written:", error.code)
    print("entries:", await memory.conversations.log.len())
    earlier = memory.conversations.as_of(first_look)
    print("entries before the hotel:", await earlier.log.len())
    print("the chain holds:", (await memory.conversations.log.verify()).valid)
    print("spaces:", [space.space_name for space in await db.spaces.list_all()])


async def main(target: str | None) -> None:
    """Run the story on a database."""
    async with ramax.connect(target) as db:
        await story(db)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
