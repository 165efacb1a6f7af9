"""Files made to harm: their runs are told of, nothing else suffers, and nothing of them comes alive."""

import io
import logging
import logging.config
import os

import pytest
from scanning import file_states, open_codes, run_of, said, scan_disks, scan_well

from seqauto.models import Message, SequencingFile, SequencingRun, SequencingSample
from seqauto.models.runs import RunState
from seqauto.models.scans import ScanStatus
from seqauto.scans import lists_folder

pytestmark = pytest.mark.django_db

BOMB = """<?xml version="1.0"?>
<!DOCTYPE bomb [<!ENTITY a "lollollollol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>
<RunInfo><Run Id="&d;"><Instrument>&d;</Instrument></Run></RunInfo>
"""


@pytest.fixture
def good(archive, write_run):
    """A run that is recorded well whatever stands beside it."""
    run = write_run(archive / "zoo", number=900)
    yield run
    assert run_of(run).state == RunState.COMPLETE


def huge(path):
    """A file of 1 GB that takes no room on the disk."""
    with path.open("wb") as stream:
        stream.truncate(1 << 30)


@pytest.mark.parametrize(
    "name", ["4_QC/sequencing_stats/RunInfo.xml", "4_QC/sequencing_stats/runParameters.xml"]
)
def test_promise_50_xml_of_1_gb_is_told_and_the_run_recorded_without_it(archive, write_run, good, name):
    run = write_run(archive / "exome")
    huge(run / name)
    scan_well()
    assert run_of(run).state == RunState.COMPLETE
    (message,) = Message.objects.filter(place=name)
    assert "too large" in message.text


def test_promise_50_a_sheet_of_1_gb_is_told_and_not_kept(archive, write_run, good):
    run = write_run(archive / "exome")
    huge(run / "SampleSheet.csv")
    scan_well()
    scan_well()
    assert run_of(run).state == RunState.ERROR
    assert "too large" in Message.objects.get(run=run_of(run), severity="error").text
    sheet = run_of(run).sample_sheets.get()
    assert (sheet.is_usable, len(bytes(sheet.content))) == (False, 0)


def test_promise_50_an_entity_bomb_is_told_and_never_unpacked(archive, write_run, good):
    run = write_run(archive / "exome")
    (run / "4_QC/sequencing_stats/RunInfo.xml").write_text(BOMB)
    scan_well()
    assert run_of(run).state == RunState.COMPLETE
    assert run_of(run).sequencer.serial == "M00879"  # by the folder's name
    assert open_codes(run) >= {"forbidden_xml"}


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 1000, os.urandom(5000), b"\xff\xfeR\0u\0n\0", b"<RunInfo>", b"<RunInfo/>"]
)
def test_promise_40_broken_metadata_of_any_kind_spoils_no_other_run(archive, write_run, good, content):
    run = write_run(archive / "exome")
    for name in ("RunInfo.xml", "runParameters.xml"):
        (run / "4_QC/sequencing_stats" / name).write_bytes(content)
    broken_sheet = write_run(archive / "exome", number=2)
    (broken_sheet / "SampleSheet.csv").write_bytes(content)
    scan_well()
    assert "unexpected_error" not in open_codes(run) | open_codes(broken_sheet)
    assert run_of(run).state == RunState.COMPLETE
    assert run_of(broken_sheet).state == RunState.ERROR


HOSTILE_IDS = [
    "../../etc/cron", "/etc/passwd", "a/b", "..\\b", "-rf", "a\0b", '"a\nb"', "a\x1b[31mb", "NUL", "CON.txt",
    "a\u202eb", "x" * 2000, "..",
]  # fmt: skip


@pytest.mark.parametrize("column", ["Sample_ID", "Sample_Name", "Sample_Project"])
@pytest.mark.parametrize("text", HOSTILE_IDS)
def test_promise_49_hostile_ids_become_no_path_and_no_sample(archive, write_run, text, column):
    ids = {"Sample_ID": "a", "Sample_Name": "b", "Sample_Project": "c"} | {column: text}
    run = write_run(archive / "exome", sheet_text=f"[Data]\n{','.join(ids)}\n{','.join(ids.values())}\n")
    scan_well()
    assert run_of(run).state == RunState.ERROR
    assert not SequencingSample.objects.exists()
    assert not SequencingFile.objects.filter(is_expected=True).exists()
    assert "unexpected_error" not in open_codes(run)
    for message in run_of(run).messages.all():
        assert message.text.isprintable()
        assert message.place.isprintable()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<Flowcell>000000000-", "<Flowcell>../../"),
        ("<Instrument>M00879<", f"<Instrument>{'M' * 5000}<"),
        ('Number="31"', 'Number="99999999999999999999"'),
        ('Number="31"', 'Number="-5"'),
        ('LaneCount="1"', 'LaneCount="1000000000"'),
        ('NumCycles="151"', 'NumCycles="99999999999999999999"'),
        ("<Date>260302<", "<Date>99999999<"),
        ("<Flowcell>", "<Flowcell>&#x202e;&#x1f4a3;"),
    ],
)
def test_promise_40_absurd_values_of_run_info_spoil_nothing(archive, write_run, good, before, after):
    run = write_run(archive / "exome")
    info = run / "4_QC/sequencing_stats/RunInfo.xml"
    text = info.read_text()
    assert before in text
    info.write_text(text.replace(before, after))
    scan_well()
    known = run_of(run)
    assert "unexpected_error" not in open_codes(run)
    assert set(file_states(run).values()) == {"complete"}
    assert known.flowcell.isprintable()
    assert known.run_number is None or 0 < known.run_number < 100_000


