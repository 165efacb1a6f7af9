"""Names of run folders, of every instrument and with what labs add to them."""

import datetime
import json

import pytest

from sequencing.illumina.run_name import instrument_model, parse_run_name

# name: prefix, date, instrument, run number, position, flow cell, suffix
NAMES = {
    "140210_M00879_0031_000000000-A69NA": ("", "2014-02-10", "M00879", 31, "", "000000000-A69NA", ""),
    "150202_NS500318_0047_AH3KLMBGXX": ("", "2015-02-02", "NS500318", 47, "A", "H3KLMBGXX", ""),
    "221216_NB501298_0406_AH7V5CBGXN": ("", "2022-12-16", "NB501298", 406, "A", "H7V5CBGXN", ""),
    "230621_VH00203_286_AACNL3GM5": ("", "2023-06-21", "VH00203", 286, "", "AACNL3GM5", ""),
    "130919_SN792_0281_BD2CHRACXX": ("", "2013-09-19", "SN792", 281, "B", "D2CHRACXX", ""),
    "150203_D00535_0052_AC6A0VANXX": ("", "2015-02-03", "D00535", 52, "A", "C6A0VANXX", ""),
    "150210_K00111_0013_AH2372BBXX": ("", "2015-02-10", "K00111", 13, "A", "H2372BBXX", ""),
    "141121_ST-E00107_0356_AH00C3CCXX": ("", "2014-11-21", "ST-E00107", 356, "A", "H00C3CCXX", ""),
    "170101_MN00123_0001_A000H2XXXX": ("", "2017-01-01", "MN00123", 1, "A", "000H2XXXX", ""),
    "220923_A01934_0008_BHLL3GDRX2": ("", "2022-09-23", "A01934", 8, "B", "HLL3GDRX2", ""),
    "20230824_LH00217_0004_A225CW7LT3": ("", "2023-08-24", "LH00217", 4, "A", "225CW7LT3", ""),
    "20220912_FS10001773_27_BSE39218-1017": ("", "2022-09-12", "FS10001773", 27, "", "BSE39218-1017", ""),
    "20251208_SH00350_0012_ASC2149232-SC3": ("", "2025-12-08", "SH00350", 12, "", "ASC2149232-SC3", ""),
    "Exome_20_022_200920_NB501009_0410_AHNLYFBGXG": (
        "Exome_20_022",
        "2020-09-20",
        "NB501009",
        410,
        "A",
        "HNLYFBGXG",
        "",
    ),
    "190809_D00611_0709_AH3CKJBCX3_RKL0040_Feist_36-39_2": (
        "",
        "2019-08-09",
        "D00611",
        709,
        "A",
        "H3CKJBCX3",
        "RKL0040_Feist_36-39_2",
    ),
    "200920_NB501009_0410_AHNLYFBGXG.old": ("", "2020-09-20", "NB501009", 410, "A", "HNLYFBGXG", "old"),
    "200920_NB501009_0410_AHNLYFBGXG-rerun": ("", "2020-09-20", "NB501009", 410, "A", "HNLYFBGXG", "rerun"),
    # A number before the date that is no date itself.
    "991399_200920_NB501009_0410_AHNLYFBGXG": (
        "991399",
        "2020-09-20",
        "NB501009",
        410,
        "A",
        "HNLYFBGXG",
        "",
    ),
    # An instrument that the lab renamed.
    "180627_SL-NVB_0098_AFCHCYTJDMXX": ("", "2018-06-27", "SL-NVB", 98, "A", "FCHCYTJDMXX", ""),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_of_a_run_folders_name_are_known(name):
    run = parse_run_name(name)
    assert run is not None
    parts = (
        run.prefix,
        run.date.isoformat(),
        run.instrument,
        run.run_number,
        run.position,
        run.flowcell,
        run.suffix,
    )
    assert parts == NAMES[name]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Data",
        "fastq",
        "200920",
        "200920_NB501009",
        "200920_NB501009_0410",
        "209920_NB501009_0410_AHNLYFBGXG",  # no month 99
        "20231107_MIN2_26171SS",  # Nanopore
        "20231108_1411_MN32284_AOZ898_35873099",  # Nanopore
        "20191231_backup_of_the_lab",
        "200920_NB501009_0410_AHNLYFBGXG/etc",
        "200920_NB501009_٠٤١٠_AHNLYFBGXG",
        "200920_NB501009_0410_AHNLYFBGXG\n",
        "1" * 100_000,
        "200920_A1_1_A" * 1_000,
    ],
)
def test_a_folder_that_is_no_run_is_not_taken_for_one(name):
    assert parse_run_name(name) is None


def test_the_date_keeps_the_text_of_the_name():
    assert parse_run_name("20230824_LH00217_0004_A225CW7LT3").date_text == "20230824"
    assert parse_run_name("230824_LH00217_0004_A225CW7LT3").date == datetime.date(2023, 8, 24)


@pytest.mark.parametrize(
    ("serial", "model"),
    [
        ("M00879", "MiSeq"),
        ("MN00123", "MiniSeq"),
        ("NS500318", "NextSeq 500/550"),
        ("NB552060", "NextSeq 500/550"),
        ("VH00203", "NextSeq 1000/2000"),
        ("VL00123", "NextSeq 1000/2000"),
        ("SN792", "HiSeq 2000/2500"),
        ("D00535", "HiSeq 2000/2500"),
        ("HWI-ST1234", "HiSeq 2000/2500"),
        ("K00111", "HiSeq 3000/4000"),
        ("J00101", "HiSeq 3000/4000"),
        ("ST-E00107", "HiSeq X"),
        ("E00107", "HiSeq X"),
        ("A01934", "NovaSeq 6000"),
        ("LH00217", "NovaSeq X"),
        ("FS10001773", "iSeq 100"),
        ("SH00350", "MiSeq i100"),
        ("HWI-M00123", "MiSeq"),
        ("", ""),
        ("SL-NVB", ""),
        ("hiseqx", ""),
        ("Main", ""),
        ("TEST001", ""),
    ],
)
def test_the_longest_beginning_of_a_serial_number_tells_the_model(serial, model):
    assert instrument_model(serial) == model


NOT_ILLUMINA = {"20231107_MIN2_26171SS", "20231108_1411_MN32284_AOZ898_35873099"}


def test_every_run_folder_of_the_corpus_is_recognised(corpus):
    folders = set()
    for line in (corpus / "manifest.jsonl").read_text().splitlines():
        folders.update(
            part for part in json.loads(line)["path"].split("/")[:-1] if part[:6].isdigit() and "_" in part
        )
    assert len(folders) > 20
    assert {name for name in folders if not parse_run_name(name)} == NOT_ILLUMINA
