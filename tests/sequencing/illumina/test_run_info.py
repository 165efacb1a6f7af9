"""RunInfo.xml of every instrument and age."""

import datetime

import pytest

from sequencing.illumina.dates import parse_date
from sequencing.illumina.errors import RunInfoError
from sequencing.illumina.run_info import Read, parse_run_info

RUN_INFO = """<?xml version="1.0" encoding="utf-8"?>
<RunInfo xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" Version="6">
  <Run Id="230621_VH00203_286_AACNL3GM5" Number="286">
    <Flowcell>AACNL3GM5</Flowcell>
    <Instrument>VH00203</Instrument>
    <Date>2023-06-21T11:06:38Z</Date>
    <Reads>
      <Read Number="1" NumCycles="151" IsIndexedRead="N" IsReverseComplement="N"/>
      <Read Number="2" NumCycles="8" IsIndexedRead="Y" IsReverseComplement="N"/>
      <Read Number="3" NumCycles="8" IsIndexedRead="Y" IsReverseComplement="Y"/>
      <Read Number="4" NumCycles="151" IsIndexedRead="N" IsReverseComplement="N"/>
    </Reads>
    <FlowcellLayout LaneCount="2" SurfaceCount="2" SwathCount="6" TileCount="14">
      <TileSet><Tiles><Tile>1_1101</Tile><Tile>1_1102</Tile></Tiles></TileSet>
    </FlowcellLayout>
  </Run>
</RunInfo>
"""


def test_all_that_run_info_says_is_read():
    info = parse_run_info(RUN_INFO.encode())
    assert (info.run_id, info.run_number, info.flowcell) == ("230621_VH00203_286_AACNL3GM5", 286, "AACNL3GM5")
    assert (info.instrument, info.date) == ("VH00203", datetime.date(2023, 6, 21))
    assert info.date_text == "2023-06-21T11:06:38Z"
    assert info.reads == (
        Read(1, 151, False, False),
        Read(2, 8, True, False),
        Read(3, 8, True, True),
        Read(4, 151, False, False),
    )
    assert (info.lane_count, info.surface_count, info.swath_count, info.tile_count) == (2, 2, 6, 14)
    assert (info.tile_name_count, info.xml_version, info.problems) == (2, "6", ())


def test_utf16_and_a_byte_order_mark_are_read():
    utf16 = RUN_INFO.replace("utf-8", "utf-16").encode("utf-16")
    assert parse_run_info(utf16).instrument == "VH00203"
    assert parse_run_info(RUN_INFO.encode("utf-8-sig")).instrument == "VH00203"


def test_an_early_run_info_tells_cycles_as_first_and_last():
    info = parse_run_info(b"""<RunInfo><Run Id="110106_HWUSI-EAS100_0001_FC" Number="1"><Reads>
        <Read FirstCycle="1" LastCycle="76" /><Read FirstCycle="77" LastCycle="83"><Index /></Read>
        </Reads><FlowcellLayout LaneCount="8" /></Run></RunInfo>""")
    assert info.reads == (Read(1, 76, False), Read(2, 7, True))


def test_flow_cell_and_instrument_may_stand_beside_the_run():
    info = parse_run_info(b"""<RunInfo><Run Id="x"><Reads><Read Number="1" NumCycles="16" IsIndexedRead="N"/>
        </Reads></Run><Flowcell>TESTFLOWCELL</Flowcell><Instrument>hiseqx</Instrument></RunInfo>""")
    assert (info.flowcell, info.instrument) == ("TESTFLOWCELL", "hiseqx")


