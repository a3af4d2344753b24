"""The gallery's pages and keys, without QuPath: what its window does is in test_gallery_window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gallery_play import (
    HSIL_ABOVE,
    LABELS,
    Cell,
    Gallery,
    Reviewer,
    drawn_cells,
    wants_a_key,
)
from tests.groovy_jar import groovy_command

MOVES = ("LEFT", "RIGHT", "UP", "DOWN", "HOME", "END", "PAGE_UP", "PAGE_DOWN", "TAB")
KEYS = (*MOVES, "DIGIT1", "NUMPAD4", "DIGIT7", "SPACE", "S", "F", "A", "BACK_SPACE", "U", "Q")
TRAITS = ("locked", "blank", "elsewhere")


@pytest.fixture(scope="module")
def gallery() -> Iterator[Gallery]:
    opened = Gallery(groovy_command())
    yield opened
    opened.close()


def nilm(cell_id: str, hsil: float, *, entry: str = "1", **more: object) -> Cell:
    """Return a cell that is called NILM."""
    return Cell(entry, cell_id, "NILM", "NILM", (1 - hsil, 0.0, 0.0, hsil), **more)  # type: ignore[arg-type]


# --- order --------------------------------------------------------------------------------------


def test_nilm_comes_by_its_risk_slide_by_slide(gallery: Gallery) -> None:
    gallery.start(
        [
            nilm("a", 0.1, entry="1"),
            nilm("b", 0.3, entry="2"),
            nilm("c", 0.01, entry="2"),
            nilm("d", 0.15, entry="1"),
        ]
    )
    assert gallery.show("NILM").cells == ("b", "c", "d", "a")


def test_other_classes_come_by_how_little_the_model_is_certain(gallery: Gallery) -> None:
    sure, unsure = (0.0, 0.1, 0.9, 0.0), (0.0, 0.45, 0.5, 0.05)
    gallery.start(
        [Cell("1", "sure", "LSIL", "LSIL", sure), Cell("1", "unsure", "LSIL", "LSIL", unsure)]
    )
    assert gallery.show("LSIL").cells == ("unsure", "sure")


# --- pages --------------------------------------------------------------------------------------


def test_what_a_page_key_or_tab_shows_is_read_ahead(gallery: Gallery) -> None:
    cells = drawn_cells(60, wrong=0.15, above=0.1)
    gallery.start(cells, columns=4, rows=2)
    answer = gallery.show("NILM")
    assert answer.pages > 1
    for key in ("PAGE_DOWN", "TAB", "TAB", "TAB", "TAB"):
        ahead = answer.ahead
        answer = gallery.press(key)
        assert answer.cells
        assert set(answer.cells) <= set(ahead)
        assert len(ahead) <= 2 * 8


def test_a_page_is_accepted_but_for_what_wants_a_key_of_its_own(gallery: Gallery) -> None:
    gallery.start(
        [
            nilm("plain", 0.01),
            nilm("agreed", 0.02, expert="NILM"),
            nilm("suspect", HSIL_ABOVE),
            nilm("no number", float("nan")),
            nilm("worse for the expert", 0.01, expert="LSIL"),
            nilm("unknown class", 0.01, expert="Trichomonas"),
            nilm("changed outside", 0.01, traits=("elsewhere",)),
            nilm("not seen", 0.01, traits=("blank",)),
            nilm("locked", 0.001, traits=("locked",)),
        ]
    )
    gallery.show("NILM")
    answer = gallery.press("A")
    assert {cell for cell, *_ in answer.decisions} == {"plain", "agreed"}
    assert {(action, to, way) for _, action, to, way in answer.decisions} == {
        ("accept", "NILM", "page")
    }
    assert answer.message == "2 accepted. 7 want a key of their own. locked"
    chosen = []
    while answer.open and answer.chosen != "locked":
        chosen.append(answer.chosen)
        answer = gallery.press("SPACE")
        assert answer.decisions[0][3] == "gallery"
    assert len(chosen) == 6  # one after another, with one key each


def test_a_page_whose_pictures_are_still_coming_is_not_accepted(gallery: Gallery) -> None:
    gallery.start([nilm("a", 0.1), nilm("b", 0.05, traits=("loading",))])
    gallery.show("NILM")
    assert gallery.press("A").decisions == ()
    gallery.loaded()
    assert len(gallery.press("A").decisions) == 2


def test_accepting_twice_never_reaches_the_next_page(gallery: Gallery) -> None:
    gallery.start([nilm(f"c{n}", 0.01) for n in range(10)], columns=2, rows=2)
    gallery.show("NILM")
    assert len(gallery.press("A").decisions) == 4
    answer = gallery.press("A")
    assert (answer.decisions, answer.page) == ((), 0)
    assert gallery.press("PAGE_DOWN").page == 1


def test_arrows_stay_on_the_page(gallery: Gallery) -> None:
    gallery.start([nilm(f"c{n}", 0.01) for n in range(6)], columns=2, rows=2)
    gallery.show("NILM")
    assert [gallery.press(key).at for key in ("LEFT", "UP", "RIGHT", "RIGHT")] == [0, 0, 1, 2]
    assert [gallery.press(key).at for key in ("END", "RIGHT", "DOWN", "HOME")] == [3, 3, 3, 0]
    gallery.press("PAGE_DOWN")
    assert [gallery.press(key).at for key in ("DOWN", "RIGHT", "RIGHT", "UP")] == [4, 5, 5, 5]


def test_the_next_open_cell_is_chosen_by_itself(gallery: Gallery) -> None:
    gallery.start([nilm(f"c{n}", 0.01) for n in range(4)], columns=2, rows=2)
    gallery.show("NILM")
    gallery.press("RIGHT")
    gallery.press("RIGHT")
    assert [gallery.press(key).at for key in ("SPACE", "DIGIT2", "S", "F")] == [3, 0, 1, 1]


def test_taking_back_undoes_one_key_be_it_a_page(gallery: Gallery) -> None:
    gallery.start([nilm(f"c{n}", 0.01) for n in range(5)], columns=2, rows=2)
    gallery.show("NILM")
    gallery.press("A")
    gallery.press("PAGE_DOWN")
    gallery.press("DIGIT3")
    answer = gallery.press("BACK_SPACE")
    assert (answer.page, answer.states) == (1, ("open",))
    answer = gallery.press("BACK_SPACE")
    assert (answer.page, answer.states) == (0, ("open",) * 4)
    assert gallery.press("BACK_SPACE").message.startswith("Nothing was decided")


def test_what_is_done_is_not_shown_again(gallery: Gallery) -> None:
    gallery.start([nilm("a", 0.1), nilm("b", 0.05), nilm("c", 0.01)])
    gallery.show("NILM")
    for key in ("DIGIT1", "S", "F"):
        gallery.press(key)
    assert gallery.show("NILM").cells == ()
    assert gallery.show("NILM", "skipped").cells == ("b",)
    assert gallery.show("NILM", "flagged").cells == ("c",)
    assert gallery.show("NILM", "all").cells == ("a", "b", "c")


# --- whatever is pressed ------------------------------------------------------------------------


@st.composite
def any_cells(draw: st.DrawFn) -> list[Cell]:
    number = draw(st.integers(0, 14))
    cells = []
    for n in range(number):
        predicted = draw(st.sampled_from(LABELS))
        hsil = draw(st.sampled_from((0.0, 0.1999, HSIL_ABOVE, 0.6)))
        values = dict.fromkeys(LABELS, 0.0) | {predicted: 1 - hsil, "HSIL": hsil}
        cells.append(
            Cell(
                entry_id=draw(st.sampled_from("123")),
                cell_id=f"c{n}",
                truth=predicted,
                predicted=predicted,
                probabilities=tuple(values.values()),
                expert=draw(st.sampled_from(("", *LABELS, "Trichomonas"))),
                traits=tuple(draw(st.sets(st.sampled_from(TRAITS), max_size=1))),
            )
        )
    return cells


@settings(max_examples=60)
@given(cells=any_cells(), keys=st.lists(st.sampled_from(KEYS), max_size=40))
def test_whatever_is_pressed_no_suspect_is_accepted_with_its_page(
    gallery: Gallery, cells: list[Cell], keys: list[str]
) -> None:
    by_id = {cell.cell_id: cell for cell in cells}
    gallery.start(cells, columns=3, rows=2)
    before = gallery.show("NILM")
    for key in keys:
        after = gallery.press(key)
        assert len(after.cells) <= 6
        assert after.cells == () or after.chosen in after.cells
        for cell_id, action, to, way in after.decisions:
            cell = by_id[cell_id]
            assert cell_id in before.cells or action == "take back"
            if way == "page":
                assert (key, action, to) == ("A", "accept", cell.predicted)
                assert not wants_a_key(cell)
                # What is locked may be accepted as it is: that changes nothing of it.
                assert not cell.traits or (
                    cell.traits == ("locked",) and cell.expert == cell.predicted
                )
            elif action != "take back":
                assert cell_id == before.chosen
        if key in MOVES:
            assert after.decisions == ()
        if key not in ("PAGE_UP", "PAGE_DOWN", "TAB", "BACK_SPACE", "U"):
            assert (after.label, after.page, after.cells) == (
                before.label,
                before.page,
                before.cells,
            )
        before = after


@settings(max_examples=30)
@given(cells=any_cells(), keys=st.lists(st.sampled_from(KEYS), max_size=30))
def test_taking_everything_back_leaves_all_cells_open(
    gallery: Gallery, cells: list[Cell], keys: list[str]
) -> None:
    gallery.start([Cell(**{**vars(c), "traits": ()}) for c in cells], columns=3, rows=2)
    gallery.show("NILM")
    for key in keys:
        gallery.press(key)
    while not gallery.press("U").message.startswith("Nothing was decided"):
        pass
    for label in LABELS:
        states = gallery.show(label, "all").states
        assert set(states) <= {"open"}


# --- keys per cell ------------------------------------------------------------------------------


@pytest.mark.parametrize("labelled", [False, True], ids=["new cells", "an expert was there before"])
def test_a_thousand_cells_take_at_most_1300_keys(gallery: Gallery, labelled: bool) -> None:
    cells = drawn_cells(1000, wrong=0.15, above=0.1, labelled=labelled)
    assert sum(cell.truth != cell.predicted for cell in cells) == 150
    assert sum(cell.hsil >= HSIL_ABOVE for cell in cells) == 100
    gallery.start(cells)
    reviewer = Reviewer(gallery, cells)
    reviewer.review()
    assert reviewer.decided == {cell.cell_id: cell.truth for cell in cells}
    assert all(reviewer.ways[cell.cell_id] == "gallery" for cell in cells if wants_a_key(cell))
    assert gallery.keys <= 1.3 * len(cells)
