"""Sealed secrets in a folder that tools copy about."""

from ramax.core.sealed import SealedSet
from ramax.sync.sealed_files import SealedFiles
from ramax.testing.layer_contract import secret


def test_a_secret_of_which_half_has_come_is_not_there_yet(tmp_path):
    """An unreadable file is no empty one: what was there stays."""
    writing = SealedFiles(tmp_path)
    writing.add(SealedSet((), (secret("api", 1),)))
    writing.add(SealedSet((), (secret("mail", 1),)))
    for file in sorted(tmp_path.iterdir()):
        data = file.read_bytes()
        file.write_bytes(data[:-3])
        assert len(SealedFiles(tmp_path).read().secrets) == 1
        file.write_bytes(data)
    assert len(SealedFiles(tmp_path).read().secrets) == 2


def test_what_wins_nothing_makes_no_file(tmp_path):
    writing = SealedFiles(tmp_path)
    for _ in range(3):
        writing.add(SealedSet((), (secret("api", 2),)))
        writing.add(SealedSet((), (secret("api", 1),)))
    assert len(list(tmp_path.iterdir())) == 1
