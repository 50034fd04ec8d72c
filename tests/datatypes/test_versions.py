from ramax import Commit
from ramax.datatypes.versions import VersionedCommit, version_of


async def test_a_commit_knows_the_version_that_the_value_got(store):
    commit = await store.cells.set("a", 1)
    assert issubclass(type(commit), Commit)
    assert commit.version == version_of(commit.events[0]) == 1
    assert VersionedCommit.of(Commit((), 5)).version is None
