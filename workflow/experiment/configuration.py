"""The keys of a configuration: types, bounds and meanings, as pydantic models.

Validation, the JSON schema and the tables of config/README.md come from these models. The options of a task, cell,
optimiser or schedule stand in its own file (`declarations.py`); `keys.py` adds them to `Task` and `Model`.
"""

from collections import Counter
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from workflow.experiment.errors import format_pairs, format_value

Item = TypeVar("Item")
Number = TypeVar("Number", int, float)


def _check_different(items: list[Item]) -> list[Item]:
    counts = Counter(map(repr, items))
    if len(counts) < len(items):
        twice = next(item for item in items if counts[repr(item)] > 1)
        raise ValueError(f"expected different items; came {format_value(twice)} twice")
    return items


Different = Annotated[list[Item], Field(json_schema_extra={"uniqueItems": True}), AfterValidator(_check_different)]
Listed = Annotated[Different[Item], Field(min_length=1)]

LABEL_LENGTH = 64
LABEL = f"a label of letters, digits, _ . and -, not starting with . or -, of at most {LABEL_LENGTH} characters"
Label = Annotated[
    str,
    Field(pattern=rf"^[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{LABEL_LENGTH - 1}}}$", json_schema_extra={"expected": LABEL}),
]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, le=1000)]
Rates = Annotated[Listed[Rate], Field(max_length=64)]
Scale = Annotated[float, Field(gt=0, le=1_000_000)]
Count = Annotated[int, Field(ge=1)]
Thousand = Annotated[int, Field(ge=1, le=1000)]
Million = Annotated[int, Field(ge=1, le=1_000_000)]
Sequences = Annotated[int, Field(ge=1, le=10_000_000)]
Size = Annotated[int, Field(ge=1, le=100_000)]
Draws = Annotated[int, Field(ge=2, le=64)]
Window = Annotated[int, Field(ge=1, le=1_000_000_000)] | None


class Keys(BaseModel):
    """A mapping with fixed keys; each value must have the type of its key as it stands."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)


class Block(Keys):
    """A block of the grid: the full cross product of its lists and of the tasks' lags.

    The union of the blocks is run; a condition of two blocks runs once.
    """

    devices: Listed[Literal["cpu", "cuda"]]
    """where to train"""
    tasks: Listed[str]
    """labels of `tasks`"""
    models: Listed[str]
    """labels of `models`"""
    gradients: Listed[str]
    """labels of `gradients`"""
    seeds: Listed[Seed] | None = None
    """the seeds of this block, instead of the experiment's; then no other block may run its conditions with others"""
    learning_rates: Rates | None = None
    """the learning rates of this block, likewise"""


class Range(Keys, Generic[Number]):
    """The values that a random search samples."""

    draws: Draws
    """how many; of learning rates, for each hidden size"""
    low: Number = Field(alias="from")
    """the smallest"""
    high: Number = Field(alias="to")
    """the largest"""

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"expected from < to; came {format_pairs({'from': self.low, 'to': self.high})}")
        return self


class Search(Keys):
    """Random search over hidden sizes and learning rates, for every model of the grid."""

    hidden_size: Range[Size]
    """log-uniform and stratified, one in each of as many equally probable ranges; rounded"""
    learning_rate: Range[Rate]
    """likewise, for each hidden size"""
    seed: Seed
    """of the draws. They depend on nothing but the search, so that comparisons between models are paired"""
    reference: str
    """the model that `odyssey.csv` compares the others with"""


class Measurement(Keys):
    """What is measured of the gradient of every condition: along which path, and how far back, the error goes."""

    learning_rate: Rate
    """one of `learning_rates`: a measuring job trains its condition again, at this rate alone"""
    sequences: Annotated[int, Field(ge=1, le=10_000)]
    """how many of the validation sequences the gradient is measured on, in float64"""
    evaluations: Annotated[int, Field(ge=2, le=1000)]
    """how many evaluations of a training, evenly spaced, the full and the 1997 gradient are compared at"""
    flows: Listed[str]
    """labels of `gradients` without a window, whose norms are measured; a model without a path goes without"""


class PublishedNumber(Keys):
    """A number that a paper prints, which table `published` compares with ours."""

    table: str
    """where the paper prints it"""
    experiment: str
    """what it belongs to, in a few words; with `table` it names the row"""
    task: str
    """label of the task"""
    lag: int
    """one of the task's lags"""
    model: str
    """label of the model"""
    learning_rate: Positive
    """the paper's learning rate"""
    sequences: Count
    """training sequences until the paper's stop rule held, mean over its trials"""
    wrong: Annotated[int, Field(ge=0)] | None
    """wrong test sequences in the paper, or `null` where it gives none"""
    trials: Count
    """how many trials the paper's mean is over"""
    weights: Count
    """how many weights the paper's network has"""
    notes: str
    """what was tried where ours differ, or `""`"""


class Task(Keys):
    """A task: the keys that each has, besides the options of its file."""

    task: str
    """the task, a file in `tasks/`"""
    lags: Listed[Million]
    """minimal time lags in steps, as the task's paper states them; its docstring says what length follows"""
    sequences: Annotated[int, Field(ge=1, le=10**12)]
    """training budget of a replica in sequences, rounded down to whole batches; the same for every model"""


class Model(Keys):
    """A model: the keys that each has, besides the options of its cell's file."""

    cell: str
    """the cell, a file in `models/`"""
    hidden_size: Size
    """units of the hidden state"""


