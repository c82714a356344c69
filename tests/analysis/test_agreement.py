"""A run that is computed again: bit for bit where bits are promised, and elsewhere by the stated tolerance."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from workflow.verification import agreement
from workflow.verification.agreement import find_rounding_reasons
from workflow.verification.comparison import Verdict

Rows = list[dict[str, str]]
PUBLISHED = {"versions.torch": "2.13.0", "versions.snakemake": "9.27.1", "processor": "AMD EPYC", "sources": "aa"}
PUBLISHED |= {"platform": "Linux-6.1-x86_64-with-glibc2.36"}
ELSEWHERE = PUBLISHED | {"versions.torch": "2.14.0"}


def compare_run(published: Rows, recomputed: Rows, *, provenances: tuple[dict[str, str], dict[str, str]]) -> Verdict:
    pair = pd.DataFrame(published), pd.DataFrame(recomputed)
    return agreement.compare_run({"summary": pair}, provenances=provenances)


def replica(seed: int, **values: object) -> dict[str, str]:
    row: dict[str, object] = {
        "seed": seed,
        "learning_rate": 0.01,
        "solved": False,
        "diverged": False,
        "validation_loss": 0.5,
        "validation_accuracy": 0.625,
        "test_accuracy": 0.62,
        "chance_accuracy": 0.125,
        "success_accuracy": 0.99,
        "budget": 32000,
        "model_options": '{"a":1}',
        "validation_sequences": 512,
        "test_sequences": 2560,
    }
    return {name: str(value) for name, value in (row | values).items()}


def run(count: int = 10, change: Callable[[int], dict[str, object]] = lambda seed: {}) -> Rows:
    return [replica(seed, **change(seed)) for seed in range(count)]


def rounded(seed: int) -> dict[str, object]:
    """What another rounding does to every replica: a loss in its last digits, an accuracy by a sequence or two."""
    return {"validation_loss": 0.5 + 1e-9 * seed + 1e-12, "test_accuracy": 0.62 + (-1) ** seed * 2 / 2560}


def test_equal_rows_are_equal_bit_for_bit_wherever_they_were_made():
    for here in (PUBLISHED, ELSEWHERE):
        verdict = compare_run(run(), run(), provenances=(PUBLISHED, here))
        assert (verdict.agrees, verdict.exact) == (True, True)
        assert verdict.message == "equal, bit for bit (10 replicas)"


def test_the_last_digit_counts_where_bits_are_promised():
    changed = run(change=lambda seed: {"validation_loss": 0.5000000000000001} if seed == 3 else {})
    verdict = compare_run(changed, run(), provenances=(PUBLISHED, PUBLISHED))
    assert not verdict.agrees
    assert verdict.message == (
        "DIFFERS in 1 of 10 replicas, CPU type, versions and code are the same: "
        "validation_loss of seed 3, learning_rate 0.01: published 0.5000000000000001, recomputed 0.5"
    )


def test_elsewhere_another_rounding_is_within_tolerance_and_the_reason_is_reported():
    verdict = compare_run(run(change=rounded), run(), provenances=(PUBLISHED, ELSEWHERE))
    assert (verdict.agrees, verdict.exact) == (True, False)
    assert verdict.message == (
        "within tolerance, compared by tolerance, as torch was 2.13.0 and is 2.14.0: 10 of 10 replicas agree"
    )
    assert not compare_run(run(change=rounded), run(), provenances=(PUBLISHED, PUBLISHED)).agrees


def test_where_half_come_out_bit_for_bit_all_must():
    verdict = compare_run(
        run(change=lambda seed: rounded(seed) if seed < 5 else {}), run(), provenances=(PUBLISHED, ELSEWHERE)
    )
    assert not verdict.agrees
    assert "the others are equal bit for bit" in verdict.message
    assert compare_run(
        run(change=lambda seed: rounded(seed) if seed < 6 else {}), run(), provenances=(PUBLISHED, ELSEWHERE)
    ).agrees


def test_a_last_digit_in_some_replicas_is_within_tolerance_elsewhere():
    changed = run(change=lambda seed: {"validation_loss": 0.5000000000000001} if seed < 3 else {})
    verdict = compare_run(changed, run(), provenances=(PUBLISHED, ELSEWHERE))
    assert (verdict.agrees, verdict.exact) == (True, False)


@pytest.mark.parametrize(("strays", "agrees"), [(4, True), (5, False)])
def test_two_in_five_replicas_may_stray(strays, agrees):
    def stray(seed: int) -> dict[str, object]:
        return rounded(seed) | ({"test_accuracy": 0.2} if seed < strays else {})

    verdict = compare_run(run(change=stray), run(), provenances=(PUBLISHED, ELSEWHERE))
    assert verdict.agrees == agrees
    assert f"{10 - strays} of 10 replicas agree" in verdict.message


@pytest.mark.parametrize(
    ("published", "recomputed", "agrees"),
    [
        ({"solved": True, "validation_accuracy": 0.992, "test_accuracy": 0.985}, {"validation_accuracy": 0.975}, True),
        ({"solved": True, "validation_accuracy": 0.992, "test_accuracy": 0.985}, {"validation_accuracy": 0.97}, False),
        ({"diverged": True}, {}, False),
        ({"test_accuracy": ""}, {}, False),
        ({"test_accuracy": "nan"}, {}, False),
        ({"test_accuracy": ""}, {"test_accuracy": ""}, True),
        ({"test_accuracy": 0.675}, {}, False),
        ({"test_accuracy": 0.67}, {}, True),
        ({"solved": True, "test_accuracy": 1.0}, {"solved": True, "test_accuracy": 0.983}, True),
        ({"solved": True, "test_accuracy": 1.0}, {"solved": True, "test_accuracy": 0.981}, False),
        ({"solved": "maybe"}, {"solved": True}, False),
    ],
)
def test_which_replica_agrees(published, recomputed, agrees):
    ours = {"test_accuracy": published["test_accuracy"]} if published.get("solved") is True else {}
    theirs = run(change=lambda seed: rounded(seed) | (published if seed < 5 else {}))  # one more than may stray
    here = run(change=lambda seed: ours | recomputed if seed < 5 else {})
    verdict = compare_run(theirs, here, provenances=(PUBLISHED, ELSEWHERE))
    assert verdict.agrees == agrees, verdict.message


def test_a_small_shift_of_all_accuracies_is_found():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.004, 15)

    def shifted(seed: int, by: float) -> dict[str, object]:
        return rounded(seed) | {"test_accuracy": 0.62 + noise[seed] + by}

    for by, agrees in ((0.0, True), (0.03, False)):
        verdict = compare_run(
            run(15, lambda seed, by=by: shifted(seed, by)), run(15), provenances=(PUBLISHED, ELSEWHERE)
        )
        assert verdict.agrees == agrees, verdict.message
    assert "away on average" in verdict.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": 16000}, "budget of seed 0, learning_rate 0.01: published 16000, recomputed 32000"),
        ({"chance_accuracy": 0.126}, "chance_accuracy of seed 0"),
        ({"model_options": '{"a":2}'}, "model_options of seed 0"),
        ({"unheard_of": 1}, "summary.csv has a column unheard_of that is not recomputed"),
    ],
)
def test_what_no_rounding_changes_must_be_equal_everywhere(change, message):
    verdict = compare_run(run(change=lambda seed: rounded(seed) | change), run(), provenances=(PUBLISHED, ELSEWHERE))
    assert not verdict.agrees
    assert message in verdict.message


def test_columns_and_options_that_came_later_do_not_count():
    later = run(change=lambda seed: {"model_options": '{"a":1,"b":true}', "protocol": "minibatch"})
    assert compare_run(run(), later, provenances=(PUBLISHED, PUBLISHED)).exact


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (run(9), "has no row (seed 9, learning_rate 0.01)"),
        (run(11), "has a row (seed 10, learning_rate 0.01) that is not recomputed"),
        ([*run(10), replica(0)], "has the row (seed 0, learning_rate 0.01) twice"),
    ],
)
def test_lacking_and_foreign_replicas_differ(rows, message):
    assert compare_run(rows, run(), provenances=(PUBLISHED, PUBLISHED)).message == f"DIFFERS: summary.csv {message}"


def test_the_type_of_a_cpu_says_more_than_its_name():
    typed = PUBLISHED | {"processor_type": "AuthenticAMD 26 2 AVX512"}
    assert find_rounding_reasons(PUBLISHED, typed) == ["the CPU type was not recorded"]
    assert find_rounding_reasons(typed, typed | {"processor": "AMD EPYC 9"}) == []
    assert len(find_rounding_reasons(typed, typed | {"processor_type": "AuthenticAMD 25 1 AVX2"})) == 1
    assert find_rounding_reasons(PUBLISHED, PUBLISHED | {"processor": "Xeon"}) == ["processor was AMD EPYC and is Xeon"]
    assert find_rounding_reasons(PUBLISHED, PUBLISHED | {"versions.snakemake": "9.28"}) == []
    older = {**PUBLISHED, "platform": "Linux-5.10-x86_64-with-glibc2.31"}
    assert find_rounding_reasons(older, PUBLISHED) == ["the C library was glibc2.31 and is glibc2.36"]


def test_machine_code_for_another_cpu_is_a_reason_to_compare_by_tolerance():
    compiled = PUBLISHED | {"processor_type": "GenuineIntel 6 106 AVX512", "compiled_for": "icelake-server"}
    generic = compiled | {"compiled_for": "generic"}
    (reason,) = find_rounding_reasons(compiled, generic)
    assert reason == "compiled for another CPU: it was icelake-server and is generic"
    verdict = compare_run(run(change=rounded), run(), provenances=(compiled, generic))
    assert (verdict.agrees, verdict.exact) == (True, False)
    assert not compare_run(run(change=rounded), run(), provenances=(compiled, compiled)).agrees
    for unknown in (
        {name: compiled[name] for name in compiled if name != "compiled_for"},
        compiled | {"compiled_for": ""},
    ):
        assert find_rounding_reasons(unknown, generic) == []
