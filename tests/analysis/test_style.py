"""Colours, dashes and places that keep series apart."""

import numpy as np
import pandas as pd
import pytest

from workflow.figures.style.look import DASHES, Labels, gradient_dashes, model_colours, series_of
from workflow.figures.style.panels import LagAxis, columns_for, facets_of, thinned


def labels(models: int, gradients: int) -> Labels:
    return Labels(tuple(f"m{n}" for n in range(models)), tuple(f"g{n}" for n in range(gradients)), ())


@pytest.mark.parametrize("count", [1, 2, 7, 8, 20])
def test_every_model_has_its_own_colour(count: int) -> None:
    assert len(set(model_colours(labels(count, 1)).values())) == count


def test_every_gradient_has_its_own_dash_and_marker() -> None:
    looks = gradient_dashes(labels(1, len(DASHES)))
    assert len({dash for dash, _ in looks.values()}) == len({marker for _, marker in looks.values()}) == len(DASHES)
    assert len(gradient_dashes(labels(1, 9))) == 9


def test_a_colour_does_not_depend_on_what_else_is_drawn(full_tables) -> None:
    part = full_tables._replace(statistics=full_tables.statistics.query("model == 'lstm' and gradient == 'tbptt'"))
    (alone,) = series_of(part)
    (among,) = [item for item in series_of(full_tables) if (item.model, item.gradient) == ("lstm", "tbptt")]
    assert (alone.colour, alone.dash, alone.marker) == (among.colour, among.dash, among.marker)


def test_series_stand_in_the_order_of_the_config(full_tables) -> None:
    names = [(item.model, item.gradient) for item in series_of(full_tables)]
    assert names[:3] == [("rnn", "full"), ("rnn", "tbptt"), ("lstm", "full")]
    assert [name for name in names if name[0] == "lstm"][1] == ("lstm", "truncated_1997")


@pytest.mark.parametrize("lags", [[10], [10, 25], [10, 25, 50, 100, 200], [*range(10, 110, 10)], [1, 2, 1000]])
def test_no_series_reaches_the_place_of_another_lag(lags: list[int]) -> None:
    axis = LagAxis(lags)
    left, right = (axis.place(pd.Series(lags), offset=offset) for offset in (-0.7, 0.7))
    assert (left < lags).all()
    assert (right > lags).all()
    assert (right[:-1] < left[1:]).all()
    assert axis.limits[0] < left[0]
    assert axis.limits[1] > right[-1]
    np.testing.assert_allclose(axis.place(pd.Series(lags), offset=0.0), lags)


def test_the_largest_lag_keeps_its_label() -> None:
    assert thinned([0, 1, 2], ["10", "25", "50"]) == ["10", "25", "50"]
    crowded = thinned([*range(40)], [str(n) for n in range(100, 140)])
    assert crowded[-1] == "139"
    assert crowded.count("") > 20


def test_panels_are_devices_by_tasks_in_the_order_of_the_config(full_tables) -> None:
    assert [facet.title for facet in facets_of(full_tables)] == ["adding", "copy", "temporal_order"]
    both = pd.concat([full_tables.statistics, full_tables.statistics.assign(device="cuda")])
    facets = facets_of(full_tables._replace(statistics=both))
    assert [facet.title for facet in facets][2:4] == ["temporal_order, cpu", "adding, cuda"]
    assert columns_for(facets) == 3
