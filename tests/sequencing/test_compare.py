"""What changed between one look at a run folder and the next."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_run import V2, files, recorded, run_info, scan, sheet, states

from sequencing.compare import compare
from sequencing.expected import RunFacts, expected_files
from sequencing.illumina.sample_sheet import parse_sample_sheet
from sequencing.layout import FILE_TYPES, FileType, FoundFile, recognise_layout

COLUMNS = "Sample_ID,Sample_Name,index,Sample_Project,Description"
A1, B2 = "A1,A1,ACGTACGT,P1,first", "B2,B2,CCCCACGT,P1,second"
SHEET = sheet(COLUMNS, A1, B2)
BASE = "Data/Intensities/BaseCalls"
ARCHIVE = [f"0_fastq/{sample}_{read}.fastq.gz" for sample in ("A1", "B2") for read in ("R1", "R2")]
NATIVE = [
    f"{BASE}/P1/{name}_L001_{read}_001.fastq.gz" for name in ("A1_S1", "B2_S2") for read in ("R1", "R2")
]


def first_scan(paths=NATIVE, a_sheet=SHEET, **options):
    return recorded(scan(a_sheet, files(*paths), **options))


def by_state(comparison, known=()):
    """Files of each state, once the comparison is written."""
    return Counter(states(recorded(comparison, known)).values())


def by_pk(known):
    return {one.pk: one.record for one in known}


# ---- Every layout is found ----


@pytest.mark.parametrize(
    "paths",
    [
        NATIVE,
        ARCHIVE,
        [f"{BASE}/{name}_L001_{r}_001.fastq.gz" for name in ("A1_S1", "B2_S2") for r in ("R1", "R2")],
        [f"0_fastq/{name}_L001_{r}_001.fastq.gz" for name in ("A1_S1", "B2_S2") for r in ("R1", "R2")],
        [f"0_fastq/{name}_{r}_001.fastq.gz" for name in ("A1_S1", "B2_S2") for r in ("R1", "R2")],
        [
            f"0_fastq/{s}_H3KLMBGXX_{index}_L001_{r}.fastq.gz"
            for s, index in (("A1", "ACGTACGT"), ("B2", "CCCCACGT"))
            for r in ("R1", "R2")
        ],
        [f"Unaligned/P1/{name}_L001_{r}_001.fastq.gz" for name in ("A1_S1", "B2_S2") for r in ("R1", "R2")],
        [
            f"Unaligned/Project_P1/Sample_{s}/{s}_{index}_L001_{r}_001.fastq.gz"
            for s, index in (("A1", "ACGTACGT"), ("B2", "CCCCACGT"))
            for r in ("R1", "R2")
        ],
        [f"Fastq/{name}_L001_{r}_001.fastq.gz" for name in ("A1_S1", "B2_S2") for r in ("R1", "R2")],
        [
            f"Analysis/2/Data/BCLConvert/fastq/{name}_L001_{r}_001.fastq.gz"
            for name in ("A1_S1", "B2_S2")
            for r in ("R1", "R2")
        ],
        [*ARCHIVE[:2], *NATIVE[2:]],
    ],
)
def test_fault_8_illuminas_own_names_and_all_layouts_are_found(paths):
    comparison = scan(SHEET, files(*paths))
    assert (comparison.files_expected, comparison.files_found, comparison.problems) == (4, 4, [])
    assert by_state(comparison) == {"complete": 4}
    assert sorted(record.path for record in comparison.new) == sorted(paths)
    assert all(record.sample and record.is_expected for record in comparison.new)


def test_four_lanes_of_a_nextseq_are_found_split_and_unsplit():
    split = [f"{BASE}/A1_S1_L00{lane}_{read}_001.fastq.gz" for lane in (1, 2, 3, 4) for read in ("R1", "R2")]
    merged = [f"{BASE}/A1_S1_R1_001.fastq.gz", f"{BASE}/A1_S1_R2_001.fastq.gz"]
    a_sheet, info = sheet(COLUMNS, A1), run_info(lanes=4)
    assert by_state(scan(a_sheet, files(*split), info=info)) == {"complete": 8}
    assert by_state(scan(a_sheet, files(*merged), info=info)) == {"complete": 2}
    assert by_state(scan(a_sheet, files(*split[:-1]), info=info)) == {"complete": 7, "non_existent": 1}


def test_one_file_for_all_lanes_fills_them_where_other_samples_are_split():
    a_sheet, info = sheet(COLUMNS, A1, B2), run_info((151, -8), lanes=2)
    paths = [f"x/A1_S1_L00{lane}_R1_001.fastq.gz" for lane in (1, 2)]
    comparison = scan(a_sheet, files(*paths, "x/B2_S2_R1_001.fastq.gz"), info=info)
    assert (comparison.files_expected, comparison.files_found) == (3, 3)
    comparison = scan(a_sheet, files("x/B2_S2_L001_R1_001.fastq.gz", "x/A1_S1_R1_001.fastq.gz"), info=info)
    assert by_state(comparison) == {"complete": 2, "non_existent": 1}


def test_names_altered_by_the_instrument_are_found():
    a_sheet = sheet(COLUMNS, "A_1,A_1,ACGTACGT,P1,", "B2,B_2,CCCCACGT,P1,")
    paths = [f"{BASE}/{name}_L001_{r}_001.fastq.gz" for name in ("A-1_S1", "B-2_S2") for r in ("R1", "R2")]
    assert by_state(scan(a_sheet, files(*paths))) == {"complete": 4}


def test_one_name_in_two_projects_is_told_by_its_folder():
    a_sheet = sheet(COLUMNS, "1,X,ACGTACGT,P1,", "2,X,CCCCACGT,P2,")
    paths = [
        f"Fastq/{p}/X_S{n}_L001_{r}_001.fastq.gz" for p, n in (("P1", 8), ("P2", 9)) for r in ("R1", "R2")
    ]
    comparison = scan(a_sheet, files(*paths))
    assert {(r.path, r.sample[1]) for r in comparison.new} == set(
        zip(paths, ["1", "1", "2", "2"], strict=True)
    )


def test_an_id_that_ends_like_a_number_is_not_another_sample():
    a_sheet = sheet(COLUMNS, "Skin_S1,,ACGTACGT,,", "Skin_S2,,CCCCACGT,,")
    paths = [f"0_fastq/Skin_S{n}_{read}.fastq.gz" for n in (1, 2) for read in ("R1", "R2")]
    comparison = scan(a_sheet, files(*paths))
    assert {(r.path, r.sample[1]) for r in comparison.new} == {(path, path[8:15]) for path in paths}


# ---- Missing, deleted, changed ----


def test_fault_4_a_missing_r2_is_not_complete_because_r1_is_there():
    comparison = scan(SHEET, files(*ARCHIVE[:3]))
    assert states(recorded(comparison)) == {
        **dict.fromkeys(ARCHIVE[:3], "complete"),
        ARCHIVE[3]: "non_existent",
    }
    assert (comparison.files_expected, comparison.files_found) == (4, 3)


@pytest.mark.parametrize("paths", [NATIVE, ARCHIVE])
def test_fault_4_deleted_fastqs_become_deleted_and_stay_so(paths):
    known = first_scan(paths)
    comparison = scan(SHEET, files(*paths[1:]), known)
    assert comparison.vanished == paths[:1]
    known = recorded(comparison, known)
    assert states(known) == {paths[0]: "deleted", **dict.fromkeys(paths[1:], "complete")}
    assert not scan(SHEET, files(*paths[1:]), known).has_changes
    back = scan(SHEET, files(*paths), known)
    assert (back.appeared, by_state(back, known)) == (paths[:1], {"complete": 4})


def test_all_fastqs_deleted_are_deleted_and_nothing_new_is_asked_for():
    known = first_scan(ARCHIVE)
    comparison = scan(SHEET, [], known)
    assert states(recorded(comparison, known)) == dict.fromkeys(ARCHIVE, "deleted")
    assert (comparison.files_expected, comparison.files_found, comparison.bytes_total) == (4, 0, 0)


def test_merged_lanes_that_are_deleted_do_not_ask_for_every_lane():
    info = run_info((151, -8), lanes=4)
    merged = ["0_fastq/A1_S1_R1_001.fastq.gz", "0_fastq/B2_S2_R1_001.fastq.gz"]
    known = first_scan(merged, info=info)
    wants = expected_files(RunFacts(info, SHEET), recognise_layout([], SHEET, info))
    assert len(wants) == 8
    comparison = compare(wants, [], known, samples=SHEET.samples)
    assert states(recorded(comparison, known)) == dict.fromkeys(merged, "deleted")
    assert comparison.files_expected == 2


def test_promise_42_a_file_overwritten_in_place_is_noticed():
    known = first_scan()
    newer = [*files(*NATIVE[1:]), *files(NATIVE[0], mtime_ns=8)]
    comparison = scan(SHEET, newer, known)
    assert (comparison.changed, comparison.appeared, comparison.vanished) == (NATIVE[:1], [], [])
    assert [record.mtime_ns for _pk, record in comparison.updated] == [8]
    other_size = [*files(*NATIVE[1:]), *files(NATIVE[0], size=999)]
    assert scan(SHEET, other_size, known).changed == NATIVE[:1]


def test_a_renamed_file_keeps_its_row():
    known = first_scan()
    comparison = scan(SHEET, files(*ARCHIVE), known)
    assert (comparison.appeared, comparison.vanished) == (ARCHIVE, NATIVE)
    assert (len(comparison.updated), comparison.new, comparison.forgotten) == (4, [], [])


def test_while_the_instrument_runs_files_are_running_then_missing():
    known = recorded(scan(SHEET, [], is_sequencing=True))
    assert Counter(states(known).values()) == {"running": 4}
    known = recorded(scan(SHEET, [], known), known)
    assert Counter(states(known).values()) == {"non_existent": 4}


def test_controls_are_skipped_while_absent_and_never_missed():
    control = re.compile("B2")
    comparison = scan(SHEET, files(*ARCHIVE[:2]), control_pattern=control)
    assert by_state(comparison) == {"complete": 2, "skipped": 2}
    assert (comparison.files_expected, comparison.files_found) == (2, 2)
    known = recorded(comparison)
    comparison = scan(SHEET, files(*ARCHIVE), known, control_pattern=control)
    assert (by_state(comparison, known), comparison.files_expected) == ({"complete": 4}, 2)


# ---- An edited sheet ----


def test_fault_7_an_edited_index_or_description_changes_nothing():
    known = first_scan()
    edited = sheet(COLUMNS, "A1,A1,GGGGGGGG,P1,first", "B2,B2,CCCCACGT,P1,another text")
    assert not scan(edited, files(*NATIVE), known).has_changes


def test_fault_7_a_reordered_sheet_detaches_no_file():
    known = first_scan()
    assert not scan(sheet(COLUMNS, B2, A1), files(*NATIVE), known).has_changes


def test_a_reordered_sheet_renames_what_is_still_to_come_in_the_same_rows():
    known = recorded(scan(SHEET, []))
    comparison = scan(sheet(COLUMNS, B2, A1), [], known)
    assert (comparison.new, comparison.forgotten) == ([], [])
    assert {pk for pk, _record in comparison.updated} == {one.pk for one in known}
    assert {record.path for _pk, record in comparison.updated} == {
        f"{BASE}/P1/{name}_L001_{read}_001.fastq.gz" for name in ("A1_S2", "B2_S1") for read in ("R1", "R2")
    }


def test_a_sample_added_adds_its_files_and_touches_no_other():
    known = first_scan()
    comparison = scan(sheet(COLUMNS, "C3,C3,TTTTTTTT,P1,", A1, B2), files(*NATIVE), known)
    assert (len(comparison.new), comparison.updated, comparison.forgotten) == (2, [], [])


def test_a_sample_removed_leaves_its_files_as_unexpected_and_forgets_the_never_seen():
    known = first_scan(NATIVE[:3])
    comparison = scan(sheet(COLUMNS, A1), files(*NATIVE[:3]), known)
    assert [(r.path, r.is_expected, r.sample) for _pk, r in comparison.updated] == [(NATIVE[2], False, None)]
    assert comparison.forgotten == [one.pk for one in known if one.record.path == NATIVE[3]]
    assert (comparison.files_expected, comparison.files_found, comparison.files_total) == (2, 2, 3)


def test_a_deleted_file_stays_deleted_when_its_sample_is_removed():
    known = first_scan()
    known = recorded(scan(SHEET, files(*NATIVE[:2]), known), known)
    known = recorded(scan(sheet(COLUMNS, A1), files(*NATIVE[:2]), known), known)
    assert Counter(states(known).values()) == {"complete": 2, "deleted": 2}
    assert not scan(sheet(COLUMNS, A1), files(*NATIVE[:2]), known).has_changes


def test_names_that_change_owners_in_the_sheet_are_safe_for_unique_paths():
    before = sheet(COLUMNS, "1,X,ACGTACGT,P1,", "2,Y,CCCCACGT,P1,")
    after = sheet(COLUMNS, "1,Y,ACGTACGT,P1,", "2,X,CCCCACGT,P1,")
    paths = [f"{BASE}/{name}_L001_{r}_001.fastq.gz" for name in ("X_S1", "Y_S2") for r in ("R1", "R2")]
    for found in (files(*paths), files(*paths[:1]), []):
        known = recorded(scan(before, found))
        again = recorded(scan(after, found, known), known)
        assert not scan(after, found, again).has_changes


# ---- What nobody asked for ----


def test_unexpected_files_are_recorded_and_not_counted_as_found():
    others = [
        "0_fastq/Undetermined_S0_L001_R1_001.fastq.gz",
        "0_fastq/A1_I1.fastq.gz",
        "0_fastq/oddname.fastq.gz",
    ]
    comparison = scan(SHEET, files(*ARCHIVE, *others))
    found = {record.path: record for record in comparison.new}
    assert [found[path].is_expected for path in others] == [False] * 3
    assert [found[path].sample for path in others] == [None, ("P1", "A1"), None]
    assert (comparison.files_expected, comparison.files_found, comparison.files_total) == (4, 4, 7)
    assert comparison.problems == []


def test_a_second_file_for_one_slot_is_a_warning():
    comparison = scan(SHEET, files(*ARCHIVE, "old/A1_R1.fastq.gz"))
    assert [problem.code for problem in comparison.problems] == ["second_file"]
    assert "old/A1_R1.fastq.gz" in comparison.problems[0].message
    assert comparison.files_found == 4


def test_an_older_analysis_on_board_is_no_second_file():
    names = [f"{name}_L001_{r}_001.fastq.gz" for name in ("A1_S1", "B2_S2") for r in ("R1", "R2")]
    paths = [f"Analysis/{n}/Data/BCLConvert/fastq/{name}" for n in (1, 2) for name in names]
    comparison = scan(SHEET, files(*paths))
    assert {r.path for r in comparison.new if r.is_expected} == set(paths[4:])
    assert comparison.problems == []


def test_further_parts_of_an_old_converter_are_no_second_files():
    paths = [path.replace("_001.", "_002.") for path in NATIVE]
    comparison = scan(SHEET, files(*NATIVE, *paths))
    assert (comparison.files_found, comparison.files_total, comparison.problems) == (4, 8, [])


@pytest.mark.parametrize(
    ("size", "codes"), [(20, ["empty_fastq"]), (28, ["empty_fastq"]), (0, ["empty_fastq"]), (90, [])]
)
def test_a_fastq_without_reads_is_there_and_worth_a_warning(size, codes):
    comparison = scan(SHEET, [*files(*ARCHIVE[1:]), *files(ARCHIVE[0], size=size)])
    assert [problem.code for problem in comparison.problems] == codes
    assert comparison.files_found == 4


def test_promise_51_hostile_names_are_inert_in_problems():
    comparison = scan(SHEET, files(*ARCHIVE, "x\x1b[31m/A1_R1.fastq.gz"))
    assert "\x1b" not in "".join(map(str, comparison.problems))


# ---- Folders that could not be read ----


@pytest.mark.parametrize("unreadable", [("",), ("0_fastq",)])
def test_promise_37_nothing_below_an_unreadable_folder_is_called_missing(unreadable):
    known = first_scan(ARCHIVE[:3])
    comparison = scan(SHEET, [], known, unreadable=unreadable)
    assert not comparison.has_changes
    assert comparison.vanished == []


def test_promise_37_a_run_never_seen_before_that_is_partly_unreadable_misses_nothing():
    comparison = scan(SHEET, [], unreadable=("0_fastq",))
    assert (comparison.new, len(comparison.not_checked)) == ([], 4)
    comparison = scan(SHEET, files(*ARCHIVE[:2]), unreadable=("Fastq",))
    assert (by_state(comparison), len(comparison.not_checked)) == ({"complete": 2}, 2)


def test_promise_37_what_could_be_read_is_judged():
    known = first_scan(ARCHIVE)
    comparison = scan(SHEET, files(*ARCHIVE[1:]), known, unreadable=("1_BAM",))
    assert comparison.vanished == ARCHIVE[:1]


# ---- Further file types ----


def test_another_file_type_is_compared_alike():
    types = {**FILE_TYPES, "bam": FileType("bam", "BAM", (".bam",), "1_BAM/{sample_id}.hg38.bam")}
    layout = recognise_layout(ARCHIVE, SHEET, run_info())
    wants = expected_files(RunFacts(run_info(), SHEET), layout, file_types=types)
    found = [
        *files(*ARCHIVE),
        ("bam", FoundFile("1_BAM/A1.hg38.bam", 5, 5)),
        ("bam", FoundFile("1_BAM/old.bam", 5, 5)),
    ]
    comparison = compare(wants, found, [], samples=SHEET.samples, layout=layout, file_types=types)
    bams = {r.path: (r.state, r.is_expected) for r in comparison.new if r.file_type == "bam"}
    assert bams == {
        "1_BAM/A1.hg38.bam": ("complete", True),
        "1_BAM/B2.hg38.bam": ("non_existent", True),
        "1_BAM/old.bam": ("complete", False),
    }


# ---- Properties ----

IDS = ["A", "B", "A_1", "A-1", "A_S1", "A_L001", "NTC"]
samples = st.lists(
    st.tuples(
        st.sampled_from(IDS),
        st.sampled_from(["", "A", "N1"]),
        st.sampled_from(["", "P1", "P2"]),
        st.sampled_from(["", "1", "2"]),
    ),
    max_size=5,
    unique_by=lambda sample: (sample[0], sample[3]),
)


@st.composite
def sheets(draw):
    rows = [f"{lane},{sample},{name},ACGT,{project}" for sample, name, project, lane in draw(samples)]
    family = draw(st.sampled_from([V2, "[Header]\n[Settings]\n{settings}\n[Data]\n{rows}\n"]))
    made = family.format(
        settings="", rows="\n".join(["Lane,Sample_ID,Sample_Name,index,Sample_Project", *rows])
    )
    return parse_sample_sheet(made.encode())


names = st.builds(
    "{}{}{}{}{}.fastq.gz".format,
    st.sampled_from([*IDS, "N1", "Undetermined", "odd"]),
    st.sampled_from(["", "_S1", "_S2", "_ACGT"]),
    st.sampled_from(["", "_L001", "_L002"]),
    st.sampled_from(["_R1", "_R2", "_I1", ""]),
    st.sampled_from(["", "_001", "_002"]),
)
folders = st.sampled_from(
    ["", "0_fastq/", BASE + "/", BASE + "/P1/", BASE + "/P2/A/", "Analysis/1/", "Analysis/2/"]
)
founds = st.dictionaries(
    st.tuples(folders, names).map("".join),
    st.tuples(st.sampled_from([0, 20, 500]), st.integers(1, 3)),
    max_size=8,
).map(lambda found: [("fastq", FoundFile(path, *numbers)) for path, numbers in found.items()])
looks = st.fixed_dictionaries(
    {
        "a_sheet": sheets(),
        "found": founds,
        "is_sequencing": st.booleans(),
        "unreadable": st.sampled_from([(), (), (), ("0_fastq",), (BASE,), ("",)]),
    }
)
INFO = run_info((151, -8, 151), lanes=2)
CONTROL = re.compile("NTC")


@settings(max_examples=400, deadline=None)
@given(st.lists(looks, min_size=1, max_size=4))
def test_promise_43_scanning_twice_changes_nothing_whatever_came_before(history):
    known = []
    for look in history:
        known = recorded(scan(known=known, info=INFO, control_pattern=CONTROL, **look), known)
        again = scan(known=known, info=INFO, control_pattern=CONTROL, **look)
        assert not again.has_changes
        assert (again.appeared, again.vanished, again.changed) == ([], [], [])


@settings(max_examples=200, deadline=None)
@given(st.lists(looks, min_size=1, max_size=3))
def test_what_is_there_is_complete_and_what_is_complete_is_there(history):
    known = []
    for look in history:
        comparison = scan(known=known, info=INFO, control_pattern=CONTROL, **look)
        known = recorded(comparison, known)
        there = {file.path: (file.size, file.mtime_ns) for _kind, file in look["found"]}
        complete = {
            one.record.path: (one.record.size, one.record.mtime_ns)
            for one in known
            if one.record.state == "complete"
        }
        assert there.items() <= complete.items()
        if not look["unreadable"]:
            assert complete == there
            assert comparison.files_total == len(there)
        assert comparison.files_found <= comparison.files_expected


@settings(max_examples=100, deadline=None)
@given(looks, st.randoms(use_true_random=False))
def test_the_order_of_what_is_found_and_known_does_not_matter(look, random):
    known = recorded(scan(info=INFO, **look))
    one = scan(known=known, info=INFO, **look)
    shuffled_known, shuffled = known[:], look | {"found": look["found"][:]}
    random.shuffle(shuffled_known)
    random.shuffle(shuffled["found"])
    assert scan(known=shuffled_known, info=INFO, **shuffled) == one
