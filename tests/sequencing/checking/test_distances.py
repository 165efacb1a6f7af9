"""Which samples of a lane a converter could take for one another, by the distances of their indexes."""

import random
from itertools import combinations

import pytest
from sheets import sheet

from sequencing.checking import LaneIndexes, distances
from sequencing.checking.distances import (
    MOST_CLOSEST,
    MOST_COLLISIONS,
    MOST_IN_A_LANE,
    collision_problems,
    lanes_of_sheet,
    problems_of_one_index,
)

LANES = "Lane,Sample_ID,index,index2"


def only_lane(*rows: str, **options: str) -> LaneIndexes:
    (lane,) = lanes_of_sheet(sheet(*rows, **options))
    return lane


def colliding(lane: LaneIndexes) -> list[tuple[str, str]]:
    return [(pair.first.sample_id, pair.second.sample_id) for pair in lane.collisions]


@pytest.mark.parametrize(
    ("settings", "second", "collides"),
    [
        ("", "ACGTACGA,TTTTTTTT", True),  # 1 + 0
        ("", "ACGTACAA,TTTTTTAA", True),  # 2 + 2: a read in the middle has one mismatch to each
        ("", "ACGTAAAA,TTTTTTTT", False),  # 3 + 0
        ("", "ACGTACGT,TTTTTAAA", False),  # 0 + 3
        ("", "ACGTACGT,TTTTTTAA", True),  # 0 + 2
        ("BarcodeMismatchesIndex1,0", "ACGTACGA,TTTTTTTT", False),
        ("BarcodeMismatchesIndex1,0", "ACGTACGT,TTTTTTTA", True),
        ("BarcodeMismatchesIndex1,0\nBarcodeMismatchesIndex2,0", "ACGTACGT,TTTTTTTA", False),
        ("BarcodeMismatchesIndex1,2", "ACGTAAAA,TTTTTTTT", True),  # 3 is now too few
        ("BarcodeMismatchesIndex1,2", "ACGTAACC,TTTTTTTA", True),  # 4 + 1
        ("BarcodeMismatchesIndex1,many", "ACGTACGA,TTTTTTTT", True),  # no number: 1, as without
    ],
)
def test_two_samples_collide_where_one_read_can_belong_to_both(settings, second, collides):
    lane = only_lane("A,ACGTACGT,TTTTTTTT", f"B,{second}", settings=settings)
    assert colliding(lane) == ([("A", "B")] if collides else [])


def test_mismatches_told_on_a_row_count_for_that_row():
    columns = "Sample_ID,index,BarcodeMismatchesIndex1"
    assert colliding(only_lane("A,ACGTACGT,0", "B,ACGTACGA,0", columns=columns)) == []
    assert colliding(only_lane("A,ACGTACGT,1", "B,ACGTACGA,0", columns=columns)) == [("A", "B")]
    assert colliding(only_lane("A,ACGTACGT,1", "B,ACGTACAA,0", columns=columns)) == []


def test_an_n_is_a_letter_of_its_own():
    assert colliding(only_lane("A,ACGTACGT,", "B,NNNTACGT,")) == []
    assert colliding(only_lane("A,NNNNACGT,", "B,NNNNACGA,")) == [("A", "B")]


def test_several_indexes_of_one_sample_do_not_collide():
    lane = only_lane("A,ACGTACGT,", "A,ACGTACGA,", "B,TTTTTTTT,")
    assert colliding(lane) == []
    assert lane.least == 6


def test_indexes_of_several_lengths_are_compared_over_the_shorter_one():
    lane = only_lane("A,ACGTAC,", "B,ACGTACGT,", "C,ACGTTTGTAA,GG")
    assert lane.lengths == [((6, 0), 1), ((8, 0), 1), ((10, 2), 1)]
    assert {(pair.first.sample_id, pair.second.sample_id): pair.total for pair in lane.closest} == {
        ("A", "B"): 0,
        ("A", "C"): 2,
        ("B", "C"): 2,
    }


def test_each_lane_stands_for_itself_and_alike_ones_stand_together():
    same = [f"{lane},{row}" for lane in (1, 2, 4) for row in ("A,ACGTACGT,", "B,ACGTACGA,")]
    first, third = lanes_of_sheet(sheet(*same, "3,A,ACGTACGT,", "3,C,TTTTTTTT,", columns=LANES))
    assert (first.lanes, third.lanes) == ((1, 2, 4), (3,))
    assert (len(first.collisions), len(third.collisions)) == (1, 0)
    (problem,) = collision_problems([first, third])
    assert "(lanes 1, 2, 4)" in problem.message


def test_a_row_without_a_lane_is_in_every_lane():
    lanes = lanes_of_sheet(
        sheet("1,A,ACGTACGT,", "2,B,TTTTTTTT,", ",C,ACGTACGA,", columns="Lane,Sample_ID,index,index2")
    )
    assert [(lane.lanes, colliding(lane)) for lane in lanes] == [((1,), [("A", "C")]), ((2,), [])]