class Gradient(Keys):
    """A gradient flow: which paths carry the error back, and how far."""

    paths: Literal["all"] | Listed[str]
    """along which recurrent paths error flows back: `all` that the cell has, or a list (`PATHS` in the cell's file)"""
    num_steps: Window = None
    """truncation in time with k1 = k2 = `num_steps`; `null` or absent: the whole sequence"""
    k1: Window = None
    """steps between two backward passes; with `k2`, instead of `num_steps`; at most `k2`"""
    k2: Window = None
    """steps through which each backward pass goes"""

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        ends = {"k1": self.k1, "k2": self.k2}
        if self.num_steps is not None and ends != {"k1": None, "k2": None}:
            came = format_pairs({"num_steps": self.num_steps} | ends)
            raise ValueError(f"expected num_steps, or k1 and k2, not both; came {came}")
        if (self.k1 is None) != (self.k2 is None):
            raise ValueError(f"expected k1 and k2 together; came {format_pairs(ends)}")
        if self.k1 is not None and self.k2 is not None and self.k1 > self.k2:
            came = format_pairs(ends)
            raise ValueError(f"expected k1 <= k2, else steps between the windows get no error; came {came}")
        return self


class Training(Keys):
    """How every model is trained."""

    protocol: str
    """a file in `training/protocols/`: `minibatch`, or `online` as in 1997, one sequence per update and the task's
    published stop rule instead of validation. A protocol may demand values of other keys (`REQUIRED` in its file)"""
    kernel: str
    """the time loop, a file in `models/kernels/`: `cpu` (fused; where it cannot run, `reference` does)
    or `reference` (any cell, device and dtype)"""
    dtype: Literal["float32", "float64"]
    """floating-point format of weights and states"""
    optimiser: str
    """one of `optimisers`"""
    schedule: str = "constant"
    """how the learning rate changes in the course of a training: one of `schedules`"""
    batch_size: Million
    """sequences per update"""
    clip_norm: Positive | None
    """largest gradient norm of a replica, above which its gradient is scaled down; `null`: no clipping"""
    evaluate_every: Count
    """updates between two evaluations, and so the resolution of the updates to solve; training stops at the task's
    criterion, and the best weights by validation are kept"""
    validation_sequences: Sequences
    """size of the validation set"""
    test_sequences: Sequences
    """size of the test set, scored once"""


class Baselines(Keys):
    """Random weight guessing (Schmidhuber, Hochreiter & Bengio 2001), which every accuracy is compared with."""

    guesses: Million
    """how many networks are guessed and scored"""
    bound: Scale
    """the guesses take turns; one is uniform between minus and plus `bound`"""
    scales: Annotated[Different[Scale], Field(max_length=16)]
    """the others are the model's own initial weights times each of these"""
    validation_sequences: Sequences
    """sequences by which the best guess is chosen; it is then scored on `training.test_sequences`"""
    seed: Seed
    """of the guesses, and of their validation and test sequences"""


class Configuration(Keys):
    """An experiment: what to run, and the definitions of what it names."""

    experiment: Label
    """name of the experiment; results go to `results/<experiment>/`"""
    grid: Annotated[list[Block], Field(min_length=1)]
    """what to run, a list of blocks"""
    seeds: Listed[Seed]
    """replicates: initial weights and data streams derive from a seed, the data not from the model"""
    learning_rates: Rates
    """the grid from which a rate is chosen per condition by validation, never by test: most seeds solved, then mean
    accuracy up to the criterion, then fewest updates. All rates stay in `summary.csv`"""
    search: Search | None = None
    """random search instead of `learning_rates` and the models' `hidden_size`"""
    measurement: Measurement | None = None
    """what is measured of the gradient of every condition; absent: nothing"""
    published: Annotated[list[PublishedNumber], Field(min_length=1)] | None = None
    """numbers that a paper prints, each of a condition of the grid"""
    seeds_per_job: Thousand
    """how many new seeds of a condition train in one job, as one batched program. A block of seeds that exists stays as
    it is, so this never retrains; no number depends on it but for rounding on the `reference` kernel"""
    conditions_per_job: Thousand
    """how many seed blocks the target `packed` trains one after another in one job of a cluster; 1: no packing.
    Only what is not trained yet is packed; no number depends on it"""
    threads: Annotated[int, Field(ge=1, le=1024)]
    """cores that one training job takes, all its libraries together; no number depends on it"""
    checkpoint_minutes: Annotated[float, Field(gt=0, le=1440)]
    """minutes of training between two checkpoints, from the last of which a killed run goes on, with the same bits"""
    tables: Different[str]
    """tables to write, files in `workflow/tables/`, beyond those that every experiment has"""
    figures: Different[str]
    """figures to plot, files in `workflow/figures/`"""
    claims: str | None = None
    """file of the claims that `snakemake findings` decides, in the working directory or next to the code"""
    plugins: Different[str] | None = None
    """folders with `tasks/`, `models/`, `figures/`, `tables/`, `optimisers/`, `schedules/` or `protocols/` of your own,
    relative to the working directory; `LAGBENCH_PLUGINS` adds more. **The code in them is run**: name only folders
    whose code you trust"""
    tasks: dict[Label, dict[str, Any]]
    """the tasks by label"""
    models: dict[Label, dict[str, Any]]
    """the models by label"""
    gradients: dict[Label, Gradient]
    """the gradient flows by label"""
    training: Training
    """how every model is trained"""
    baselines: Baselines
    """random weight guessing, which every accuracy is compared with"""
    optimisers: dict[Label, dict[str, Any]]
    """the constants of each optimiser, a file in `training/optimisers/`; learning rates stand in `learning_rates`"""
    schedules: dict[Label, dict[str, Any]] = {}
    """the constants of each schedule of the learning rate, a file in `training/schedules/`"""
