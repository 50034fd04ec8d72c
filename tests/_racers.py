"""Several real processes that do the same thing at the same moment."""

import subprocess
import sys
import textwrap

START = "print('ready', flush=True); input()"
"""What a script does when it is ready to race."""


def race(script: str, *arguments: str, racers: int = 6, timeout: float = 60) -> list[str]:
    """Run ``script`` in processes that all wait for one start; return what each has printed.

    The script has to run `START` once. A process that fails fails the test with its stderr.
    """
    source = textwrap.dedent(script).replace("START", START)
    command = [sys.executable, "-W", "error", "-c", source, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(racers)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate(timeout=5)[1]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=timeout) for process in processes]
        for process, (_, errors) in zip(processes, answers, strict=True):
            assert process.returncode == 0, errors
        return [output for output, _ in answers]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
