"""The packed state of a rebuild: a dict that overflows into a temporary file."""

import sqlite3
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core.keys import prefix_end
from ramax.errors import StorageError
from ramax.storage.spill import Spill

TOP = prefix_end("")
keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
changes = st.dictionaries(keys, st.none() | st.binary(max_size=300), max_size=8)


@given(st.lists(changes, max_size=8), st.sampled_from([0, 400, 1000, 10**9]))
def test_it_is_a_dict_in_key_order_whatever_fits_in_memory(updates, memory):
    spill = Spill(memory)
    plain: dict[str, bytes] = {}
    try:
        for update in updates:
            spill.update(update)
            for key, value in update.items():
                if value is None:
                    plain.pop(key, None)
                else:
                    plain[key] = value
            assert {key: spill.load(key) for key in update} == {
                key: plain.get(key) for key in update
            }
        assert list(spill.walk()) == sorted(plain.items())
        middle = min(plain, default="")
        assert list(spill.walk(middle)) == sorted(plain.items())[1:]
        assert spill.load_range("", TOP) == plain
        assert len(spill) == len(plain)
        assert spill.load("never set \x01") is None
    finally:
        spill.close()


def temporary_files():
    files = Path("/proc/self/fd")
    if not files.exists():
        pytest.skip("counts open files by /proc")
    found = []
    for each in files.iterdir():
        try:
            target = str(each.readlink())
        except OSError:
            continue  # the one with which the folder itself was read
        if target.endswith("(deleted)") and "etilqs" in target:
            found.append(target)
    return found


def filled(spill, count):
    for start in range(0, count, 100):
        spill.update({f"key{i:06}": bytes(100) for i in range(start, start + 100)})
    return spill


def test_within_its_memory_it_needs_no_file():
    spill = filled(Spill(10**9), 1000)
    assert temporary_files() == []
    spill.close()


def test_the_file_has_no_name_and_goes_when_it_is_closed():
    spill = filled(Spill(10_000), 40_000)
    assert len(temporary_files()) == 1
    spill.close()
    assert temporary_files() == []
    assert list(spill.walk()) == []


def test_it_can_be_used_again_after_it_was_closed():
    spill = filled(Spill(10_000), 1000)
    spill.close()
    spill.update({"a": b"1"})
    assert spill.load_range("", TOP) == {"a": b"1"}
    spill.close()


def test_memory_stays_bounded():
    filled(Spill(0), 100).close()  # whatever is loaded once
    tracemalloc.start()
    try:
        spill = filled(Spill(200_000), 20_000)  # 2 MB of values alone
        assert sum(1 for _ in spill.walk()) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        spill.close()
    assert peak < 600_000


def test_a_temporary_file_that_cannot_be_written_is_a_storage_error():
    spill = filled(Spill(10_000), 1000)
    file = spill._file
    assert isinstance(file, sqlite3.Connection)
    file.execute("PRAGMA max_page_count = 60")  # the disk is full
    with pytest.raises(StorageError, match="full"):
        filled(spill, 10_000)
    spill.close()
    assert temporary_files() == []
