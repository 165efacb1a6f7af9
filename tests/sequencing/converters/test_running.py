"""Converters run as real processes: they end when they must, with all that they started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from child_processes import wait_until

from sequencing.converters import ConversionProblem, Limits
from sequencing.converters import running as running_module
from sequencing.converters.running import Watch, run

ROOT = Path(__file__).resolve().parents[3]
PATIENT = Limits(seconds=600, silence_seconds=600, log_bytes=10_000)


def run_here(tmp_path, *argv, limits=PATIENT, stop=lambda: False, sizes=None):
    """Run a program with its working folder watched; returns its log."""
    folder = tmp_path / "work"
    folder.mkdir(exist_ok=True)
    log = tmp_path / "program.log"
    tell = sizes.append if sizes is not None else lambda _size: None
    run(argv, Watch(limits, time.monotonic() + limits.seconds, folder, tell, stop), cwd=folder, log=log)
    return log


def program(tmp_path, text, name="converter"):
    """A program of Python, as a stand-in for a converter."""
    path = tmp_path / name
    path.write_text(f"#!{sys.executable}\nimport os, signal, subprocess, sys, time\n{text}\n")
    path.chmod(0o755)
    return str(path)


def is_alive(pid):
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pids_in(path):
    """The numbers of processes that a stand-in wrote, once it has."""
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), f"{path.name} is written")
    return [int(word) for word in path.read_text().split()]


# Starts a child that starts a child, and none of them heeds a request to end.
FAMILY = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import os,signal,subprocess,sys,time; signal.signal(signal.SIGTERM, signal.SIG_IGN);" \\
        "grandchild = subprocess.Popen(['sleep', '1000']); print(os.getpid(), grandchild.pid, flush=True);" \\
        "time.sleep(1000)"
out = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True).stdout
with open("pids.new", "w") as file:
    file.write(f"{os.getpid()} {out.readline()}")
os.rename("pids.new", "pids")
time.sleep(1000)
"""


@pytest.fixture
def short_grace(monkeypatch):
    """Programs that do not heed a request to end are killed soon."""
    monkeypatch.setattr(running_module, "GRACE_SECONDS", 0.5)


def test_promise_17_no_converter_survives_a_worker_killed_at_once(tmp_path):
    (tmp_path / "work").mkdir()
    worker = (
        "import sys, time\nfrom pathlib import Path\nfrom sequencing.converters import running\n"
        "running.GRACE_SECONDS = 0.5\n"
        "watch = running.Watch(running.Limits(), time.monotonic() + 900, Path('.'), print, lambda: False)\n"
        "running.run([sys.argv[1]], watch, cwd=Path('.'), log=Path('../log'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", worker, program(tmp_path, FAMILY)]
    process = subprocess.Popen(command, cwd=tmp_path / "work", env=environment, stdout=subprocess.DEVNULL)
    pids = pids_in(tmp_path / "work" / "pids")
    assert len(pids) == 3
    assert all(map(is_alive, pids))
    process.kill()
    process.wait()
    wait_until(lambda: not any(map(is_alive, pids)), "all that the converter started has ended")


def test_promise_17_no_converter_survives_its_keeper(tmp_path):
    killer = program(tmp_path, "os.kill(os.getppid(), signal.SIGKILL)\nprint(os.getpid())\ntime.sleep(1000)")
    with pytest.raises(ConversionProblem) as told:
        run_here(tmp_path, killer)
    assert told.value.code == "died"
    assert "memory" in told.value.remedy


@pytest.mark.usefixtures("short_grace")
def test_promise_19_a_hang_ends_with_all_its_processes_at_the_limit_of_silence(tmp_path):
    hanging = program(tmp_path, FAMILY)
    limits = Limits(seconds=600, silence_seconds=3, log_bytes=1000)
    with pytest.raises(ConversionProblem) as told:
        run_here(tmp_path, hanging, limits=limits)
    assert told.value.code == "silent"
    assert str(told.value).startswith("converter said and wrote nothing for 3 seconds, and was ended.")
    pids = pids_in(tmp_path / "work" / "pids")
    wait_until(lambda: not any(map(is_alive, pids)), "all that the converter started has ended")


@pytest.mark.usefixtures("short_grace")
def test_promise_19_one_that_talks_for_ever_ends_at_the_limit_of_time(tmp_path):
    talking = program(
        tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: print('still here', flush=True)"
    )
    limits = Limits(seconds=1, silence_seconds=600, log_bytes=1000)
    with pytest.raises(ConversionProblem) as told:
        run_here(tmp_path, talking, limits=limits)
    assert told.value.code == "too_long"
    assert (tmp_path / "program.log").stat().st_size < 2000


def test_promise_19_ten_megabytes_of_stderr_neither_block_nor_fill_the_disk(tmp_path):
    loud = program(
        tmp_path,
        "print('first words', flush=True)\nsys.stderr.write('x' * 79 + '\\n')\n"
        "for _ in range(131_072): sys.stderr.write('noise ' * 13 + '\\n')\n"
        "print('last words', file=sys.stderr)",
    )
    log = run_here(tmp_path, loud)
    text = log.read_text()
    assert log.stat().st_size < 10_100
    assert text.startswith("first words\n")
    assert text.endswith("last words\n")
    assert "bytes left out]" in text


