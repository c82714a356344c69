"""Colours, dashes and places that keep series apart."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from workflow.figures.style.look import DASHES, Labels, choose_colours, choose_dashes, list_series
from workflow.figures.style.panels import SweepAxis, list_facets, make_panels, thin_labels


def labels(models: int) -> Labels:
    return Labels(tuple(f"m{n}" for n in range(models)), (), ())


@pytest.mark.parametrize("count", [1, 2, 7, 8, 20])
def test_every_model_has_its_own_colour(count: int) -> None:
    assert len(set(choose_colours(labels(count)).values())) == count


def test_every_gradient_has_its_own_dash_and_marker() -> None:
    looks = choose_dashes([str(rank) for rank in range(len(DASHES))])
    assert len({dash for dash, _ in looks.values()}) == len({marker for _, marker in looks.values()}) == len(DASHES)
    assert len(choose_dashes([str(rank) for rank in range(9)])) == 9


def test_a_colour_does_not_depend_on_what_else_is_drawn(full_tables) -> None:
    part = full_tables._replace(statistics=full_tables.statistics.query("model == 'lstm' and gradient == 'tbptt'"))
    (alone,) = list_series(part)
    (among,) = [item for item in list_series(full_tables) if (item.model, item.gradient) == ("lstm", "tbptt")]
    assert (alone.colour, alone.dash, alone.marker) == (among.colour, among.dash, among.marker)


def test_series_stand_in_the_order_of_the_config(full_tables) -> None:
    names = [(item.model, item.gradient) for item in list_series(full_tables)]
    assert names[:3] == [("rnn", "full"), ("rnn", "tbptt"), ("lstm", "full")]
    assert [name for name in names if name[0] == "lstm"][1] == ("lstm", "truncated_1997")


@pytest.mark.parametrize("lags", [[10], [10, 25], [10, 25, 50, 100, 200], [*range(10, 110, 10)], [1, 2, 1000]])
def test_no_series_reaches_the_place_of_another_lag(lags: list[int]) -> None:
    axis = SweepAxis(Figure().subplots(), lags)
    left, right = (axis.place(pd.Series(lags), offset=offset) for offset in (-0.7, 0.7))
    assert (left < lags).all()
    assert (right > lags).all()
    assert (right[:-1] < left[1:]).all()
    assert axis.limits[0] < left[0]
    assert axis.limits[1] > right[-1]
    np.testing.assert_allclose(axis.place(pd.Series(lags), offset=0.0), lags)


def test_the_largest_lag_keeps_its_label() -> None:
    assert thin_labels([0, 1, 2], ["10", "25", "50"]) == ["10", "25", "50"]
    crowded = thin_labels([*range(40)], [str(n) for n in range(100, 140)])
    assert crowded[-1] == "139"
    assert crowded.count("") > 20


def test_panels_are_devices_by_tasks_in_the_order_of_the_config(full_tables) -> None:
    facets = list_facets(full_tables.statistics, full_tables.labels)
    assert [facet.title for facet in facets] == ["adding", "copy", "temporal_order"]
    both = pd.concat([full_tables.statistics, full_tables.statistics.assign(device="cuda")])
    facets = list_facets(both, full_tables.labels)
    assert [facet.title for facet in facets][2:4] == ["temporal_order, cpu", "adding, cuda"]
    figure, panels = make_panels(facets, heights=[1.0, 0.5])
    assert len(figure.axes) == 12
    assert [axes.get_title() for _, (axes, _) in panels] == [facet.title for facet in facets]
    for facet, _ in panels:
        part = facet.select(both)
        assert set(part[["device", "task"]].itertuples(index=False, name=None)) == {tuple(facet.keys.values())}
