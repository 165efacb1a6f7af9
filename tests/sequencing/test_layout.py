"""Which files of a run folder count, and where its FASTQs lie."""

import pytest
from made_run import V2, run_info, sheet

from sequencing.layout import (
    FoundFile,
    choose_metadata,
    is_pruned,
    kind_of_file,
    pattern_problem,
    recognise_layout,
)

SHEET = sheet("Sample_ID,Sample_Name,index,Sample_Project", "A1,A1,ACGTACGT,P1", "B_2,B_2,TTTTACGT,P2")
NAMED = sheet("Sample_ID,Sample_Name,index,Sample_Project", "A1,Anna,ACGTACGT,P1", "B2,Bert,TTTTACGT,P2")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("A_S1_L001_R1_001.fastq.gz", "fastq"),
        ("A_R1.fq.gz", "fastq"),
        ("._A_S1_L001_R1_001.fastq.gz", None),
        (".A_R1.fastq.gz", None),
        ("A_R1.fastq.gz.md5", None),
        ("A_R1.fastq.gz.Xy12Zq", None),
        ("RunInfo.xml", "run_info"),
        ("RunParameters.xml", "run_parameters"),
        ("runParameters.xml", "run_parameters"),
        ("SampleSheet.csv", "sample_sheet"),
        ("samplesheet_v2.csv", "sample_sheet"),
        ("SAMPLESHEET.CSV", "sample_sheet"),
        ("SampleSheet.csv.bak", None),
        ("._SampleSheet.csv", None),
        ("RTAComplete.txt", "marker"),
        ("RTAComplete.xml", "marker"),
        ("Basecalling_Netcopy_complete_Read1.txt", "marker"),
        ("Basecalling_Netcopy_complete.txt", "marker"),
        ("s_1_1101.bcl.gz", None),
        ("L001_1.cbcl", None),
        ("notes.txt", None),
        ("", None),
    ],
)
def test_a_file_is_told_by_its_name(name, kind):
    assert kind_of_file(name) == kind


@pytest.mark.parametrize(
    "folder",
    [
        "Data/Intensities/L001",
        "Data/Intensities/BaseCalls/L004",
        "raw/Data/Intensities/BaseCalls/L004",
        "Thumbnail_Images",
        "Images",
        "InterOp",
        "4_QC/sequencing_stats/InterOp",
    ],
)
def test_folders_of_base_calls_and_images_are_not_walked(folder):
    assert is_pruned(folder)


@pytest.mark.parametrize(
    "folder",
    [
        "0_fastq",
        "Data",
        "Data/Intensities",
        "Data/Intensities/BaseCalls",
        "Data/Intensities/BaseCalls/P1",
        "Data/Intensities/BaseCalls/P1/A1",
        "Unaligned/L001",
        "Unaligned/Project_P1/Sample_A1",
        "Fastq",
        "Analysis/1/Data/BCLConvert/fastq",
        "Alignment_1/20200101_120000/Fastq",
        "Images/P1",
        "4_QC/sequencing_stats",
    ],
)
def test_folders_where_fastqs_or_metadata_may_lie_are_walked(folder):
    assert not is_pruned(folder)


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (["4_QC/sequencing_stats/RunInfo.xml", "Reports/RunInfo.xml", "RunInfo.xml"], "RunInfo.xml"),
        (["Reports/RunInfo.xml", "4_QC/sequencing_stats/RunInfo.xml"], "4_QC/sequencing_stats/RunInfo.xml"),
        (["SampleSheet_old.csv", "SampleSheet.csv", "SampleSheet_v2.csv"], "SampleSheet.csv"),
        (["Reports/SampleSheet.csv", "SampleSheet.csv"], "SampleSheet.csv"),
        (["SampleSheet_b.csv", "SampleSheet_a.csv"], "SampleSheet_a.csv"),
        ([], None),
    ],
)
def test_the_metadata_file_nearest_to_the_run_counts(paths, chosen):
    file = choose_metadata([FoundFile(path, 1, 1) for path in paths])
    assert (file and file.path) == chosen


