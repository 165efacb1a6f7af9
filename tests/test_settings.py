"""Settings: documented beside their default, read in one place, refused where they are wrong."""

import ast
import json
import logging
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from settings import environment
from settings.local import broker_socket, kept_secret_key
from settings.log import InertFormatter

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
SECRET = "k" * 40 + "0123456789-abcdefghij"
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "settings.production",
    "SECRET_KEY": SECRET,
    "ALLOWED_HOSTS": "seqauto.lab.example",
    "DATABASE_URL": "postgres://seqauto:hidden-word@db.lab.example/seqauto",
}


def documented() -> dict[str, str]:
    """Default by variable, as docs/configuration.md has it."""
    rows = ROW.findall((ROOT / "docs" / "configuration.md").read_text())
    return {name: default.replace(r"\|", "|").strip("`") for name, default, _ in rows}


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in an environment of nothing but `variables`."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
    )


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return python(
        f"import sys; sys.argv = ['manage.py', *{list(arguments)!r}]; import manage; manage.main()",
        **variables,
    )


def variables_read_in(path: Path) -> set[str]:
    """The names in `environment.text("NAME", …)` and its like; every text of `environment.required(…)`."""
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and getattr(node.func.value, "id", "") == "environment"
    ]
    return {
        name.value
        for call in calls
        for name in (call.args if call.func.attr == "required" else call.args[:1])
    }


def test_every_variable_that_is_read_is_documented():
    read = set().union(*(variables_read_in(path) for path in (ROOT / "settings").glob("*.py")))
    assert {"SEQAUTO_SCAN_ROOTS", "SECRET_KEY", "DATABASE_URL", "TIME_ZONE"} <= read
    assert read - documented().keys() == set()


def test_the_documented_default_is_the_default(tmp_path):
    code = (
        "import json; from django.conf import settings\n"
        "values = {name: getattr(settings, name) for name in dir(settings) if name.isupper()}\n"
        "print(json.dumps(values, default=str))"
    )
    own = {"SEQAUTO_VAR_DIR": str(tmp_path), "SEQAUTO_SCAN_ROOTS": "/data/runs"}  # the demo is hastier
    result = python(code, DJANGO_SETTINGS_MODULE="settings.local", **own)
    actual = json.loads(result.stdout)
    actual["SEQAUTO_SCAN_TIMES"] = ",".join(actual["SEQAUTO_SCAN_TIMES"])
    actual["ALLOWED_HOSTS"] = ",".join(actual["ALLOWED_HOSTS"])
    actual["SEQAUTO_CONVERTERS"] = ",".join(actual["SEQAUTO_CONVERTERS"])
    # A default in brackets is told in words; the folder of local state is the test's own.
    told = {name: text for name, text in documented().items() if name in actual and text[0] != "("}
    told.pop("SEQAUTO_VAR_DIR")
    for name, text in told.items():
        value = actual[name]
        written = value if isinstance(value, str) else json.dumps(value)
        assert written == text.replace("var/", f"{tmp_path}/"), name


def test_only_settings_read_the_environment():
    readers = [
        str(path.relative_to(ROOT))
        for folder in ("seqauto", "sequencing")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"os\.environ(\[|\.get)|getenv", path.read_text())
    ]
    assert readers == []


@pytest.mark.parametrize("text", ["true", "Yes", "ON", "1"])
def test_a_switch_is_on_by_any_usual_word(monkeypatch, text):
    monkeypatch.setenv("SEQAUTO_ENABLED", text)
    assert environment.flag("SEQAUTO_ENABLED", False) is True


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda: environment.flag("X", True), "perhaps"),
        (lambda: environment.integer("X", 1), "many"),
        (lambda: environment.integer("X", 1), "0"),
        (lambda: environment.share("X", 0.5), "50%"),
        (lambda: environment.share("X", 0.5), "1.5"),
        (lambda: environment.json_list("X", []), "^test_"),
        (lambda: environment.json_list("X", []), "[1]"),
        (lambda: environment.json_object("X"), "[]"),
    ],
)
def test_a_value_of_the_wrong_form_stops_the_start_and_is_named(monkeypatch, read, text):
    monkeypatch.setenv("X", text)
    with pytest.raises(ImproperlyConfigured, match="The environment variable X must be"):
        read()


