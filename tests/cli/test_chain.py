import pytest

from tests.cli.command import fail, read, run, succeed
from tests.cli.test_pstate import DOMAIN


@pytest.fixture
def at(demo_url):
    return ("--url", demo_url)


def test_a_chain_begins_shows_its_head_and_ends(at):
    done = run("chain", "head", "crm_acme", *at)
    assert (done.exit_code, done.stdout) == (1, "no hash chain\n")
    begun = succeed("chain", "enable", "crm_acme", *at)
    assert begun.startswith("3:")
    assert succeed("chain", "enable", "crm_acme", *at) == begun
    assert succeed("chain", "head", "crm_acme", *at) == begun
    found = read("chain", "head", "crm_acme", *at)
    assert f"{found['sequence']}:{found['hash']}\n" == begun
    assert succeed("chain", "disable", "crm_acme", *at) == (
        "space 'crm_acme' has no hash chain now\n"
    )
    assert run("chain", "head", "crm_acme", "--json", *at).exit_code == 1
    assert "'nobody'" in fail("chain", "enable", "nobody", *at)


def test_verify_compares_with_an_anchor(at):
    head = succeed("chain", "enable", "crm_acme", *at).strip()
    sound = succeed("verify", "crm_acme", "--anchor", head, *DOMAIN, *at)
    assert "crm_acme: sound" in sound
    assert "3 hashes checked" in sound
    other = f"3:{'0' * 64}"
    done = run("verify", "crm_acme", "--anchor", other, "--json", *at)
    assert done.exit_code == 1
    assert "the hash of event 3 is not the anchor's" in done.stdout


def test_a_wrong_anchor_is_wrong_usage(at):
    for arguments, said in (
        (("--anchor", f"3:{'0' * 64}"), "name it"),
        (("crm_acme", "--anchor", "3:abc"), "is not SEQUENCE:HASH"),
    ):
        done = run("verify", *arguments, *at)
        assert (done.exit_code, done.stdout) == (2, "")
        assert said in done.stderr
