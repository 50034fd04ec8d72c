"""The protocols of texts edited at once: a codec of somebody else's does as well."""

from functools import partial

import pytest

from ramax.core.datatypes.text_codec import CrdtText
from ramax.datatypes.open_texts import Edit, OpenTexts
from tests.core.datatypes._trees import Keyed
from tests.datatypes._texts import committed


class Appending:
    """A text that only grows: updates are its lines."""

    unreadable = 0

    def __init__(self, updates):
        self.lines = list(updates)

    @property
    def length(self):
        return len(self.text())

    def text(self):
        return b"".join(sorted(self.lines)).decode()

    def apply(self, updates):
        self.lines += updates

    def merge(self, update):
        self.lines.append(update)
        return True

    def replace(self, at, length, text):
        assert (at, length) == (self.length, 0)
        self.lines.append(text.encode())
        return text.encode()

    def rewrite(self, text):
        return self.replace(self.length, 0, text)

    def version(self):
        return b"%d" % len(self.lines)

    def since(self, version):
        return b"".join(self.lines[int(version or b"0") :])


class Codec:
    def open(self, updates) -> CrdtText:
        return Appending(updates)


def added(letter, document):
    return document.replace(document.length, 0, letter)


@pytest.mark.parametrize("most", [0, 1])
def test_any_codec_can_edit_a_text(most):
    state, texts = Keyed(), OpenTexts(Codec(), most)
    for letter in "abc":
        committed(state, Edit("t", partial(added, letter), texts))
    assert texts.codec.open([b"a", b"b"]).text() == "ab"
    assert len([key for key in state if key.startswith("t/u/")]) == 3