def test_what_a_program_writes_counts_as_life(tmp_path):
    quiet = program(
        tmp_path,
        "for n in range(30):\n    time.sleep(0.1)\n    open(f'part{n}', 'w').write('x' * 10)",
    )
    sizes: list[int] = []
    run_here(tmp_path, quiet, limits=Limits(seconds=600, silence_seconds=2, log_bytes=1000), sizes=sizes)
    assert sizes == sorted(sizes)
    assert sizes[-1] > 0


def test_a_person_may_stop_it_and_it_may_end_in_its_own_way(tmp_path):
    polite = program(
        tmp_path,
        "def end(*_):\n    print('tidied up', flush=True)\n    sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, end)\nopen('ready', 'w').close()\ntime.sleep(1000)",
    )
    limits = Limits(seconds=600, silence_seconds=2, log_bytes=1000)
    ready = tmp_path / "work" / "ready"
    with pytest.raises(ConversionProblem) as told:
        run_here(tmp_path, polite, limits=limits, stop=ready.exists)
    assert told.value.code == "stopped"
    assert "tidied up" in told.value.log.read_text()


def test_what_outlives_its_parent_ends_with_it(tmp_path):
    leaving = program(
        tmp_path,
        "child = subprocess.Popen(['sleep', '1000'])\nopen('pids', 'w').write(f'{child.pid}\\n')",
    )
    run_here(tmp_path, leaving)
    (child,) = pids_in(tmp_path / "work" / "pids")
    wait_until(lambda: not is_alive(child), "the child has ended too")


def test_a_failure_tells_the_exit_code_and_the_reason(tmp_path):
    failing = program(tmp_path, "print('ERROR: tile 1101 is \\x1b[31mmissing\\nBye')\nsys.exit(7)")
    with pytest.raises(ConversionProblem) as told:
        run_here(tmp_path, failing)
    assert told.value.code == "failed"
    assert told.value.sentence == (
        'converter ended with exit code 7 and said "ERROR: tile 1101 is \\x1b[31mmissing".'
    )


def test_a_full_disk_is_told_by_its_name_with_the_words_of_the_program(tmp_path, small_disk):
    disk = small_disk("64k")
    filling = program(
        tmp_path,
        f"try:\n    open('{disk}/S1_R1.fastq', 'wb').write(bytes(100_000))\n"
        "except OSError as error:\n    print('Caused by: java.io.IOException:', error.strerror)\n"
        "    print('\\t... 15 more')\n    sys.exit(1)",
    )
    with pytest.raises(ConversionProblem) as told:
        run(
            [filling], Watch(PATIENT, time.monotonic() + 600, disk, lambda _size: None, lambda: False),
            cwd=tmp_path, log=tmp_path / "program.log",
        )  # fmt: skip
    assert told.value.code == "no_space"
    assert told.value.sentence == (
        'converter ended with exit code 1 and said "Caused by: java.io.IOException: No space left on device";'
        f" the disk at {disk} has 0 B free."
    )
    assert "Make room" in told.value.remedy


def test_a_full_disk_is_told_of_a_program_that_says_nothing(tmp_path, small_disk):
    disk = small_disk("64k")
    silent = program(tmp_path, "sys.exit(1)")
    with pytest.raises(ConversionProblem, match=f"the disk at {disk} has 66 kB free") as told:
        run(
            [silent], Watch(PATIENT, time.monotonic() + 600, disk, lambda _size: None, lambda: False),
            cwd=tmp_path, log=tmp_path / "program.log",
        )  # fmt: skip
    assert told.value.code == "no_space"


def test_a_program_killed_by_the_system_is_named_so(tmp_path):
    with pytest.raises(ConversionProblem, match="was killed by SIGKILL"):
        run_here(tmp_path, program(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)"))


def test_a_program_that_is_not_there_is_a_failure_and_no_traceback(tmp_path):
    with pytest.raises(ConversionProblem, match="No such file") as told:
        run_here(tmp_path, str(tmp_path / "nowhere"))
    assert told.value.code == "failed"


def test_a_program_gets_no_input_and_none_of_our_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for converters")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    asking = program(tmp_path, "print(repr(sys.stdin.read()), sorted(os.environ), os.environ['LC_ALL'])")
    said = run_here(tmp_path, asking).read_text()
    assert said.startswith("''")
    assert "AWS" not in said
    assert said.endswith(" C\n")


def test_a_program_lets_others_go_first(tmp_path):
    assert run_here(tmp_path, program(tmp_path, "print(os.nice(0))")).read_text() == f"{os.nice(0) + 10}\n"


def test_signals_mean_to_a_program_what_they_mean_to_any(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    asking = program(tmp_path, "print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)")
    assert run_here(tmp_path, asking).read_text() == "True\n"
    assert signal.getsignal(signal.SIGTERM) is before