def test_names_of_index_sets_are_told_and_not_compared():
    lane = only_lane("A,SI-GA-A1,", "B,SI-TT-A1,SI-TT-A1", "C,ACGT ACGT,", "D,ACGTACGT,")
    assert [text for _row, text in lane.no_sequences] == ["SI-GA-A1", "SI-TT-A1", "ACGT ACGT"]
    assert [barcode.sample_id for barcode in lane.barcodes] == ["D"]
    assert lane.least is None


def test_a_text_too_long_for_an_index_is_none():
    lane = only_lane(f"A,{'ACGT' * 26},", "B,ACGTACGT,")
    assert lane.no_sequences[0][1].startswith("ACGTACGT")
    assert len(lane.barcodes) == 1


def test_a_sheet_without_indexes_or_without_rows_has_nothing_to_compare():
    assert only_lane("A,,", "B,,").barcodes == ()
    assert only_lane("A", columns="Sample_ID").least is None


def differing(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one, other, strict=False))


@pytest.mark.parametrize("seed", range(5))
def test_the_closest_pairs_and_the_collisions_are_those_of_a_plain_comparison(seed):
    dice = random.Random(seed)
    rows = [("".join(dice.choices("ACGTN", k=6)), "".join(dice.choices("AC", k=4))) for _ in range(90)]
    lane = only_lane(*(f"S{n},{index},{index2}" for n, (index, index2) in enumerate(rows)))
    wanted = {
        (f"S{m}", f"S{n}"): (differing(one[0], two[0]), differing(one[1], two[1]))
        for (m, one), (n, two) in combinations(enumerate(rows), 2)
    }
    matrix = [pair for pairs in distances(lane.barcodes) for pair in pairs]
    assert {
        (pair.first.sample_id, pair.second.sample_id): (pair.distance, pair.distance2) for pair in matrix
    } == wanted
    near = {pair for pair, (one, two) in wanted.items() if one <= 2 and two <= 2}
    assert set(colliding(lane)) == near
    assert lane.least == min(map(sum, wanted.values()))
    others = sorted(sum(pair) for names, pair in wanted.items() if names not in near)
    room = MOST_CLOSEST - min(len(near), MOST_CLOSEST)
    assert [pair.total for pair in lane.closest if not pair.collides] == others[:room]


def test_each_row_that_collides_has_one_problem_with_place_and_remedy():
    lanes = lanes_of_sheet(
        sheet("A,ACGTACGT,TTTTTTTT", "B,ACGTACGA,TTTTTTTT", "C,ACGTACGC,TTTTTTTT", "D,GGGGGGGG,AAAAAAAA")
    )
    second, third = collision_problems(lanes)
    assert (second.row, second.column, second.text) == (9, "index", "ACGTACGA+TTTTTTTT")
    assert "differs from that of A on row 8 in 1 + 0 bases" in second.message
    assert third.row == 10
    assert "BarcodeMismatchesIndex1" in third.remedy


def test_equal_indexes_are_left_to_the_problem_that_they_have_already():
    (lane,) = lanes_of_sheet(sheet("A,ACGTACGT,", "B,ACGTACGT,"))
    assert colliding(lane) == [("A", "B")]
    assert list(collision_problems([lane])) == []


def test_an_index_that_is_close_alone_is_told_once_for_each_of_the_two():
    rows = ("A,AACCTTAT,TTTTTTTT", "B,AACCATAG,GGGGGGGG", "C,CCCCCCCC,GGGGGGGA", "D,GGTTGGTT,CCCCCCCC")
    lanes = lanes_of_sheet(sheet(*rows))
    first, second = problems_of_one_index(lanes)
    assert (first.column, first.row, second.column, second.row) == ("index", 9, "index2", 10)
    assert "older versions of BCL Convert" in first.message
    assert list(problems_of_one_index(lanes_of_sheet(sheet("A,AACCTTAT,", "B,GGGGATAG,")))) == []


def test_eight_lanes_of_384_index_pairs_are_all_compared():
    assert all(lane.least is not None for lane in random_lanes(384, 8))


def test_more_than_can_be_compared_in_time_is_said_and_not_compared():
    [lane] = random_lanes(MOST_IN_A_LANE + 1, 1)
    assert "too many to compare" in lane.not_compared
    many = random_lanes(1500, 8)
    assert [bool(lane.not_compared) for lane in many] == [False, False] + 6 * [True]


def test_indexes_that_all_collide_are_not_compared_to_the_end():
    rows = [f"S{n},ACGTACGT{n % 4 * 'A'}," for n in range(MOST_IN_A_LANE)]
    lane = only_lane(*rows)
    assert (len(lane.collisions), lane.has_more) == (MOST_COLLISIONS, True)


def random_lanes(count: int, lanes: int) -> list[LaneIndexes]:
    """So many random index pairs in each lane, compared."""
    dice = random.Random(count)
    rows = [
        f"{lane},S{lane}_{n},{''.join(dice.choices('ACGT', k=10))},{''.join(dice.choices('ACGT', k=10))}"
        for lane in range(1, lanes + 1)
        for n in range(count)
    ]
    return lanes_of_sheet(sheet(*rows, columns=LANES))
