"""A study as its file tells it. The whole file is checked before anything is computed."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pycyto import files
from pycyto.datasets.split import FEWEST_FOLDS
from pycyto.errors import BadInputError
from pycyto.images.colour import NO_COLOUR, Kind, Method
from pycyto.labels import listed
from pycyto.learning.augmentation import Named
from pycyto.learning.calibrating import Calibrate
from pycyto.learning.sampling import Balance
from pycyto.steps.domains import By
from pycyto.steps.ingest import Scale

# Bytes; a study file is written by hand.
_LARGEST = 1 << 20

Role = Literal["train", "test"]
SourceKind = Literal["herlev", "sipakmed", "cric", "ps3c", "folder", "project", "dataset"]
NetworkName = Literal[
    "small", "mobilenetv2", "mobilenetv2-multi", "mobilenetv2-linear", "mobilenetv2-far",
    "resnet50", "efficientnetb0", "vgg16",
]  # fmt: skip
Orientations = Literal[1, 2, 4, 8]
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
    table, alternative, scale, mpp, group_regex, icc
        As of `pycyto.ingest`.
    """

    name: str
    kind: SourceKind
    path: str
    role: Role = TRAIN
    table: str | None = None
    alternative: tuple[str, ...] = ()
    scale: Scale = "native"
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
    unfreeze: int | str | None = None
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
        Names for several domains together.
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
        No TOML, a key that does not exist (*did you mean …?*), a missing one, a value of the
        wrong kind, or values that do not fit together.
    """
    files.check_size(path, _LARGEST)
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInputError(
            f"This study file is not valid TOML ({error}).",
            where=path,
            remedy='Save it as UTF-8, and write folders with "/" or in single quotes.',
        ) from error
    study: Study = _Reader(path).table(Study, table, "")
    _check(study, path)
    return study


def _check(study: Study, path: Path) -> None:
    for what, names in (
        ("source", [own.name for own in study.source]),
        ("network", [str(own.name) for own in study.network]),
        ("seed", [str(seed) for seed in study.seeds]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise BadInputError(f"There are two {what}s {listed(twice)}.", where=path)
        if not names:
            raise BadInputError(f"There is no {what}.", where=path)
    for own in study.source:
        if not own.name.replace("-", "").replace("_", "").isalnum() or not own.name.isascii():
            raise BadInputError(
                f"The source {own.name!r} is to name a folder.",
                where=path,
                remedy="Use letters, digits, - and _ only.",
            )
    if not study.pooled:
        raise BadInputError(
            "Every network has use = 'cross_domain': none learns from all sources.", where=path
        )
    if not study.of_role(TRAIN):
        raise BadInputError(
            "Every source has role = 'test': there is nothing to learn from.", where=path
        )
    _check_numbers(study.network, path)
    _check_split(study.split, path)
    _check_cross_domain(study, path)


def _check_numbers(networks: Sequence[NetworkSettings], path: Path) -> None:
    for network in networks:
        for key in ("epochs", "batch_size", "views"):
            value = getattr(network, key)
            if value is not None and value < 1:
                raise BadInputError(
                    f"[[network]] {network.name}: {key} = {value}; at least 1.", where=path
                )


def _check_split(split: SplitSettings, path: Path) -> None:
    fractions = split.fractions
    if fractions is not None and (len(fractions) != len(_FRACTIONS) or min(fractions) <= 0):
        raise BadInputError(
            "The fractions of the split are of train, validation and test, each above 0.",
            where=path,
            remedy="fractions = [60, 20, 20]",
        )
    if fractions is not None and split.folds is not None:
        raise BadInputError(
            "[split] has both fractions and folds.", where=path, remedy="Leave one of them out."
        )
    if split.folds is not None and split.folds < FEWEST_FOLDS:
        raise BadInputError(
            f"[split]: folds = {split.folds} are too few.",
            where=path,
            remedy=f"At least {FEWEST_FOLDS}.",
        )


def _check_cross_domain(study: Study, path: Path) -> None:
    found = study.cross_domain
    names = [own.name for own in study.network]
    if found and found.network is not None and found.network not in names:
        raise BadInputError(
            f"[cross_domain] names the network {found.network!r}, which is none of this study.",
            where=path,
            remedy=f"It can be {listed(names)}.",
        )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Makes dataclasses of tables, strictly."""

    path: Path

    def table(self, kind: Any, table: Mapping[str, Any], place: str) -> Any:
        """Return a table as a dataclass; `place` is how the file calls it."""
        hints, known = get_type_hints(kind), {own.name: own for own in fields(kind)}
        for key in table:
            if key not in known:
                self._unknown(key, list(known), place)
        for name, own in known.items():
            required = own.default is MISSING and own.default_factory is MISSING
            if required and name not in table:
                raise BadInputError(f"{place or 'The study'} has no {name!r}.", where=self.path)
        return kind(
            **{key: self._value(hints[key], value, key, place) for key, value in table.items()}
        )

    def _unknown(self, key: str, known: Sequence[str], place: str) -> None:
        near = difflib.get_close_matches(key, known, 1)
        raise BadInputError(
            f"There is no key {key!r} in {place or 'a study'}.",
            where=self.path,
            remedy=f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}.",
        )

    def _chosen(self, choices: Sequence[object], value: object, name: str) -> object:
        if value in choices and not isinstance(value, bool):
            return value
        near = difflib.get_close_matches(str(value), list(map(str, choices)), 1)
        known = listed(map(str, choices))
        raise BadInputError(
            f"{name} = {value!r} is not possible.",
            where=self.path,
            remedy=f"Did you mean {near[0]!r}?" if near else f"It can be {known}.",
        )

    def _value(self, hint: Any, value: Any, key: str, place: str) -> Any:
        name = ": ".join(own for own in (place, key) if own)
        plain = self._plain(hint, value, name)
        if plain is not NotImplemented:
            return plain
        raise BadInputError(f"{name} = {value!r} is of the wrong kind.", where=self.path)

    def _plain(self, hint: Any, value: Any, name: str) -> Any:
        """Return a value as a hint has it; `NotImplemented` where it is of another kind."""
        if get_origin(hint) is Literal:
            return self._chosen(get_args(hint), value, name)
        if get_origin(hint) is UnionType:
            tried = (self._plain(own, value, name) for own in get_args(hint))
            return next((own for own in tried if own is not NotImplemented), NotImplemented)
        if get_origin(hint) is tuple and isinstance(value, list):
            inner = get_args(hint)[0]
            label = f"[[{name}]]" if isinstance(inner, type) and _is_table(inner) else name
            found = [self._value(inner, own, "", label) for own in value]
            return tuple(found)
        if get_origin(hint) is Mapping and isinstance(value, dict):
            return {
                key: self._value(get_args(hint)[1], own, key, name) for key, own in value.items()
            }
        if isinstance(hint, type) and _is_table(hint) and isinstance(value, dict):
            return self.table(hint, value, name if name.startswith("[[") else f"[{name}]")
        plain = (int, float) if hint is float else (hint,)
        return value if type(value) in plain else NotImplemented


def _is_table(kind: object) -> bool:
    """Whether a type is one of the tables of a study."""
    return hasattr(kind, "__dataclass_fields__")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the relative paths of a study are looked for: in these folders, in this order."""

    folders: tuple[Path, ...]

    def find(self, path: str) -> Path:
        """Return where a file or folder is, or where it would be if there were one."""
        own = Path(path).expanduser()
        tried = [folder / own for folder in self.folders]
        return next((place for place in tried if place.exists()), tried[0]).absolute()