def test_among_equal_sheets_the_newest_counts():
    assert choose_metadata(
        [FoundFile("SampleSheet_1.csv", 1, 5), FoundFile("SampleSheet_2.csv", 1, 9)]
    ) == FoundFile("SampleSheet_2.csv", 1, 9)


BASE = "Data/Intensities/BaseCalls"


@pytest.mark.parametrize(
    ("name", "paths", "a_sheet", "pattern"),
    [
        (
            "archive",
            ["0_fastq/A1_R1.fastq.gz", "0_fastq/A1_R2.fastq.gz", "0_fastq/B_2_R1.fastq.gz"],
            SHEET,
            "0_fastq/{sample_id}_{read}.fastq.gz",
        ),
        (
            "archive",
            ["0_fastq/A1_S1_L001_R1_001.fastq.gz", "0_fastq/B_2_S2_L001_R1_001.fastq.gz"],
            SHEET,
            "0_fastq/{sample_id}_S{number}_L{lane:03d}_{read}_001.fastq.gz",
        ),
        (
            "archive",
            ["0_fastq/A1_H3KLMBGXX_ACGTACGT_L001_R1.fastq.gz"],
            SHEET,
            "0_fastq/{sample_id}_H3KLMBGXX_{index}_L{lane:03d}_{read}.fastq.gz",
        ),
        (
            "bcl2fastq",
            [f"{BASE}/P1/A1_S1_L001_R1_001.fastq.gz", f"{BASE}/P2/B_2_S2_L001_R1_001.fastq.gz"],
            SHEET,
            BASE + "/{project}/{sample_id}_S{number}_L{lane:03d}_{read}_001.fastq.gz",
        ),
        (
            "bcl2fastq",
            [f"{BASE}/A1_S1_L001_R1_001.fastq.gz", f"{BASE}/Undetermined_S0_L001_R1_001.fastq.gz"],
            SHEET,
            BASE + "/{sample_id}_S{number}_L{lane:03d}_{read}_001.fastq.gz",
        ),
        (
            "bcl2fastq",
            ["Unaligned/Project_P1/Sample_A1/A1_ACGTACGT_L001_R1_001.fastq.gz"],
            SHEET,
            "Unaligned/Project_{project}/Sample_{sample_id}/"
            "{sample_id}_{index}_L{lane:03d}_{read}_001.fastq.gz",
        ),
        (
            "bcl2fastq",
            ["Fastq/P1/A1_S1_R1_001.fastq.gz", "Fastq/P2/B_2_S2_R1_001.fastq.gz"],
            SHEET,
            "Fastq/{project}/{sample_id}_S{number}_{read}_001.fastq.gz",
        ),
        (
            "on-board",
            ["Analysis/1/Data/BCLConvert/fastq/A1_S1_L001_R1_001.fastq.gz"],
            SHEET,
            "Analysis/1/Data/BCLConvert/fastq/{sample_id}_S{number}_L{lane:03d}_{read}_001.fastq.gz",
        ),
        (
            "bcl2fastq",
            ["A1_S1_L001_R1_001.fastq.gz"],
            SHEET,
            "{sample_id}_S{number}_L{lane:03d}_{read}_001.fastq.gz",
        ),
    ],
)
def test_the_layout_is_learnt_from_the_fastqs_that_are_there(name, paths, a_sheet, pattern):
    layout = recognise_layout(paths, a_sheet, run_info())
    assert (layout.name, layout.pattern) == (name, pattern)


def test_bcl2fastq_gives_named_samples_a_folder_and_the_others_none():
    layout = recognise_layout([f"{BASE}/P1/A1_S1_L001_R1_001.fastq.gz"], SHEET, run_info())
    assert layout.named_pattern.startswith(BASE + "/{project}/{sample_id}/{sample_name}_S")
    layout = recognise_layout([f"{BASE}/P1/A1/Anna_S1_L001_R1_001.fastq.gz"], NAMED, run_info())
    assert layout.pattern.startswith(BASE + "/{project}/{sample_id}_S")


