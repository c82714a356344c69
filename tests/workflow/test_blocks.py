"""Seed blocks: the wanted seeds are covered once, by what exists where it can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.blocks import Block, assign_blocks, block_name, block_seeds, list_blocks_on_disk

SEEDS = st.lists(st.integers(0, 40), unique=True, min_size=1, max_size=20)
EXISTING = st.lists(SEEDS.map(lambda seeds: tuple(sorted(seeds))), max_size=4)


@pytest.mark.parametrize(
    ("requested", "existing", "size", "blocks"),
    [
        ([0, 1, 2], [], 5, [((0, 1, 2), (0, 1, 2))]),
        ([0, 1, 2], [], 2, [((0, 1), (0, 1)), ((2,), (2,))]),
        ([0, 1, 2, 3], [(0, 1, 2)], 5, [((0, 1, 2), (0, 1, 2)), ((3,), (3,))]),
        ([0, 2], [(0, 1, 2)], 1, [((0, 1, 2), (0, 2))]),
        ([5, 6], [(0, 1, 2)], 5, [((5, 6), (5, 6))]),
        ([0, 1, 2], [(0, 1), (0, 1, 2)], 5, [((0, 1, 2), (0, 1, 2))]),
        ([0], [(0, 1), (0,)], 5, [((0,), (0,))]),
        ([0, 1, 2], [(0, 1), (1, 2)], 5, [((0, 1), (0, 1)), ((1, 2), (2,))]),
    ],
)
def test_known_assignments(requested, existing, size, blocks):
    assert assign_blocks(requested, existing=existing, size=size) == [Block(*block) for block in blocks]


@given(requested=SEEDS, existing=EXISTING, size=st.integers(1, 7))
def test_every_wanted_seed_is_covered_once_and_new_blocks_hold_only_what_is_missing(requested, existing, size):
    blocks = assign_blocks(requested, existing=existing, size=size)
    assert sorted(seed for block in blocks for seed in block.requested) == sorted(requested)
    there = {seed for block in existing for seed in block}
    for block in blocks:
        assert set(block.requested) <= set(block.seeds)
        if block.seeds not in existing:
            assert block.requested == block.seeds
            assert len(block.seeds) <= size
            assert not there & set(block.seeds)


@given(requested=SEEDS, existing=EXISTING, size=st.integers(1, 7))
def test_what_was_assigned_is_assigned_again_once_it_exists(requested, existing, size):
    blocks = assign_blocks(requested, existing=existing, size=size)
    names = [block.seeds for block in blocks]
    again = assign_blocks(requested, existing=[*existing, *names], size=1)
    assert {block.seeds for block in again} <= {*existing, *names}
    assert assign_blocks(requested, existing=names, size=1) == blocks


@given(SEEDS)
def test_name_and_seeds_are_each_other_s_inverse(seeds):
    assert block_seeds(block_name(sorted(seeds))) == tuple(sorted(seeds))


@pytest.mark.parametrize(("seeds", "name"), [((0, 1, 2), "0-2"), ((0, 1, 2, 5), "0-2_5"), ((7,), "7"), ((1, 3), "1_3")])
def test_known_names(seeds, name):
    assert block_name(seeds) == name


@pytest.mark.parametrize(
    "name", ["", "a", "2-0", "00", "0_1", "1_0", "0-", "0-99999999999", "0-2.provenance", "0-9999999"]
)
def test_other_text_names_no_block(name):
    assert block_seeds(name) is None


def test_scattered_seeds_never_make_a_name_that_no_file_can_have():
    seeds = list(range(0, 2_000_000, 2_001))
    blocks = assign_blocks(seeds, existing=[], size=1000)
    assert sorted(seed for block in blocks for seed in block.seeds) == seeds
    assert max(len(block_name(block.seeds)) for block in blocks) <= 150


def test_blocks_on_disk_are_run_records_alone(tmp_path):
    for name in ("seeds=0-2.json", "seeds=3.json", "seeds=0-2.provenance.json", ".seeds=4.json.17", "notes.json"):
        (tmp_path / name).touch()
    assert sorted(list_blocks_on_disk(tmp_path)) == [(0, 1, 2), (3,)]
    assert list_blocks_on_disk(tmp_path / "absent") == []
