"""What all tests share: an archive to scan, a writer of run folders, and the corpus of real files."""

import fcntl
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from child_processes import Children, SlowDisk
from mounting import mount as mount_at
from mounting import mount_small, unmount_below

from sequencing import demo

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"


@pytest.fixture(autouse=True)
def one_at_a_time(request) -> Iterator[None]:
    """Tests marked `alone("name")` run one after the other, in whatever worker they are."""
    mark = request.node.get_closest_marker("alone")
    if mark is None:
        yield
        return
    with open(
        os.path.join(tempfile.gettempdir(), f"seqauto-tests-{os.getuid()}-{mark.args[0]}"), "w"
    ) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def archive(tmp_path, settings) -> Path:
    """The root of an empty archive, the only one that the settings know; scan lists lie beside it."""
    root = tmp_path / "archive"
    root.mkdir()
    settings.SEQAUTO_SCAN_ROOTS = [root]
    settings.SEQAUTO_SCAN_RESOURCES_DIR = tmp_path / "scans"
    return root


@pytest.fixture
def write_run() -> Callable[..., Path]:
    """`sequencing.demo.write_run`: writes a run folder into a group's folder and returns its path."""
    return demo.write_run


@pytest.fixture
def mount(tmp_path) -> Iterator[Callable[..., Path]]:
    """Mounts file systems for the length of a test: `mount(folder, *arguments)`, as `mounting.mount`."""
    yield mount_at
    unmount_below(tmp_path)


@pytest.fixture
def small_disk(mount, tmp_path) -> Callable[[str], Path]:
    """Makes a disk of its own with room for so much: `small_disk("1m")`."""
    return lambda size: mount_small(tmp_path / "small disk", size)


@pytest.fixture(scope="session", autouse=True)
def no_mount_outlives_the_tests(tmp_path_factory) -> Iterator[None]:
    """Nor one that a failing test moved or forgot."""
    yield
    unmount_below(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real run files, which lies beside the repository and is not a part of it."""
    if not CORPUS.is_dir():
        pytest.skip(f"needs the corpus of real run files in {CORPUS}")
    return CORPUS


@pytest.fixture
def manage_py(settings, tmp_path) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a child process that runs `manage.py` on this test's database and archive.

    Only for tests of `transaction=True`: a child sees what is committed.
    """
    from django.db import connection

    config = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{config['NAME']}"
    else:
        login = f"{quote(config['USER'])}:{quote(config['PASSWORD'])}"
        url = f"postgres://{login}@{quote(config['HOST'], safe='')}:{config['PORT']}/{config['NAME']}"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "settings.local",
        "SEQAUTO_VAR_DIR": str(tmp_path / "var"),
        "DATABASE_URL": url,
        "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
        "SEQAUTO_SCAN_ROOTS": ":".join(map(str, settings.SEQAUTO_SCAN_ROOTS)),
        "SEQAUTO_SCAN_RESOURCES_DIR": str(settings.SEQAUTO_SCAN_RESOURCES_DIR),
    }
    return [sys.executable, str(settings.BASE_DIR / "manage.py")], environment


@pytest.fixture
def children(manage_py, tmp_path, transactional_db) -> Iterator[Children]:
    """Starts SeqAuto's own processes on this test's database and archive, and leaves none behind."""
    children = Children(manage_py, tmp_path)
    yield children
    children.end()


@pytest.fixture
def slow_disk(tmp_path) -> Iterator[SlowDisk]:
    """A disk that answers when the test lets it: give `slow_disk.environment` to a child."""
    disk = SlowDisk(tmp_path)
    yield disk
    disk.let_go()


def pytest_collection_modifyitems(config, items):
    """Tests of PostgreSQL's own behaviour belong to its round only; leaving them out elsewhere is no skip."""
    from django.conf import settings

    if settings.DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
        left_out = [item for item in items if item.get_closest_marker("postgres")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_sessionfinish(session, exitstatus):
    """In CI a skipped test is a failure: there everything is at hand that a test may need."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    skipped = reporter.stats.get("skipped") if reporter else None
    if skipped and os.environ.get("CI") == "true" and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"\n{len(skipped)} skipped: in CI nothing may be left out.", red=True)