def test_what_a_run_can_do_without_is_a_warning():
    info = parse_run_info(b"""<RunInfo><Run Id="x" Number="first"><Date>long ago</Date><Reads>
        <Read Number="1" NumCycles="16" IsIndexedRead="N"/></Reads></Run></RunInfo>""")
    assert (info.run_number, info.run_number_text, info.date, info.lane_count) == (None, "first", None, None)
    assert [(problem.code, problem.column, problem.text) for problem in info.problems] == [
        ("missing_field", "Flowcell", ""),
        ("missing_field", "Instrument", ""),
        ("bad_date", "Date", "long ago"),
    ]


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (b"", ["empty_file"]),
        (b"  \r\n\0", ["empty_file"]),
        (b"FCID,Lane\n", ["not_xml"]),
        (RUN_INFO.encode()[:500], ["not_xml"]),
        (b"\x1f\x8b\x08\x00" + bytes(range(256)), ["not_xml"]),
        (b"<RunParameters/>", ["not_run_info"]),
        (b"<RunInfo><Run/></RunInfo>", ["no_run_id", "no_reads"]),
        (
            b'<RunInfo><Run Id="x"><Reads><Read Number="1" NumCycles="many"/><Read/></Reads></Run></RunInfo>',
            ["bad_read", "bad_read"],
        ),
        (b'<?xml version="1.0" encoding="klingon"?><RunInfo/>', ["encoding"]),
    ],
)
def test_a_run_info_that_cannot_be_read_says_every_reason(data, codes):
    with pytest.raises(RunInfoError) as caught:
        parse_run_info(data)
    assert [problem.code for problem in caught.value.problems] == codes
    assert all(problem.remedy for problem in caught.value.problems)


RUN = '<RunInfo><Run Id="{}"/><Flowcell>{}</Flowcell><Instrument>{}</Instrument><Reads>{}</Reads></RunInfo>'
READ = '<Read Number="1" NumCycles="9"/>'


@pytest.mark.parametrize("text", ["../x", "a/b", "-rf", "NUL", "x" * 256, "a&#10;b"])
@pytest.mark.parametrize("column", ["Run Id", "Flowcell", "Instrument"])
def test_promise_49_a_hostile_run_id_flow_cell_or_instrument_is_rejected(text, column):
    texts = [text if name == column else "x" for name in ("Run Id", "Flowcell", "Instrument")]
    with pytest.raises(RunInfoError) as caught:
        parse_run_info(RUN.format(*texts, READ).encode())
    assert [(problem.code, problem.column) for problem in caught.value.problems] == [("hostile_name", column)]


def test_a_number_of_lanes_or_reads_without_end_is_not_believed():
    info = parse_run_info(RUN_INFO.replace('LaneCount="2"', 'LaneCount="999999"').encode())
    assert info.lane_count is None
    assert [problem.code for problem in info.problems] == ["bad_count"]
    with pytest.raises(RunInfoError):
        parse_run_info(RUN.format("x", "x", "x", READ * 1_000).encode())


def test_an_error_of_xml_names_line_text_and_remedy():
    with pytest.raises(RunInfoError) as caught:
        parse_run_info(b'<RunInfo>\n<Run Id="x">\n<oops\n</RunInfo>')
    [problem] = caught.value.problems
    assert problem.row == 4
    assert problem.text == "</RunInfo>"
    assert "row 4" in str(caught.value)
    assert problem.remedy in str(caught.value)


DAY = datetime.date(2020, 1, 17)


@pytest.mark.parametrize(
    "text",
    [
        "200117",
        "20200117",
        "2020-01-17T12:52:58Z",
        "2020-01-17T12:52:58.123-07:00",
        "2020-01-17",
        "2020/01/17 12:52",
        "1/17/2020 12:52:58 PM",
        "1/17/2020 12:52:58\u202fPM",  # newer Windows puts a narrow space before PM
        "01/17/2020 12:52:58",
        "17/01/2020 12:52:58",
        "17.01.2020 12:52:58",
        "17-01-2020",
        " 200117\n",
    ],
)
def test_every_form_of_a_date_is_read(text):
    assert parse_date(text) == DAY


@pytest.mark.parametrize(
    ("text", "near", "date"),
    [
        ("6/7/2021 1:19:06 PM", None, datetime.date(2021, 6, 7)),
        ("6/7/2021 13:19:06", None, datetime.date(2021, 7, 6)),
        ("6/7/2021 13:19:06", datetime.date(2021, 6, 6), datetime.date(2021, 6, 7)),
        ("6/7/2021 1:19:06 PM", datetime.date(2021, 7, 6), datetime.date(2021, 7, 6)),
    ],
)
def test_the_run_folders_date_tells_day_from_month(text, near, date):
    assert parse_date(text, near) == date


@pytest.mark.parametrize(
    "text", ["", "soon", "200230", "2020-13-01", "0/0/2020", "32/13/2020", "٢٠٠١١٧", "9" * 5000]
)
def test_what_is_no_date_is_none(text):
    assert parse_date(text) is None
