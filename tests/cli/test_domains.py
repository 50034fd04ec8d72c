import sys

import click
import pytest

from ramax import Domain
from ramax.cli.demo import contacts
from ramax.cli.domains import joined, load_domain
from ramax.errors import MisuseError
from tests.cli.command import run

MODULE = """
from ramax import Domain

class holder:
    inner = Domain("inner")

outer = Domain("outer")
number = 5
"""


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch):
    (tmp_path / "my_domains.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("my_domains", None)


def test_a_domain_is_found_by_module_and_name():
    assert load_domain("ramax.cli.demo:contacts") is contacts


def test_modules_of_the_working_directory_are_found():
    assert load_domain("my_domains:outer").name == "outer"
    assert load_domain("my_domains:holder.inner").name == "inner"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("my_domains", "is not MODULE:NAME"),
        ("my_domains:", "is not MODULE:NAME"),
        (":outer", "is not MODULE:NAME"),
        ("my_domains:nothing", "AttributeError"),
        ("my_domains:number", "is no Domain but of type int"),
        ("no_such_module:x", "No module named 'no_such_module'"),
        ("..x:y", "cannot load"),
    ],
)
def test_what_is_no_domain_is_wrong_usage(text, said):
    with pytest.raises(click.BadParameter, match=said):
        load_domain(text)
    done = run("verify", "--domain", text, "--url", "x.db")
    assert done.exit_code == 2
    assert "Invalid value for '--domain'" in done.stderr


def test_several_are_combined():
    one, two = Domain("one"), Domain("two")
    assert joined(()) is None
    assert joined((one,)) is one
    combined = joined((one, two))
    assert combined is not None
    assert combined.names == {"one", "two"}
    with pytest.raises(MisuseError):
        joined((one, one))
