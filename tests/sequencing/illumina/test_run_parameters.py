"""RunParameters.xml of every instrument: the same facts under other names."""

import pytest

from sequencing.illumina.errors import RunParametersError
from sequencing.illumina.run_parameters import RunParameters, parse_run_parameters


@pytest.mark.parametrize(
    ("fields", "instrument"),
    [
        ("<InstrumentSerialNumber>LH00217</InstrumentSerialNumber>", "LH00217"),
        ("<InstrumentID>NS500318</InstrumentID>", "NS500318"),
        ("<InstrumentId>FS10001773</InstrumentId>", "FS10001773"),
        ("<Setup><ScannerID>D00535</ScannerID></Setup>", "D00535"),
        ("<ScannerID>M00879</ScannerID>", "M00879"),
        ("<InstrumentName>A01934</InstrumentName>", "A01934"),
        ("<InstrumentName>Our big one</InstrumentName><InstrumentID>NB501009</InstrumentID>", "NB501009"),
        ("<InstrumentID /><ScannerID> K00111 </ScannerID>", "K00111"),
        ("", ""),
    ],
)
def test_the_instrument_is_found_under_every_name(fields, instrument):
    assert parse_run_parameters(f"<RunParameters>{fields}</RunParameters>".encode()).instrument == instrument


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ("<ExperimentName>Exomes May</ExperimentName>", "Exomes May"),
        ("<Setup><ExperimentName>Exomes May</ExperimentName></Setup>", "Exomes May"),
        ("<ExperimentName />", ""),
        ("<ExperimentName>  </ExperimentName>", ""),
        ("", ""),
    ],
)
def test_the_experiments_name_may_be_empty_or_absent(fields, name):
    assert parse_run_parameters(f"<RunParameters>{fields}</RunParameters>".encode()).experiment_name == name


def test_the_parameters_of_a_novaseq_x_are_read():
    parameters = parse_run_parameters(b"""<RunParameters>
        <Application>NovaSeqXSeries Control Software</Application>
        <SystemSuiteVersion>1.2.0.28691</SystemSuiteVersion>
        <InstrumentType>NovaSeqXPlus</InstrumentType><InstrumentSerialNumber>LH00444</InstrumentSerialNumber>
        <RunId>231215_LH00444_0031_B222WHFLT4</RunId><ExperimentName>PE150</ExperimentName>
        <ConsumableInfo><ConsumableInfo><InstrumentType>no</InstrumentType></ConsumableInfo></ConsumableInfo>
        </RunParameters>""")
    assert parameters == RunParameters(
        instrument="LH00444",
        experiment_name="PE150",
        application_name="NovaSeqXSeries Control Software",
        application_version="1.2.0.28691",
        run_id="231215_LH00444_0031_B222WHFLT4",
        root="RunParameters",
        instrument_type="NovaSeqXPlus",
    )


def test_a_field_of_the_run_counts_before_one_of_its_parts():
    parameters = parse_run_parameters(b"""<RunParameters><Part><Setup><RunID>wrong</RunID></Setup></Part>
        <RunID>right</RunID></RunParameters>""")
    assert parameters.run_id == "right"


@pytest.mark.parametrize("data", [b"", b"\0\0", b"hello", b"<RunInfo/>", b"<RunParameters>", b"\xff\xfe<"])
def test_what_is_no_run_parameters_is_refused_with_a_remedy(data):
    with pytest.raises(RunParametersError) as caught:
        parse_run_parameters(data)
    assert all(problem.remedy for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("<InstrumentID>../x</InstrumentID>", "hostile_name"),
        ("<RunID>-rf</RunID>", "hostile_name"),
        (f"<ExperimentName>{'x' * 256}</ExperimentName>", "too_long"),
    ],
)
def test_promise_49_hostile_run_parameters_are_refused(field, code):
    with pytest.raises(RunParametersError) as caught:
        parse_run_parameters(f"<RunParameters>{field}</RunParameters>".encode())
    assert [problem.code for problem in caught.value.problems] == [code]


def test_an_experiment_may_be_named_freely():
    field = "<ExperimentName>RU1528:::/locus//1337 &amp; Ärger</ExperimentName>"
    parameters = parse_run_parameters(f"<RunParameters>{field}</RunParameters>".encode())
    assert parameters.experiment_name == "RU1528:::/locus//1337 & Ärger"
