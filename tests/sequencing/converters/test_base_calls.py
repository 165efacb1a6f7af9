"""The writer of base calls writes the same run every time, and what it says of it is true."""

import gzip
import struct

from sequencing.demo import DemoRun, clusters_of, write_barcoded_run


def test_the_same_run_is_written_twice(tmp_path):
    one, other = (write_barcoded_run(tmp_path / name, samples=2) for name in ("one", "other"))
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    assert all((one / path).read_bytes() == (other / path).read_bytes() for path in files)


def test_a_cycle_holds_one_base_of_each_cluster(tmp_path):
    run = write_barcoded_run(tmp_path, samples=2, reads_per_sample=5, unassigned=3)
    clusters = list(clusters_of(DemoRun(samples=2, cycles=26), 1, 5, 3))
    folder = run / "Data/Intensities/BaseCalls/L001"
    assert len(list(folder.glob("C*.1"))) == 26 + 10 + 10 + 26
    content = gzip.decompress((folder / "C27.1/s_1_1101.bcl.gz").read_bytes())
    assert struct.unpack("<I", content[:4]) == (len(clusters),)
    assert ["ACGT"[byte & 3] for byte in content[4:]] == [cluster.reads[1][0] for cluster in clusters]
    flags = (folder / "s_1_1101.filter").read_bytes()[12:]
    assert [bool(flag) for flag in flags] == [cluster.passes for cluster in clusters]


def test_samples_of_other_lanes_have_no_clusters():
    run = DemoRun(samples=2, cycles=26, lanes=2)
    assert {c.sample.sample_id for c in clusters_of(run, 2, {"26W0031-01": 2}) if c.sample and c.passes} == {
        "26W0031-01"
    }