def test_promise_51_nothing_from_disk_comes_alive_in_messages_lists_or_logs(archive, write_run, settings):
    markup, colour = "<script>alert(1)</script>", "\x1b[31mred\x1b[0m"
    run = write_run(archive / "exome", experiment_name=f"=cmd|' /C calc'!A0 {markup}".replace("<", "&lt;"))
    odd = os.fsencode(run) + f"/0_fastq/{colour}\nforged line_R1.fastq.gz".encode()
    os.close(os.open(odd, os.O_CREAT | os.O_WRONLY))
    os.mkdir(os.fsencode(archive) + f"/letters {colour}".encode())
    (run / "SampleSheet.csv").write_text(f"[Data]\nSample_ID,index\n{markup},{colour}\nb,ACGT\n")
    logs = io.StringIO()
    logging.config.dictConfig(settings.LOGGING)
    handler = logging.getLogger().handlers[0]
    handler.setStream(logs)
    scan = scan_well()
    logging.getLogger("seqauto").error("Run folder %s", colour)
    texts = [logs.getvalue()]
    texts += [path.read_text() for path in lists_folder(scan).iterdir()]
    texts += [f"{m.text}{m.remedy}{m.place}" for m in Message.objects.all()]
    assert len(texts) > 10
    assert "forged line" in "".join(texts)
    for text in texts:
        assert "\x1b" not in text
        assert "\nforged" not in text
    assert run_of(run).experiment.name.startswith("=cmd")  # kept as it is: pages and exports make it inert


def test_nul_characters_in_any_cell_of_a_sheet_are_told_and_break_no_database(archive, write_run, good):
    header = "Sample_ID,index,Description,Sample\0Well"
    for number, row in enumerate(["a\0,ACGT,d,w", "a,AC\0GT,d,w", "a,ACGT,d\0,w", "a,ACGT,d,w\0"]):
        write_run(
            archive / "exome", number=number, sheet_text=f"[Header]\nDate,\0\n[Data]\n{header}\n{row}\n"
        )
    scan_well()
    assert not Message.objects.filter(code="unexpected_error").exists()
    assert SequencingRun.objects.count() == 5


def test_nul_characters_in_columns_that_are_kept_break_no_database(archive, write_run, good, settings):
    settings.SEQAUTO_EXTRA_SHEET_COLUMNS = ["*"]
    sheet = "[Data]\nSample_ID,index,Sample\0Well,Kit\na,ACGT,w\0,k\udcff\n".encode(
        "utf-8", "surrogateescape"
    )
    run = write_run(archive / "exome")
    (run / "SampleSheet.csv").write_bytes(sheet)
    scan_well()
    assert "unexpected_error" not in open_codes(run)


def test_a_run_of_400_samples_is_recorded_whole(archive, write_run, good):
    run = write_run(archive / "exome", instrument="HiSeq 4000", lanes=1, samples=400)
    scan_well()
    assert (run_of(run).sample_count, run_of(run).samples.count()) == (400, 400)
    assert run_of(run).files.filter(is_expected=True, data_state="complete").count() == 800
    assert list(run_of(run).samples.order_by("number").values_list("number", flat=True)) == [*range(1, 401)]


def test_a_sheet_of_many_errors_makes_one_message_a_kind(archive, write_run, good):
    rows = "".join(f"../{number},ACGT\n" for number in range(3000))
    run = write_run(archive / "exome", sheet_text=f"[Data]\nSample_ID,index\n{rows}")
    scan_well()
    assert run_of(run).messages.count() < 5
    assert "more of this kind" in said("hostile_name", run).text


def test_a_sample_id_as_long_as_a_file_name_spoils_nothing(archive, write_run, good):
    run = write_run(archive / "exome", sheet_text=f"[Data]\nSample_ID,index\n{'x' * 255},ACGT\nb,ACGA\n")
    scan_well()
    assert "unexpected_error" not in open_codes(run)
    assert run_of(run).samples.count() == 2


def test_a_path_too_long_for_a_row_is_told_and_stops_no_other_run(archive, write_run, good):
    deep = archive
    while len(str(deep)) < 1010:
        deep = deep / ("x" * 250)
    run = write_run(deep)
    assert len(run.relative_to(archive).parts) <= 5  # where runs are looked for
    scan = scan_disks()
    assert scan.status == ScanStatus.FINISHED
    assert SequencingRun.objects.count() == 1
    assert "is too long" in said("passed_over").text
