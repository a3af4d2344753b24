"""A whole study of two drawn sets: what it leaves, what it keeps, what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from pycyto.errors import BadInputError, RefusedError, UsageError
from pycyto.files import read_json
from pycyto.manifest import read_manifest
from pycyto.steps.study import StudyResult, study
from tests.steps.stand_in_training import stand_in
from tests.steps.study_sets import STUDY, draw_set
from tests.steps.test_train import Listener

STAGES = [
    "sources/one", "sources/two", "sources/new", "pooled", "models/small-seed0",
    "answers/small-seed0", "evaluation",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sets and the study, which was carried out once into ``out``."""
    folder = tmp_path_factory.mktemp("study")
    draw_set(folder / "sets" / "one", 1)
    draw_set(folder / "sets" / "two", 2, tint=25)
    draw_set(folder / "sets" / "new", 3, number=4)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    listener = Listener()
    carry_out(folder, reporter=listener)
    heard = {"said": listener.said, "warned": listener.warned}
    (folder / "heard.json").write_text(json.dumps(heard), encoding="utf-8")
    return folder


def carry_out(folder: Path, *, dry_run: bool = False, reporter: Any = None) -> StudyResult:
    return study(
        folder / "study.toml",
        out=folder / "out",
        folders=[folder / "sets"],
        dry_run=dry_run,
        reporter=reporter or Listener(),
    )


