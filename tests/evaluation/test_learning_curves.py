from pycyto.evaluation.drawing import HEIGHT, WIDTH
from pycyto.evaluation.learning_curves import learning_curves


def history(epochs: int) -> list[dict[str, str]]:
    return [
        {"epoch": str(n + 1), "phase": "head" if n < 3 else "all", "loss": str(2.3 / (n + 1)),
         "accuracy": "0.5", "val_loss": "nan" if n == 1 else "1", "val_accuracy": "0.6",
         "val_macro_f1": ""}
        for n in range(epochs)
    ]  # fmt: skip


def test_everything_lies_inside_the_drawing() -> None:
    for panel in learning_curves(history(30)):
        for curve in panel.curves:
            assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in curve.points)
        assert [name for *_, name in panel.phases] == ["head", "all"]
        assert len(panel.x_ticks) <= 8


def test_what_is_no_number_is_left_out() -> None:
    loss, rest = learning_curves(history(5))
    assert {curve.name: len(curve.points) for curve in loss.curves} == {
        "training": 5,
        "validation": 4,
    }
    assert [curve.name for curve in rest.curves] == ["accuracy, training", "accuracy, validation"]
    assert [text for _, text in loss.y_ticks] == ["0", "0.5", "1", "1.5", "2", "2.5"]


def test_without_history_there_is_nothing_to_draw() -> None:
    assert learning_curves([]) == []
    assert learning_curves(history(1)) == []
    assert len(learning_curves(history(2))) == 2
