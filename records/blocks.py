"""Seed blocks: which seeds of a condition train together, so that only what is new is trained."""

import os
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

NAME_LIMIT = 150  # characters of a block's name; file systems allow 255 in a file name


class Block(NamedTuple):
    """Seeds trained by one job, and those of them whose rows are requested."""

    seeds: tuple[int, ...]
    requested: tuple[int, ...]


def assign_blocks(requested: Iterable[int], *, existing: Iterable[tuple[int, ...]], size: int) -> list[Block]:
    """Cover seeds by existing blocks, the one that covers most first, the others by new ones of `size`."""
    left = sorted(set(requested))
    blocks = []
    candidates = {tuple(sorted(set(block))) for block in existing}
    while candidates:
        best = min(candidates, key=lambda block: (-len(set(block).intersection(left)), len(block), block))
        covered = tuple(seed for seed in left if seed in set(best))
        if not covered:
            break
        blocks.append(Block(best, covered))
        candidates.remove(best)
        left = [seed for seed in left if seed not in set(best)]
    return sorted([*blocks, *(Block(chunk, chunk) for chunk in _chunks(left, size=size))])


def block_name(seeds: Sequence[int]) -> str:
    """Name a block by its sorted seeds: (0, 1, 2, 5) is "0-2_5"."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return "_".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def block_seeds(name: str) -> tuple[int, ...] | None:
    """Return the seeds of a block's name, or None for text that names no block."""
    if not re.fullmatch(r"\d{1,10}(-\d{1,10})?(_\d{1,10}(-\d{1,10})?)*", name, re.ASCII):
        return None
    bounds = [[int(seed) for seed in part.split("-")] for part in name.split("_")]
    if sum(bound[-1] - bound[0] + 1 for bound in bounds) > 100_000:
        return None
    seeds = tuple(seed for bound in bounds for seed in range(bound[0], bound[-1] + 1))
    increases = all(before < seed for before, seed in pairwise(seeds))
    return seeds if increases and block_name(seeds) == name else None


def list_blocks_on_disk(folder: Path) -> list[tuple[int, ...]]:
    """Return the blocks whose run records lie in a condition's folder."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return []
    blocks = (
        block_seeds(name.removeprefix("seeds=").removesuffix(".json")) for name in names if name.startswith("seeds=")
    )
    return [seeds for seeds in blocks if seeds]


def _chunks(seeds: Sequence[int], *, size: int) -> list[tuple[int, ...]]:
    chunks: list[tuple[int, ...]] = []
    for seed in seeds:
        if chunks and len(chunks[-1]) < size and len(block_name([*chunks[-1], seed])) <= NAME_LIMIT:
            chunks[-1] = (*chunks[-1], seed)
        else:
            chunks.append((seed,))
    return chunks
