"""What happens between the pages of a fold beside live writes, and what it has to come to."""

from ramax.runtime.anew import Anew
from ramax.runtime.commands import submit
from ramax.storage.reads import read_range
from ramax.sync.quarantine import judged
from ramax.sync.receiving import Receive


async def receive(store, *records):
    """Store records of another replica, as another process does, and fold nothing."""
    await submit(store._core, store.space, Receive(judged(records)))


def between_pages(monkeypatch, core, work):
    """Run ``work(how often so far)`` after each page that is folded beside live writes."""
    read_whole, pages = core.read_whole, []

    async def reading(_self, step):
        found = await read_whole(step)
        if getattr(step, "__func__", None) is Anew.fold_page:
            pages.append(1)
            await work(len(pages))
        return found

    monkeypatch.setattr(type(core), "read_whole", reading)
    return pages


async def keys_of(store):
    """Return every key that is stored, with its packed value."""
    space_id = store.space.space_id
    return await store._core.read(lambda ex: read_range(ex, space_id, "", "~"))


async def folds_like_a_rebuild(store):
    """Compare every key with a fold of all events by a rebuild; return the keys."""
    assert (await store.verify()).ok
    merged = await keys_of(store)
    await store.rebuild_pstate()
    assert merged == await keys_of(store)
    return set(merged)
