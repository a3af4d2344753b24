"""A study as its file tells it. The whole file is checked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pycyto.datasets.split import FEWEST_FOLDS
from pycyto.images.colour import NO_COLOUR, Kind, Method
from pycyto.labels import did_you_mean, listed
from pycyto.learning.augmentation import Named
from pycyto.learning.calibrating import Calibrate
from pycyto.learning.sampling import Balance
from pycyto.steps.domains import ALL, ALL_BUT, By
from pycyto.steps.toml_tables import read_tables, refuse

# What messages call it.
WHAT = "study file"

Role = Literal["train", "test"]
SourceKind = Literal["herlev", "sipakmed", "cric", "ps3c", "folder", "project", "dataset"]
NetworkName = Literal[
    "small", "mobilenetv2", "mobilenetv2-multi", "mobilenetv2-linear", "mobilenetv2-far",
    "resnet50", "efficientnetb0", "vgg16",
]  # fmt: skip
Orientations = Literal[1, 2, 4, 8]
Unfreeze = int | Literal["none", "last block", "paper"]
TRAIN: Role = "train"
TEST: Role = "test"
Use = Literal["all", "cross_domain"]
# Of train, validation and test.
_FRACTIONS = (60.0, 20.0, 20.0)


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One ``[[source]]``.

    Attributes
    ----------
    kind
        A layout of `pycyto.ingest`, ``project`` (a QuPath project) or ``dataset`` (a folder
        that an export or an ingest has left).
    role
        ``train``, or ``test``: scored, never trained on.
    table, alternative, mpp, group_regex, icc
        As of `pycyto.ingest`.
    """

    name: str
    kind: SourceKind
    path: str
    role: Role = TRAIN
    table: str | None = None
    alternative: tuple[str, ...] = ()
    mpp: float | None = None
    group_regex: str | None = None
    icc: bool = False


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """``[split]``, in groups.

    Attributes
    ----------
    fractions
        Of train, validation and test.
    folds
        Instead: every cell is learnt from, and tested by a model that has not seen its fold.
    """

    fractions: tuple[float, ...] | None = None
    folds: int | None = None
    seed: int = 0

    @property
    def shares(self) -> list[float]:
        """The fractions, which add up to 1."""
        fractions = self.fractions or _FRACTIONS
        return [own / sum(fractions) for own in fractions]


@dataclass(frozen=True, slots=True)
class ColourSettings:
    """``[colour]``, as of `pycyto.train`."""

    method: Method = NO_COLOUR
    stats: Kind = "slide"
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """One ``[[network]]``: options of `pycyto.train`; what is left out is its default.

    Attributes
    ----------
    use
        ``all``, or ``cross_domain``: it learns for the matrix alone, not from all sources
        together.
    """

    name: NetworkName
    weights: str | None = None
    unfreeze: Unfreeze | None = None
    epochs: int | None = None
    batch_size: int | None = None
    views: int | None = None
    balance: Balance = "weights"
    augmentation: Named = "standard"
    orientations: Orientations = 1
    label_smoothing: float = 0.0
    calibrate: Calibrate = "temperature"
    use: Use = "all"


@dataclass(frozen=True, slots=True)
class CrossDomainSettings:
    """``[cross_domain]``.

    Attributes
    ----------
    network
        Name of one of the networks; by default the first.
    colour
        The matrix is made once with each.
    groups
        Names for several domains together; where these are sources, by their names in the study.
    """

    by: By = "source"
    network: str | None = None
    colour: tuple[Method, ...] = (NO_COLOUR,)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """``[evaluation]``.

    Attributes
    ----------
    leaking
        Train on splits that leak as well, to show what they would have claimed.
    seed
        Of the resamples that intervals come from.
    atlas
        Cells of each class and source to show; 0 for none.
    """

    leaking: bool = False
    seed: int = 0
    atlas: int = 8


@dataclass(frozen=True, slots=True)
class Study:
    """All of a study file."""

    source: tuple[SourceSettings, ...]
    network: tuple[NetworkSettings, ...]
    title: str = "A study of several sources"
    seeds: tuple[int, ...] = (0,)
    split: SplitSettings = SplitSettings()
    colour: ColourSettings = ColourSettings()
    cross_domain: CrossDomainSettings | None = None
    evaluation: EvaluationSettings = EvaluationSettings()

    @property
    def pooled(self) -> list[NetworkSettings]:
        """The networks that learn from all sources together."""
        return [own for own in self.network if own.use == "all"]

    @property
    def crossing(self) -> NetworkSettings:
        """The network that learns for the matrix."""
        named = self.cross_domain.network if self.cross_domain else None
        return next(own for own in self.network if named in (None, own.name))

    def of_role(self, role: str) -> list[SourceSettings]:
        """Return the sources of a role."""
        return [own for own in self.source if own.role == role]