def test_the_last_analysis_on_board_counts():
    folder = "Analysis/{}/Data/BCLConvert/fastq/A1_S1_L001_R1_001.fastq.gz"
    layout = recognise_layout([folder.format(n) for n in (1, 2, 10, 9)], SHEET, run_info())
    assert layout.folder == "Analysis/10/Data/BCLConvert/fastq"


def test_an_id_that_looks_like_a_number_or_a_lane_is_still_an_id():
    a_sheet = sheet("Sample_ID,index", "Skin_S1,ACGTACGT", "Skin_L002,TTTTACGT")
    layout = recognise_layout(["0_fastq/Skin_S1_R1.fastq.gz"], a_sheet, run_info())
    assert layout.pattern == "0_fastq/{sample_id}_{read}.fastq.gz"
    layout = recognise_layout(["0_fastq/Skin_L002_R1.fastq.gz"], a_sheet, run_info())
    assert layout.pattern == "0_fastq/{sample_id}_{read}.fastq.gz"


@pytest.mark.parametrize(
    ("a_sheet", "instrument", "metadata", "pattern"),
    [
        (SHEET, "NS500318", [], BASE + "/{project}/{sample_id}_S{number}_L{lane:03d}_{read}_001.fastq.gz"),
        (
            SHEET,
            "NS500318",
            ["4_QC/sequencing_stats/RunInfo.xml"],
            "0_fastq/{sample_id}_{read}.fastq.gz",
        ),
        (
            sheet("Sample_ID,index", "A1,ACGTACGT", family=V2),
            "LH00217",
            [],
            "Analysis/1/Data/BCLConvert/fastq/{sample_id}_S{number}_L{lane:03d}_{read}_001.fastq.gz",
        ),
        (
            sheet("Sample_ID,index", "A1,ACGTACGT", family=V2, settings="NoLaneSplitting,true"),
            "A01934",
            [],
            BASE + "/{sample_id}_S{number}_{read}_001.fastq.gz",
        ),
        (
            None,
            "NS500318",
            [],
            BASE + "/{project}/{sample_id}_S{number}_L{lane:03d}_{read}_001.fastq.gz",
        ),
    ],
)
def test_where_no_fastq_is_found_the_sheet_makes_a_layout_likely(a_sheet, instrument, metadata, pattern):
    layout = recognise_layout([], a_sheet, run_info(instrument=instrument), metadata_paths=metadata)
    assert layout.pattern == pattern


def test_a_labs_own_pattern_comes_first():
    own = "reads/{project}/{sample_id}.{read_number}.fastq.gz"
    layout = recognise_layout(["reads/P1/A1.1.fastq.gz"], SHEET, run_info(), [own])
    assert layout.pattern == own
    name = layout.read_name("reads/P1/A1.2.fastq.gz")
    assert (name.sample, name.read, name.lane) == ("A1", "R2", None)
    assert layout.read_name("0_fastq/A1_S1_L003_R1_001.fastq.gz").lane == 3


def test_what_is_no_lane_of_any_flow_cell_is_not_read_as_one():
    own = "reads/{sample_id}_{lane}_{read}.fastq.gz"
    layout = recognise_layout([], SHEET, run_info(), [own])
    assert layout.read_name("reads/A1_2_R1.fastq.gz").lane == 2
    for path in ("reads/A1_99999_R1.fastq.gz", "reads/A1_S1_L99999_R1_001.fastq.gz"):
        assert layout.read_name(path).lane is None


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("reads/{sample_id}_{read}.fq.gz", ""),
        ("reads/{sample}_{read}.fq.gz", "{sample} is not a field"),
        ("reads/{sample_id.__class__}.fq.gz", "{sample_id.__class__} is not a field"),
        ("reads/{sample_id_{read}.fq.gz", "braces"),
        ("/reads/{sample_id}.fq.gz", "inside the run folder"),
        ("../{sample_id}.fq.gz", "inside the run folder"),
        ("reads/{read}.fq.gz", "no sample"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_explained(pattern, problem):
    assert (problem in pattern_problem(pattern)) if problem else pattern_problem(pattern) == ""
