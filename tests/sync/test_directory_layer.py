"""The folder keeps the contract of layers; a folder that fails is an error that names it."""

import shutil

import pytest

from ramax.errors import LayerError, LayerUnavailableError, ProtocolError
from ramax.sync.directory_layer import DirectoryLayer
from ramax.sync.layer import SpaceRef
from ramax.testing import LayerContract
from tests.core.sync._records import ANNE, records
from tests.sync._managers import has, manager_on, write

REF = SpaceRef("notes", b"u" * 16)


class TestDirectoryLayer(LayerContract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path):
        self.path = tmp_path / "notes"

    def layer(self):
        return DirectoryLayer(self.path, poll_interval=0.01)


class TestSmallSegments(LayerContract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path):
        self.path = tmp_path / "notes"

    def layer(self):
        return DirectoryLayer(self.path, two_way=False, segment_bytes=1)


async def test_reading_makes_no_folder(tmp_path):
    layer = DirectoryLayer(tmp_path / "notes")
    await layer.open(REF)
    assert await layer.vector() == {}
    assert not (tmp_path / "notes").exists()


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path):
    (tmp_path / "file").write_text("no folder")
    layer = DirectoryLayer(tmp_path / "file" / "notes", layer_id="backup")
    await layer.open(REF)
    with pytest.raises(LayerUnavailableError) as caught:
        await layer.write(records(ANNE, 1, 1))
    assert (caught.value.layer, caught.value.retryable) == ("backup", True)


async def test_a_folder_of_two_spaces_is_refused(tmp_path):
    for uid in (b"u" * 16, b"v" * 16):
        (tmp_path / f"space-{uid.hex()}").write_text("x")
    with pytest.raises(LayerError, match="another space"):
        await DirectoryLayer(tmp_path).open(SpaceRef("notes"))


async def test_a_segment_that_was_tampered_with_is_an_error_and_no_record(tmp_path):
    layer = DirectoryLayer(tmp_path)
    await layer.open(REF)
    await layer.write(records(ANNE, 1, 3))
    (file,) = tmp_path.rglob("*.seg")
    data = file.read_bytes()
    file.write_bytes(data[:-1] + b"?")
    with pytest.raises(ProtocolError, match="changed"):
        assert [page async for page in layer.read({})]
    await layer.open(REF)
    assert await layer.vector() == {}


async def test_a_layer_that_is_not_open_says_so(tmp_path):
    with pytest.raises(LayerError, match="not open"):
        await DirectoryLayer(tmp_path).vector()


async def test_what_is_taken_away_from_a_folder_in_use_is_put_there_again(tmp_path):
    """Also where it was the file that the layer was adding to."""

    def layers_for(_ref):
        return [DirectoryLayer(tmp_path / "notes", layer_id="folder", two_way=False)]

    async with manager_on(None, layers_for) as manager:
        store = await manager.create("notes")
        await write(store, "a", "b", "c")
        await manager.flush("notes")
        shutil.rmtree(tmp_path / "notes" / "origins")
        await write(store, "d")
        await manager.flush("notes")
    async with manager_on(None, layers_for) as manager:
        store = await manager.load("notes")
        await has(store, "a", "b", "c", "d")