def read_study(path: Path) -> Study:
    """Read and check a study file.

    Raises
    ------
    BadInputError
        No TOML; or all of these that there are: keys that do not exist (*did you mean …?*),
        missing ones, values of the wrong kind. Or all values that do not fit together.
    """
    study = read_tables(path, Study, WHAT)
    problems = [
        *_names(study), *_sources(study), *_roles(study), *_split(study), *_cross_domain(study),
        *_numbers(study),
    ]  # fmt: skip
    refuse(problems, path, WHAT)
    return study


def _names(study: Study) -> Iterator[str]:
    for what, names, remedy in (
        ("[[source]]", [own.name for own in study.source], "Give each a name of its own."),
        ("[[network]]", [str(own.name) for own in study.network], "Each is trained once."),
        ("seed", [str(seed) for seed in study.seeds], "Each is used once."),
    ):
        # Folders have these names, and some file systems do not tell large from small letters.
        small = [name.casefold() for name in names]
        twice = sorted({name for name in names if small.count(name.casefold()) > 1})
        if twice:
            yield f"There are two of {what} {listed(twice)}. {remedy}"
        if not names:
            yield f"There is no {what}."
    for own in study.source:
        if not own.name.replace("-", "").replace("_", "").isalnum() or not own.name.isascii():
            yield (
                f"[[source]] {own.name}: the name is that of a folder too. "
                "Use letters, digits, - and _ only."
            )


def _sources(study: Study) -> Iterator[str]:
    for own in study.source:
        if not own.path.strip():
            yield f"[[source]] {own.name}: the path is empty."
    # What a data set holds was decided when it was made.
    icc = {own.name: own.icc for own in study.source if own.kind != "dataset"}
    if len(set(icc.values())) > 1:
        has = listed(name for name, value in icc.items() if value)
        yield (
            f"icc = true for {has}, and not for the others: colours would be of two kinds. "
            "Give all sources the same."
        )


def _roles(study: Study) -> Iterator[str]:
    if study.network and not study.pooled:
        yield 'Every [[network]] has use = "cross_domain": none learns from all sources.'
    if study.source and not study.of_role(TRAIN):
        yield 'Every [[source]] has role = "test": there is nothing to learn from.'


def _split(study: Study) -> Iterator[str]:
    fractions, folds = study.split.fractions, study.split.folds
    if fractions is not None and (len(fractions) != len(_FRACTIONS) or min(fractions) <= 0):
        yield (
            "[split]: fractions are of train, validation and test, each above 0, as in "
            "fractions = [60, 20, 20]."
        )
    if fractions is not None and folds is not None:
        yield "[split] has both fractions and folds. Leave one of them out."
    if folds is not None and folds < FEWEST_FOLDS:
        yield f"[split]: folds = {folds} is too few; at least {FEWEST_FOLDS}."


def _cross_domain(study: Study) -> Iterator[str]:
    asked = study.cross_domain
    if asked is None:
        return
    networks = [str(own.name) for own in study.network]
    if asked.network is not None and asked.network not in networks:
        yield (
            f"[cross_domain]: network = {asked.network!r} is none of this study. "
            f"It can be {listed(networks)}."
        )
    if asked.by != "source":
        return
    sources = [own.name for own in study.of_role(TRAIN)]
    if len(sources) == 1:
        yield (
            "[cross_domain]: there is one source to learn from, so nothing to compare. "
            "Leave the table out, or compare by scanner, site or preparation."
        )
    for group, members in asked.groups.items():
        if not members:
            yield f"[cross_domain]: the group {group!r} names no source."
        if group in (*sources, ALL) or group.startswith(ALL_BUT):
            yield f"[cross_domain]: a group is called {group!r} as a row of the matrix is already."
        for name in members:
            if name not in sources:
                hint = did_you_mean(name, sources) or f" Known are: {listed(sources)}."
                yield (
                    f"[cross_domain]: the group {group!r} names {name!r}, which is no source to "
                    f"learn from.{hint}"
                )


def _numbers(study: Study) -> Iterator[str]:
    seeds = [("seeds", seed) for seed in study.seeds]
    seeds += [("[split]: seed", study.split.seed), ("[evaluation]: seed", study.evaluation.seed)]
    for name, value in [*seeds, ("[evaluation]: atlas", study.evaluation.atlas)]:
        if value < 0:
            yield f"{name} = {value} is below 0."


@dataclass(frozen=True, slots=True)
class Places:
    """Where the relative paths of a study are looked for: in these folders, in this order."""

    folders: tuple[Path, ...]

    def find(self, path: str) -> Path:
        """Return where a file or folder is, or where it would be if there were one."""
        own = Path(path).expanduser()
        tried = [folder / own for folder in self.folders]
        return next((place for place in tried if place.exists()), tried[0]).absolute()

    def near(self, path: str) -> str:
        """Return a question that names what was perhaps meant by a path that is not there."""
        names = {one.name for own in self.folders if own.is_dir() for one in own.iterdir()}
        return did_you_mean(path, sorted(names))

    @property
    def told(self) -> str:
        """A sentence that names these folders."""
        return f"Relative paths are looked for in {', then '.join(map(str, self.folders))}."
