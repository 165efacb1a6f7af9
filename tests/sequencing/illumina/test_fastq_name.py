"""Names of FASTQ files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencing.illumina.fastq_name import FastqName, fastq_name, parse_fastq_name

NAMES = {
    "NA12878_S1_L001_R1_001.fastq.gz": FastqName("NA12878", 1, 1, "R1", 1),
    "NA12878_S12_R2_001.fastq.gz": FastqName("NA12878", 12, None, "R2", 1),
    "Undetermined_S0_L004_I1_001.fastq.gz": FastqName("Undetermined", 0, 4, "I1", 1),
    "a_S1_L001_S2_L002_R1_001.fastq.gz": FastqName("a_S1_L001", 2, 2, "R1", 1),
    "NA12878_R1.fastq.gz": FastqName("NA12878", None, None, "R1", None),
    "NA_12_878_L002_R2.fastq.gz": FastqName("NA_12_878", None, 2, "R2", None),
    "NA12878_HGVMTBGX5_ACGTACGT-TTGGCCAA_L001_R1.fastq.gz": FastqName(
        "NA12878", None, 1, "R1", None, "HGVMTBGX5", "ACGTACGT-TTGGCCAA"
    ),
    "a_b_000000000-A69NA_ACGTACGT_L001_R2.fastq.gz": FastqName(
        "a_b", None, 1, "R2", None, "000000000-A69NA", "ACGTACGT"
    ),
    "NA10831_ATCACG_L002_R1_001.fastq.gz": FastqName("NA10831", None, 2, "R1", 1, "", "ATCACG"),
    "NA10831_NoIndex_L002_R1_001.fastq.gz": FastqName("NA10831", None, 2, "R1", 1, "", "NoIndex"),
    "lane1_Undetermined_L001_R1_001.fastq.gz": FastqName("lane1", None, 1, "R1", 1, "", "Undetermined"),
    "NA12878_S1_L001_R1_001.fastq": FastqName("NA12878", 1, 1, "R1", 1),
    "NA12878_S1_L001_R1_001.fastq.ora": FastqName("NA12878", 1, 1, "R1", 1),
    "NA12878_S1_L001_R1_001.fq.gz": FastqName("NA12878", 1, 1, "R1", 1),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_of_a_fastqs_name_are_known(name):
    assert parse_fastq_name(name) == NAMES[name]


@pytest.mark.parametrize(
    "name",
    ["", "NA12878.bam", "_S1_L001_R1_001.fastq.gz", "_R1.fastq.gz", "reads.fastq.gz", "a/b_R1.fastq.gz",
     "NA12878_S1_L001_R1_001.fastq.gz.md5", "NA12878_R1.fastq.gz\n", "a" * 300 + "_R1.fastq.gz"],
)  # fmt: skip
def test_what_is_no_fastq_is_none(name):
    assert parse_fastq_name(name) is None


@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,30}", fullmatch=True),
    st.integers(0, 9999),
    st.none() | st.integers(1, 8),
    st.sampled_from(["R1", "R2", "I1", "I2"]),
)
def test_a_name_that_a_converter_gives_is_read_back(sample, number, lane, read):
    assert parse_fastq_name(fastq_name(sample, number, lane, read)) == FastqName(
        sample, number, lane, read, 1
    )


@given(st.text())
def test_the_sample_is_always_a_beginning_of_the_name(text):
    name = text + "_R1.fastq.gz"
    parts = parse_fastq_name(name)
    assert parts is None or (parts.sample and name.startswith(parts.sample))
