"""Both contestants of the online benchmark train the same networks to the same weights; its table is complete."""

import numpy as np
import pytest

from benchmarks import online, targets


@pytest.mark.parametrize("case", [online.CASES[0], online.CASES[6], online.CASES[-1]], ids=str)
def test_contestants_train_alike(case: online.Case) -> None:
    problem = online.draw(case, sequences=3)
    weights, expected = online.fused(case, problem), online.eager(case, problem)
    assert not np.array_equal(weights, problem.weights)
    np.testing.assert_allclose(weights, expected, rtol=1e-9, atol=0)


def test_numbers_of_the_paper_s_networks() -> None:
    weights = {case.network: online.draw(case, sequences=1).network.parameters for case in online.CASES}
    assert weights == {"temporal order 6a": 156, "2c, p = 50": 364, "2c, p = 1000": 6064}


def test_every_target_finds_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online, "STEPS", 3)
    table = online.measure_online(rounds=1, sequences=20)
    assert len(table) == 2 * len(online.CASES)
    assert (table.loc[table["implementation"] == "online", "ratio"] == 1).all()
    assert all(target.verdict != "not measured" for target in targets.online_targets(table))
