"""The memory of the fused kernel: how it grows with T, R and B, and what a whole update needs."""

import gc
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from benchmarks.contestants import kernel
from benchmarks.points import FEATURES, Contestant, Point
from benchmarks.processes import forget_peak, in_fresh_process, resident_bytes

CONTESTANT = Contestant("cpu", "lstm_peephole", "full")
CENTRE = Point(replicas=8, hidden_size=32, batch=32, sequence_length=500)
AXES = {"sequence_length": (250, 500, 1000, 2000), "replicas": (2, 4, 8, 16), "batch": (16, 32, 64, 128)}
QUICK_AXES = {"sequence_length": (250, 500)}
WARM_UP = 2
"""Steps of the call before: code, threads and BLAS are then in place."""


def documented_bytes(point: Point) -> int:
    """Return what the docstring of `models.kernels.layout.Kept` says: K + G H + H numbers per step and sequence."""
    R, H, B, T = point
    K = H + FEATURES + 1
    return 4 * R * T * B * (K + 4 * H + H)


def peak_of_call(point: Point, threads: int) -> int:
    """Return the bytes that a forward and a backward pass add at their peak to what the process had before."""
    kernel.limit(threads)
    kernel.prepare(CONTESTANT, point._replace(sequence_length=WARM_UP), replicas=range(point.replicas)).run()
    prepared = kernel.prepare(CONTESTANT, point, replicas=range(point.replicas))
    gc.collect()
    forget_peak()
    before = resident_bytes("VmRSS")
    prepared.run()
    return resident_bytes("VmHWM") - before


def measure_growth(
    axes: Mapping[str, Sequence[int]], *, threads: int, report_line: Callable[[str], None]
) -> pd.DataFrame:
    """Measure the peak along each axis through the centre, each point in a process of its own."""
    rows = []
    peaks: dict[Point, int] = {}
    for axis, values in axes.items():
        for value in values:
            point = CENTRE._replace(**{axis: value})
            if point not in peaks:
                peaks[point] = in_fresh_process(peak_of_call, point, threads)
            steps = point.replicas * point.sequence_length
            rows.append(
                {"axis": axis, "value": value}
                | point._asdict()
                | {"bytes": peaks[point], "documented": documented_bytes(point)}
                | {"bytes_per_step_and_replica": peaks[point] / steps}
            )
            report_line(
                f"memory, {point}: {peaks[point] / 1e6:.0f} MB, documented {documented_bytes(point) / 1e6:.0f} MB"
            )
    return pd.DataFrame(rows)