@pytest.fixture
def copy(place: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder, times included, to be changed."""
    return Path(shutil.copytree(place, tmp_path / "copy"))


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "study.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_report_has_every_source_and_every_network(place: Path) -> None:
    found = read_json(place / "out" / "study.json")
    (small, vgg16) = found["networks"]
    assert vgg16["not_measured"] == "there are no weights to start from: nowhere.weights.h5"
    assert small["seeds"] == [0]
    model = small["models"][0]
    which = [(own["source"], own["which"]) for own in model["sources"]]
    assert which == [("one", "test part"), ("two", "test part"), ("new", "new groups")]
    assert model["sources"][2]["figures"]["n"] == 12
    tested = sum(own["figures"]["n"] for own in model["sources"][:2])
    assert tested == model["test_part"]["accuracy"]["cells"]
    mean = sum(own["figures"]["macro_f1"]["value"] for own in model["sources"][:2]) / 2
    assert model["mean_macro_f1_of_sources"]["value"] == pytest.approx(mean)
    assert model["costs"]["parameters"] > 0
    assert model["costs"]["peak_megabytes"] > 100
    trainings = found["cross_domain"]["matrices"][0]["trainings"]
    assert trainings == {"one": ["one"], "two": ["two"], "all": ["one", "two"]}


def test_the_page_names_the_network_that_learnt_for_the_matrix(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = stand_in(monkeypatch)
    more = 'name = "mobilenetv2"\nweights = "none"\nuse = "cross_domain"'
    change(copy, "[cross_domain]", f'[[network]]\n{more}\n[cross_domain]\nnetwork = "mobilenetv2"')
    done = carry_out(copy)
    assert {own["network"] for own in learnt} == {"mobilenetv2"}
    assert read_json(done.figures)["cross_domain"]["network"] == "mobilenetv2"
    page = done.report.read_text("utf-8")
    assert "Network: mobilenetv2, which learns for this comparison alone" in page
    # The figures of all sources together stay those of the first.
    assert "Of small, trained on all sources together" in page


def test_the_page_is_one_file_that_fetches_nothing(place: Path) -> None:
    page = (place / "out" / "index.html").read_text("utf-8")
    assert "Two sets &lt;&amp;&gt;" in page
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!data:|#|evaluation/|cross-domain/)', page)
    assert page.count('alt="HSIL cell of') == 6
    assert "not measured: there are no weights" in page
    for folder in ("evaluation", "cross-domain"):
        assert (place / "out" / folder / "index.html").exists()


def test_the_report_names_no_file_and_no_path(place: Path) -> None:
    text = json.dumps(read_json(place / "out" / "study.json"))
    text += (place / "out" / "index.html").read_text("utf-8")
    for row in read_manifest(place / "out" / "pooled" / "data"):
        assert row.image_name not in text
    assert str(place) not in text


def test_the_user_hears_of_every_stage_and_of_no_step_inside(place: Path) -> None:
    heard = read_json(place / "heard.json")
    told = [re.sub(r" \(.*\)|in .*", "", text) for text in heard["said"]]
    for name in STAGES:
        assert told.index(f"{name}: begins.") < told.index(f"{name}: done ")
    assert "one: 27 cells of 27 groups." in told
    for word in ("pycyto ", "Epoch", "Features", "data:", "Audit"):
        assert not any(text.startswith(word) or f" {word}" in text for text in heard["said"]), word
    # Who rests on the image alone is told for each source; of the sources together once.
    assert len(set(heard["warned"])) == len(heard["warned"])
    assert sum("rest on the image alone" in text for text in heard["warned"]) == 4


def test_the_card_of_the_model_tells_what_it_does_on_a_source_kept_for_the_test(
    place: Path,
) -> None:
    card = " ".join((place / "out/models/small-seed0/model/README.txt").read_text("utf-8").split())
    model = read_json(place / "out" / "study.json")["networks"][0]["models"][0]
    (new,) = (own for own in model["sources"] if own["source"] == "new")
    missed = round(4 * new["figures"]["most_severe_called_least_severe"]["value"])
    assert "Of 12 cells of a source that it had not learnt from: " in card
    assert f"{missed} of 4 HSIL cells" in card


def test_what_was_done_is_kept(copy: Path) -> None:
    # Copied to another place: the names of folders decide nothing.
    done = carry_out(copy)
    assert done.kept == STAGES
    assert done.redone == []


@pytest.mark.parametrize(
    ("old", "new", "redone"),
    [
        ("fractions = [40, 30, 30]", "fractions = [40, 30, 30]\nseed = 1", STAGES[3:]),
        ("epochs = 1", "epochs = 2", STAGES[4:]),
        ("atlas = 2", "seed = 1", STAGES[6:]),
        ("atlas = 2", "atlas = 1", []),
        ('title = "Two', 'title = "Three', []),
    ],
)
def test_only_what_changed_would_be_made_anew(
    copy: Path, old: str, new: str, redone: list[str]
) -> None:
    change(copy, old, new)
    assert carry_out(copy, dry_run=True).redone == redone


def test_figures_of_another_format_are_made_anew(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of the study reads them, and would miss what an earlier version did not write."""
    monkeypatch.setattr("pycyto.steps.study.SCHEMA", 0)
    assert carry_out(copy, dry_run=True).redone == ["evaluation"]


def test_a_further_test_source_trains_nothing(copy: Path) -> None:
    draw_set(copy / "sets" / "more", 4, number=2)
    change(
        copy, "[split]", '[[source]]\nname="more"\nkind="folder"\npath="more"\nrole="test"\n[split]'
    )
    assert carry_out(copy, dry_run=True).redone == ["sources/more", "answers/small-seed0"]


def test_what_an_earlier_file_left_is_named_and_stays(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    change(copy, 'name = "new"', 'name = "newer"')
    listener = Listener()
    assert carry_out(copy, reporter=listener).redone == ["sources/newer", "answers/small-seed0"]
    assert any("no part of this study: sources/new. " in told for told in listener.warned)
    assert (copy / "out" / "sources" / "new" / "data" / "manifest.csv").exists()


def test_nothing_that_no_study_has_made_is_replaced(copy: Path) -> None:
    shutil.rmtree(copy / "out" / "pooled")
    (copy / "out" / "pooled").mkdir()
    (copy / "out" / "pooled" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RefusedError, match="no study has made") as raised:
        carry_out(copy)
    assert raised.value.where == str(copy / "out" / "pooled")
    assert (copy / "out" / "pooled" / "notes.txt").read_text("utf-8") == "mine"


def test_a_folder_that_from_names_is_there(copy: Path) -> None:
    (copy / "sets").rename(copy / "elsewhere")
    with pytest.raises(UsageError, match="no folder that --from names"):
        carry_out(copy)


def test_a_new_file_in_a_source_is_seen(copy: Path) -> None:
    shutil.copyfile(copy / "sets/new/NILM/3-0.png", copy / "sets/one/NILM/new.png")
    redone = carry_out(copy, dry_run=True).redone
    assert redone == ["sources/one", *STAGES[3:]]


def test_a_source_that_is_gone_is_used_as_it_was(copy: Path) -> None:
    shutil.rmtree(copy / "sets" / "one")
    listener = Listener()
    assert carry_out(copy, reporter=listener).redone == []
    assert any("The source one is no longer" in said for said in listener.warned)
    change(copy, 'path = "one"', 'path = "one"\nmpp = 0.5')
    with pytest.raises(BadInputError, match="sources/one"):
        carry_out(copy)
    assert (copy / "out" / "sources" / "one" / "data" / "manifest.csv").exists()


def test_cells_that_were_trained_on_are_left_out_of_a_test_source(copy: Path) -> None:
    from pycyto.parts import rows_by_part

    rows = rows_by_part(copy / "out" / "pooled" / "data")["train"]
    row = next(own for own in rows if own.source == "one")
    target = copy / "sets" / "new" / row.label / "again.png"
    shutil.copyfile(copy / "out" / "pooled" / "data" / row.file, target)
    done = carry_out(copy)
    assert done.redone == ["sources/new", "answers/small-seed0"]
    (new,) = (own for own in read_json(done.figures)["sources"] if own["source"] == "new")
    assert (new["cells"], new["left_out_since_trained_on"]) == (13, 1)


def test_the_same_picture_in_two_sources_is_refused(copy: Path) -> None:
    shutil.rmtree(copy / "out")
    shutil.copyfile(copy / "sets/one/HSIL/1-0.png", copy / "sets/two/HSIL/again.png")
    with pytest.raises(RefusedError, match="same"):
        carry_out(copy)
    left = [path.name for path in (copy / "out" / "pooled").iterdir()]
    assert left == ["stage.json"]


def test_nothing_is_computed_before_all_is_checked(copy: Path) -> None:
    shutil.rmtree(copy / "out")
    shutil.rmtree(copy / "sets" / "two")
    with pytest.raises(BadInputError, match=r"\[\[source\]\] two: path = 'two' is not there"):
        carry_out(copy)
    assert not (copy / "out").exists()


def test_a_matrix_that_cannot_be_is_refused_before_anything_is_trained(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = stand_in(monkeypatch)
    shutil.rmtree(copy / "out")
    change(copy, 'by = "source"', 'by = "scanner"')
    with pytest.raises(BadInputError, match="All cells are of one scanner"):
        carry_out(copy)
    assert not learnt


def test_the_matrix_calls_sources_as_the_study_does(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that was taken in elsewhere, under another name."""
    stand_in(monkeypatch)
    (copy / "out" / "sources" / "two" / "data").rename(copy / "sets" / "second")
    shutil.rmtree(copy / "out")
    change(
        copy, 'name = "two"\nkind = "folder"\npath = "two"',
        'name = "lab"\nkind = "dataset"\npath = "second"',
    )  # fmt: skip
    change(copy, "by =", 'groups = { both = ["lab", "one"] }\nby =')
    matrix = read_json(carry_out(copy).figures)["cross_domain"]["matrices"][0]
    assert matrix["trainings"] == {"one": ["one"], "lab": ["lab"], "all": ["lab", "one"]}
