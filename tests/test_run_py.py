"""Setting up and starting with run.py, with pip and the making of environments replaced."""

from __future__ import annotations

import ast
import sys
import venv
from pathlib import Path, PurePath

import pytest

import run

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with nothing but what run.py reads, at a path that is hard to quote."""
    folder = tmp_path / "Zellbiopsie é & co"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (folder / "constraints.txt").write_text("numpy==2\n", encoding="utf-8")
    return folder


@pytest.fixture
def environment(root: Path) -> Path:
    return root / ".venv-pycyto"


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replace pip and venv, and return the list that every installation is added to."""
    done: list[list[str]] = []

    def create(folder: str, **_: object) -> None:
        python = run.python_in(Path(folder))
        python.parent.mkdir(parents=True)
        python.touch()

    def install(line: list[str], folder: Path) -> int:
        done.append(line)
        return 0

    monkeypatch.setattr(venv, "create", create)
    monkeypatch.setattr(run, "run_one", install)
    return done


# --- which Python ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_a_python_that_fits_is_taken(version: tuple[int, int]) -> None:
    run.check_python(version, is_64_bit=True)


@pytest.mark.parametrize(
    ("version", "is_64_bit"), [((3, 10), True), ((3, 14), True), ((3, 12), False)]
)
def test_a_python_that_does_not_fit_is_named(
    version: tuple[int, int], is_64_bit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "works", lambda command: False)
    with pytest.raises(run.SetUpError) as caught:
        run.check_python(version, is_64_bit=is_64_bit)
    bits = 64 if is_64_bit else 32
    assert str(caught.value) == (
        f"pycyto needs a 64-bit Python 3.11 to 3.13, and this is a {bits}-bit Python "
        f"{version[0]}.{version[1]}.\n"
        f"  where: {sys.executable}\n"
        "  to do: install a 64-bit Python 3.13 beside it and start run.py with that."
    )


def test_a_python_on_the_path_that_fits_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "works", lambda command: command == "python3.12")
    assert run.other_python() == "start with that one: python3.12 run.py ..."


def test_the_bounds_are_those_of_the_package() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    oldest, newest = run.OLDEST, run.NEWEST
    bounds = f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"
    assert f'requires-python = "{bounds}"' in project


@pytest.mark.parametrize(
    "machine", [("Linux", "x86_64"), ("Windows", "AMD64"), ("Darwin", "arm64")]
)
def test_a_machine_with_a_tensorflow_is_taken(machine: tuple[str, str]) -> None:
    run.check_machine(*machine)


def test_a_machine_without_a_tensorflow_is_refused_before_the_download() -> None:
    with pytest.raises(run.SetUpError, match="no TensorFlow"):
        run.check_machine("Darwin", "x86_64")


# --- the environment -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "parts"), [("nt", ("Scripts", "python.exe")), ("posix", ("bin", "python"))]
)
def test_python_lies_where_the_system_puts_it(system: str, parts: tuple[str, str]) -> None:
    assert run.python_in(Path("env"), system).parts == ("env", *parts)


def test_the_folder_is_beside_run_py_unless_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PYCYTO_VENV", raising=False)
    assert run.environment_folder() == ROOT / ".venv-pycyto"
    monkeypatch.setenv("PYCYTO_VENV", str(tmp_path / "other"))
    assert run.environment_folder() == tmp_path / "other"


def test_the_first_call_installs_and_the_second_does_nothing(
    root: Path, environment: Path, installs: list[list[str]]
) -> None:
    python = run.set_up(root, environment, set())
    assert python == run.python_in(environment)
    assert run.set_up(root, environment, set()) == python
    (line,) = installs
    assert line[-2:] == ["-e", str(root)]
    assert line[line.index("-c") + 1] == str(root / "constraints.txt")


