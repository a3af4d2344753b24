from pycyto.evaluation.stages import Line, stage


def test_numbers_and_their_parts_become_lines() -> None:
    counts = {
        "given": 12,
        "used": 9,
        "skipped": {"no class": 2, "large_outline": 1},
        "failed": {},
        "done": True,
        "by_class": {"train": {"HSIL": 3}},
        "names": ["x"],
    }
    found = stage("export", counts)
    assert found.lines == (
        Line("given", 12),
        Line("used", 9),
        Line("skipped", 3, {"no class": 2, "large outline": 1}),
        Line("failed", 0),
    )
    assert found.to_json()["skipped"] == {"no class": 2, "large outline": 1}


def test_counts_by_name_are_added_up_without_the_names() -> None:
    found = stage("export", {"by_image": {"Mrs X.svs": 3, "Mr Y.svs": 4, "other": 1}},
                  {"Mrs X.svs", "Mr Y.svs"})  # fmt: skip
    assert found.lines == (Line("by image", 8, {"(names withheld)": 7, "other": 1}),)
