"""What may go wrong in a delivery, for tests: converters that err or hang, steps begun anew, processes."""

import json
import os
import sys
from pathlib import Path

from child_processes import Child, Children
from delivering import delivery_of, work

from seqauto import deliveries
from seqauto.delivery_rules import DeliveryRules
from seqauto.models.deliveries import StepState


def fastqs_made(rules: DeliveryRules, run: Path) -> Path:
    """The folder with what the converter will make of a run."""
    return _program(rules).parent / "made" / run.name / "Unaligned"


def fastq_made(rules: DeliveryRules, run: Path, pattern: str) -> Path:
    (found,) = fastqs_made(rules, run).rglob(pattern)
    return found


def instruct_converter(rules: DeliveryRules, lines: str) -> None:
    """Let the converter run these lines of Python (`run` and `here` are folders) before it does its work."""
    inner = _program(rules)
    inner = inner.rename(inner.with_name("obedient"))
    program = _program(rules)
    program.write_text(
        f"#!{sys.executable}\nimport os, signal, subprocess, sys, time\nfrom pathlib import Path\n"
        f'here, inner = Path("{program.parent}"), "{inner}"\n'
        "if '--version' not in sys.argv:\n"
        "    run = Path(sys.argv[sys.argv.index('--bcl-input-directory') + 1])\n"
        "    (here / 'starts').open('a').write(f'{os.getpid()}\\n')\n"
        + "".join(f"    {line}\n" for line in lines.splitlines())
        + "os.execv(inner, [inner, *sys.argv[1:]])\n"
    )
    program.chmod(0o755)


def instruct_no_more(rules: DeliveryRules) -> None:
    _program(rules).with_name("obedient").replace(_program(rules))


def _program(rules: DeliveryRules) -> Path:
    return Path(rules.converter.programs["bcl-convert"])


#: It hangs with a child that hangs, and neither says nor writes anything. See `hanging`.
HANG = """\
child = subprocess.Popen(["sleep", "1000"])
(here / "new").write_text(f"{os.getpid()} {child.pid}")
os.rename(here / "new", here / "hanging")
time.sleep(1000)"""

#: It waits until the test calls `let_go`.
WAIT = """\
(here / "asked").touch()
while not (here / "let_go").exists():
    time.sleep(0.02)"""


def starts(rules: DeliveryRules) -> int:
    """How often an instructed converter was started."""
    return len(_written(rules, "starts"))


def hanging(rules: DeliveryRules) -> list[int]:
    """The converter that hangs, and its child; empty before they are there."""
    return [int(number) for line in _written(rules, "hanging") for number in line.split()]


def is_asked(rules: DeliveryRules) -> bool:
    return (_program(rules).parent / "asked").exists()


def let_go(rules: DeliveryRules) -> None:
    (_program(rules).parent / "let_go").touch()


def _written(rules: DeliveryRules, name: str) -> list[str]:
    path = _program(rules).parent / name
    return path.read_text().splitlines() if path.exists() else []


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def begin_again(run: Path, kind: str, rules: DeliveryRules, **fields: object) -> None:
    """Let a step wait as if nothing were known of its last try, and deliver on."""
    steps = delivery_of(run).steps
    steps.filter(kind=kind).update(state=StepState.WAITING, figures={}, **fields)
    type(delivery_of(run)).objects.filter(path=str(run)).update(state="delivering")
    work(deliveries.next_steps(rules), rules)


def environment_of(rules: DeliveryRules, **more: str) -> dict[str, str]:
    """These rules as the settings of a child process."""
    return {
        "SEQAUTO_INCOMING_DIRS": ":".join(rules.roots),
        "SEQAUTO_BACKUP_DIR": str(rules.backup_dir),
        "SEQAUTO_FASTQ_DIR": str(rules.fastq_dir),
        "SEQAUTO_S3_FASTQ_BUCKET": rules.s3.bucket,
        "SEQAUTO_S3_FASTQ_PREFIX": rules.s3.prefix,
        "SEQAUTO_S3_ENDPOINT_URL": rules.s3.endpoint_url,
        "SEQAUTO_S3_LOG_BUCKET": rules.s3.log_bucket,
        "SEQAUTO_CONVERTERS": ",".join(rules.converter.wanted),
        "SEQAUTO_CONVERTER_PROGRAMS": json.dumps(rules.converter.programs),
        "SEQAUTO_SETTLE_SECONDS": "0",
        "SEQAUTO_WATCH_SECONDS": "1",
        "SEQAUTO_VAR_DIR": str(rules.logs_dir.parent),
        **{name: os.environ[name] for name in os.environ if name.startswith("AWS_")},
        **more,
    }


def bcl_manager(children: Children, rules: DeliveryRules, *arguments: str, **environment: str) -> Child:
    """The command in a process of its own, in this lab."""
    return children.manage("bcl_manager", *arguments, **environment_of(rules, **environment))


#: A worker that dies is noticed within two seconds.
SHORT_LEASE = {"SEQAUTO_LEASE_SECONDS": "2", "SEQAUTO_HEARTBEAT_SECONDS": "1"}