def test_developer_tools_are_added_and_then_stay(
    root: Path, environment: Path, installs: list[list[str]]
) -> None:
    for extras in (set[str](), {"dev"}, set[str]()):
        run.set_up(root, environment, extras)
    assert [line[-1] for line in installs] == [str(root), f"{root}[dev]"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_into_the_same_environment(
    root: Path, environment: Path, installs: list[list[str]], name: str
) -> None:
    run.set_up(root, environment, set())
    (environment / "kept").touch()
    with (root / name).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    run.set_up(root, environment, set())
    assert len(installs) == 2
    assert (environment / "kept").exists()


@pytest.mark.parametrize("change", ["version", "folder"])
def test_another_python_or_a_moved_folder_makes_it_again(
    root: Path,
    environment: Path,
    installs: list[list[str]],
    change: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run.set_up(root, environment, set())
    (environment / "left").touch()
    if change == "version":
        monkeypatch.setattr(sys, "version", "3.13.99")
    else:
        root = root.rename(root.with_name("moved"))
        environment = root / ".venv-pycyto"
    run.set_up(root, environment, set())
    assert len(installs) == 2
    assert not (environment / "left").exists()


def test_an_interrupted_set_up_is_made_again(
    root: Path, environment: Path, installs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(line: list[str], folder: Path) -> int:
        (environment / "half").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "run_one", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.set_up(root, environment, set())
    run.set_up(root, environment, set())
    assert len(installs) == 1
    assert not (environment / "half").exists()


def test_an_interrupted_update_is_made_again_from_nothing(
    root: Path, environment: Path, installs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run.set_up(root, environment, set())
    (environment / "left").touch()
    with monkeypatch.context() as patch:
        patch.setattr(run, "run_one", lambda line, folder: 1)
        with pytest.raises(run.SetUpError, match="pip could not install"):
            run.set_up(root, environment, {"dev"})
    run.set_up(root, environment, {"dev"})
    assert not (environment / "left").exists()


@pytest.mark.usefixtures("installs")
def test_a_folder_that_it_did_not_make_is_left_alone(root: Path, environment: Path) -> None:
    environment.mkdir()
    (environment / "thesis.docx").write_text("years of work", encoding="utf-8")
    with pytest.raises(run.SetUpError, match="left as it is") as caught:
        run.set_up(root, environment, set())
    assert str(environment) in str(caught.value)
    assert [path.name for path in environment.iterdir()] == ["thesis.docx"]


def test_what_a_link_leads_to_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").touch()
    folder = tmp_path / "environment"
    (folder / "lib").mkdir(parents=True)
    (folder / run.MARKER).touch()
    try:
        (folder / "link").symlink_to(tmp_path / "outside", target_is_directory=True)
    except OSError:
        pytest.skip("this user may not make links")
    run.empty(folder)
    assert [path.name for path in folder.iterdir()] == [run.MARKER]
    assert (tmp_path / "outside" / "kept").exists()


def test_a_python_without_any_pip_is_told_what_to_install(
    root: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "has_module", lambda name: False)
    with pytest.raises(run.SetUpError, match="apt install python3-venv"):
        run.set_up(root, environment, set())


def test_windows_gets_the_advice_about_long_paths() -> None:
    assert "PYCYTO_VENV" in run.install_remedy("nt")
    assert "PYCYTO_VENV" not in run.install_remedy("posix")


# --- the words -------------------------------------------------------------------------------


def test_any_word_goes_to_pycyto_in_the_users_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    python = PurePath("python")
    lines = run.commands("demo", ["--out", "here"], Path(python))
    assert lines == [(["python", "-P", "-m", "pycyto", "demo", "--out", "here"], tmp_path)]


def test_test_gives_its_words_to_pytest() -> None:
    lines = run.commands("test", ["-k", "split"], Path("python"))
    assert lines == [(["python", "-m", "pytest", "-k", "split"], ROOT)]


def test_check_is_lint_and_test() -> None:
    check = run.commands("check", ["-x"], Path("python"))
    assert check == [
        *run.commands("lint", [], Path("python")),
        *run.commands("test", ["-x"], Path("python")),
    ]


def test_no_word_of_run_py_hides_a_command() -> None:
    from pycyto.cli.main import COMMANDS

    assert set(COMMANDS).isdisjoint(run.RUN_WORDS)


def test_exit_codes_pass_through(tmp_path: Path) -> None:
    def ending(statement: str) -> list[tuple[list[str], Path]]:
        return [([sys.executable, "-c", statement], tmp_path)]

    assert run.run_all(ending("raise SystemExit(6)")) == 6
    assert run.run_all([*ending("raise SystemExit(5)"), *ending("raise SystemExit(4)")]) == 5
    assert run.run_all(ending("pass")) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to end by")
def test_an_end_by_signal_is_told_as_a_shell_would(tmp_path: Path) -> None:
    statement = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert run.run_one([sys.executable, "-c", statement], tmp_path) == 143


def test_settings_that_would_lead_pip_astray_are_not_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    environ = run.clean_environ()
    assert "PIP_TARGET" not in environ
    assert environ["PIP_FIND_LINKS"] == "/wheels"


def test_without_a_word_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([]) == 2
    assert run.main(["--help"]) == 0
    assert "python3 run.py demo" in capsys.readouterr().out


def test_an_old_python_can_read_the_file() -> None:
    """Else it would end in a syntax error before it can say that it is too old."""
    ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 6))
