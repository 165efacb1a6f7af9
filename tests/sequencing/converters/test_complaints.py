"""Which of a program's many words tell a person why it failed: as real programs said them."""

import pytest

from sequencing.converters.complaints import reason_in, tells_of_no_space

DAMAGED = """\
ERROR\t2026-11-22 01:30:26\tExtractIlluminaBarcodes\tError processing tile 1101
htsjdk.samtools.util.RuntimeIOException: Error reading BCL. Offending file: s_1_1101.bcl.gz
\tat picard.illumina.parser.readers.BclReader.advance(BclReader.java:261)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.io.EOFException: Unexpected end of ZLIB input stream
\tat java.base/java.util.zip.InflaterInputStream.fill(InflaterInputStream.java:244)
\t... 14 more
INFO\t2026-11-22 01:30:26\tExtractIlluminaBarcodes\tProcessed 1 tiles.
ERROR\t2026-11-22 01:30:26\tExtractIlluminaBarcodes\tAbandoning metrics calculation.
[Sun Nov 22 01:30:26 UTC 2026] picard.illumina.ExtractIlluminaBarcodes done. Elapsed time: 0.00 minutes.
Runtime.totalMemory()=398458880
To get help, see http://broadinstitute.github.io/picard/index.html#GettingHelp
"""

FULL = """\
Exception in thread "main" htsjdk.samtools.util.RuntimeIOException: Write error
\tat picard.illumina.IlluminaBasecallsToFastq.doWork(IlluminaBasecallsToFastq.java:1)
Caused by: htsjdk.samtools.SAMException: closing failed
\tat htsjdk.Writer.close(Writer.java:1)
Caused by: java.io.IOException: No space left on device
\t... 15 more
"""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", ""),
        ("reading\nfinal words\n\n", "final words"),
        (
            DAMAGED,
            "htsjdk.samtools.util.RuntimeIOException: Error reading BCL. Offending file: s_1_1101.bcl.gz"
            " Caused by: java.io.EOFException: Unexpected end of ZLIB input stream",
        ),
        (FULL, "Caused by: java.io.IOException: No space left on device"),
        (
            'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(B.java:1)\n',
            'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space',
        ),
        (
            'Exception in thread "main" java.lang.Error: cut off\n',
            'Exception in thread "main" java.lang.Error: cut off',
        ),
        (
            "A: one\n\tat a.B(B.java:1)\nCaused by: B: two\n\tat a.B(B.java:1)\nC: three\n\tat a.B(B.java:1)",
            "C: three",
        ),
        (
            "2026-03-01T12:00:00Z thread 7 ERROR: Sample sheet has no lane 9\nShutting down\n",
            "2026-03-01T12:00:00Z thread 7 ERROR: Sample sheet has no lane 9",
        ),
        ("bcl2fastq: error: unknown option\nSee --help\n", "bcl2fastq: error: unknown option"),
        ("0 errors so far\nfinished badly\n", "finished badly"),
        ("odd \x1b[31mname\u202e\n", "odd \\x1b[31mname\\u202e"),
        ("\tat a.B.c(B.java:1)\n\t... 3 more\n", ""),
    ],
)
def test_the_line_that_says_why_is_quoted(said, reason):
    assert reason_in(said) == reason


def test_a_long_line_is_cut():
    assert len(reason_in("x" * 10_000)) == 500


def test_a_full_disk_and_a_full_quota_are_known_by_their_words():
    assert tells_of_no_space(FULL)
    assert tells_of_no_space("write: Disk quota exceeded")
    assert not tells_of_no_space(DAMAGED)