def test_an_empty_variable_means_the_default(monkeypatch):
    monkeypatch.setenv("X", "")
    assert environment.integer("X", 7) == 7
    assert environment.folders("X") == []


def test_scan_roots_are_separated_by_colons_and_absolute(monkeypatch):
    monkeypatch.setenv("X", f"/data/runs:{'~'}/archive::relative/")
    assert environment.folders("X") == [
        Path("/data/runs"),
        Path.home() / "archive",
        Path.cwd() / "relative",
    ]


@pytest.mark.parametrize("missing", ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL"])
def test_production_does_not_start_without_what_it_needs(missing):
    result = manage("check", **{name: value for name, value in PRODUCTION.items() if name != missing})
    assert result.returncode != 0
    assert f"Production needs {missing} in the environment" in result.stderr


def test_promise_53_check_deploy_is_clean_in_production_and_tells_no_secret(tmp_path):
    result = manage(
        "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION, SEQAUTO_SCAN_ROOTS=str(tmp_path)
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "no issues" in result.stdout
    assert SECRET not in result.stdout


def test_promise_53_a_wrong_secret_stays_out_of_the_message(tmp_path):
    result = manage("check", **{**PRODUCTION, "SEQAUTO_WALK_THREADS": "hidden-word"})
    assert "SEQAUTO_WALK_THREADS must be a whole number" in result.stderr
    assert "hidden-word" not in result.stderr


def test_static_files_can_be_collected_for_production(tmp_path):
    result = manage("collectstatic", "--noinput", **PRODUCTION, SEQAUTO_VAR_DIR=str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert list((tmp_path / "static" / "vendor" / "bootstrap" / "css").glob("bootstrap.min.*.css"))


def test_the_local_secret_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "var" / "secret_key"
    key = kept_secret_key(path)
    assert len(key) >= 50
    assert kept_secret_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret_key"]


def test_the_brokers_socket_fits_into_what_unix_allows(tmp_path):
    assert broker_socket(Path("/srv/seqauto/var")) == Path("/srv/seqauto/var/broker/broker.sock")
    far = tmp_path / ("deep/" * 20)
    assert len(str(broker_socket(far))) < 100
    assert broker_socket(far) == broker_socket(far)
    assert broker_socket(far) != broker_socket(far / "other")


def test_promise_51_log_lines_are_inert():
    record = logging.LogRecord(
        "scan", logging.INFO, "", 0, "run %s", ("a\x1b[31mred\nINFO forged\u2028\x9b",), None
    )
    assert InertFormatter("%(message)s").format(record) == r"run a\x1b[31mred\nINFO forged\u2028\x9b"


def test_promise_51_tracebacks_keep_their_lines_and_are_inert():
    try:
        raise ValueError("run \x1b[31m")
    except ValueError:
        record = logging.LogRecord("scan", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    text = InertFormatter("%(message)s").format(record)
    assert "Traceback" in text.splitlines()[1]
    assert "\x1b" not in text


def test_a_command_given_by_hand_never_delivers_with_the_folders_of_the_demo(tmp_path):
    """`make run` was here before, and its demo lies in the same place."""
    for name in ("incoming", "backup", "fastqs"):
        (tmp_path / "demo_delivery" / name).mkdir(parents=True)
    (tmp_path / "own").mkdir()
    own = {"DJANGO_SETTINGS_MODULE": "settings.local", "SEQAUTO_VAR_DIR": str(tmp_path)}
    manage("migrate", "-v0", **own)
    result = manage("bcl_manager", str(tmp_path / "own"), "--once", **own)
    assert result.returncode == 1
    assert all(
        f"{name} is needed" in result.stderr for name in ("--backup-dir", "--fastq-dir", "--s3-fastq-bucket")
    )
