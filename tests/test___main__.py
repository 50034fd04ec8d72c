from tests.cli.command import process


def test_the_module_is_the_command():
    done = process("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ramax, version ")
