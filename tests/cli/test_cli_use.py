"""How every command behaves: help with an example, exit codes, two lines for an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from calling import Command

from segcore.cli.commands import COMMANDS
from segcore.cli.host import Host

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_every_help_has_an_example_that_names_real_options(done: Command, row) -> None:
    shown = done(row.name, "--help").out
    flat = " ".join(shown.split())
    assert f"Example: {row.example}" in flat
    assert row.help.split("\n")[0] in flat
    assert row.example.split()[:2] == ["maskwright", row.name]
    for word in row.example.split():
        if word.startswith("--"):
            assert f"{word} " in flat.replace(f"Example: {row.example}", ""), word


def test_the_list_of_commands_shows_them_all(done: Command) -> None:
    shown = done("--help").out
    for row in COMMANDS:
        assert f"  {row.name} " in shown


def test_an_unknown_command_or_option_is_wrong_use(maskwright: Command) -> None:
    for arguments in (["paint"], ["info"], ["info", "x", "--colour"]):
        result = maskwright(*arguments)
        assert result.code == 2
        assert result.out == ""


def test_no_project_is_two_lines_and_1(maskwright: Command, tmp_path: Path) -> None:
    (tmp_path / "not.maskwright").mkdir()
    for command in ("info", "evaluate", "check", "predict"):
        result = maskwright(command, tmp_path / "not.maskwright")
        assert result.code == 1, command
        assert result.out == ""
        assert len(result.err.splitlines()) == 2
        assert "not.maskwright" in result.err
        assert "Traceback" not in result.err


def test_a_bug_is_told_without_a_traceback_and_kept_in_a_report(
    maskwright: Command, monkeypatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of Mr. Smith.dcm")

    monkeypatch.setattr("segcore.store.Project.open", broken)
    result = maskwright("info", "Mr. Smith.maskwright")
    assert result.code == 1
    assert "Traceback" not in result.err
    assert "RuntimeError" not in result.err
    report = next(
        Path(line.split(" is in ")[1].split(";")[0])
        for line in result.err.splitlines()
        if " is in " in line
    )
    text = report.read_text(encoding="utf-8")
    assert "RuntimeError" in text
    assert "Command: info" in text


def test_with_debug_the_traceback_is_shown(maskwright: Command, monkeypatch) -> None:
    monkeypatch.setenv("MASKWRIGHT_DEBUG", "1")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("segcore.store.Project.open", broken)
    with pytest.raises(RuntimeError, match="broken"):
        maskwright("info", "x.maskwright")


def test_ctrl_c_ends_with_1_and_a_word(maskwright: Command, monkeypatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("segcore.store.Project.open", stopped)
    result = maskwright("info", "x.maskwright")
    assert result.code == 1
    assert "Traceback" not in result.err
    assert len(result.err.splitlines()) == 1


def test_a_command_that_would_write_names_who_has_the_project(
    maskwright: Command, done: Command, street: Path, tmp_path: Path
) -> None:
    done("new", tmp_path / "p", "--images", street / "images")
    script = (
        "import sys; from segcore.store import Project\n"
        "p = Project.open(sys.argv[1], person='Ada'); print('open', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "p.maskwright")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        result = maskwright("predict", tmp_path / "p.maskwright", "--model", "x")
        assert result.code == 1
        assert "Ada" in result.err
        # Reading is allowed meanwhile.
        assert done("info", tmp_path / "p.maskwright", "--json").json["items"] == 6
    finally:
        holder.communicate("\n")


def test_info_tells_items_states_classes_and_sizes(
    done: Command, street: Path, tmp_path: Path
) -> None:
    done(
        "new", tmp_path / "p", "--images", street / "images", "--labels", street / "labels",
        "--classes", "camvid", "--group-by", "^[^_]+",
    )  # fmt: skip
    told = done("info", tmp_path / "p.maskwright", "--json").json
    assert told["items"] == 6
    assert told["states"]["corrected"] == 6
    assert told["groups"] == 3
    assert [c["value"] for c in told["classes"]] == list(range(12))
    assert told["sizes"]["store"] >= 10_000
    (street / "images" / "0016E5_07959.jpg").unlink()
    told = done("info", tmp_path / "p.maskwright", "--json").json
    assert told["missing_images"] == ["0016E5_07959"]


def test_the_window_opens_for_a_bare_call_and_for_demo(done: Command, monkeypatch) -> None:
    opened: list[object] = []
    host = Host(open_window=lambda project: opened.append(project) or 0)
    monkeypatch.setattr("segcore.projects.demo.ensure_demo", lambda *_: Path("d/demo.maskwright"))
    done(host=host)
    done("demo", host=host)
    done("demo", "--no-window", host=host)
    assert opened == [None, Path("d/demo.maskwright")]


def test_commands_start_without_torch_and_without_qt() -> None:
    script = (
        "import sys; from segcore.cli.main import run; code = run(['--help'])\n"
        "heavy = {'torch', 'PySide6', 'scipy', 'skimage', 'cv2', 'nibabel', 'pydicom'}\n"
        "sys.exit(code or (' '.join(heavy & set(sys.modules)) or 0))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_doctor_says_where_things_live_and_what_is_missing(done: Command) -> None:
    told = done("doctor", "--json").json
    names = {(row["section"], row["name"]) for row in told["findings"]}
    assert {("Models", "torch"), ("Models", "Device"), ("Extras", "crf")} <= names
    assert {("Folders", n) for n in ("Settings", "Logs", "Weights", "Demo")} <= names
    assert told["healthy"]


def test_doctor_names_a_plugin_that_does_not_load_and_is_healthy(
    done: Command, tmp_path: Path, monkeypatch
) -> None:
    from segcore.formats import table

    info = tmp_path / "site" / "mw_lame-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mw-lame\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[maskwright.formats]\nlame = mw_lame_gone:ROW\n")
    monkeypatch.syspath_prepend(str(info.parent))
    table.format_plugins.cache_clear()
    told = done("doctor", "--json").json
    table.format_plugins.cache_clear()
    (row,) = [row for row in told["findings"] if row["section"] == "Plug-ins"]
    assert row["value"].startswith('The plug-in "lame" of mw-lame 0.1 does not load')
    assert row["remedy"] == "Update it, or take it away: pip uninstall mw-lame"
    assert told["healthy"]


def test_doctor_fails_where_something_needed_is_missing(maskwright: Command, monkeypatch) -> None:
    from segcore.cli.host import Finding

    monkeypatch.setattr("segcore.cli.commands.doctor.findings", list)

    lame = [Finding("Window", "Qt", "no libEGL", "apt-get install libegl1", required=True)]
    result = maskwright("doctor", host=Host(qt_findings=lambda: lame))
    assert result.code == 1
    assert "apt-get install libegl1" in result.out


def test_the_program_runs_as_a_process_of_its_own() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-m", "app.main", "models", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert {row["name"] for row in told["architectures"]} >= {"unet", "fpn"}


def test_torchs_threads_are_told_to_sleep_before_torch_is_loaded() -> None:
    # Said later it has no effect; see `share_processor`.
    script = (
        "import sys, segcore.infer.threads as threads\n"
        "threads.share_processor = lambda: sys.exit(7 if 'torch' in sys.modules else 0)\n"
        "from segcore.cli.commands.predict import predict\n"
        "from segcore.projects import choosing, modelling, opening\n"
        "opening.writing = __import__('contextlib').nullcontext\n"
        "modelling.find_model = lambda *_: None\n"
        "choosing.choose = lambda *_: [1]\n"
        "path = type('P', (), {'items': []})()\n"
        "predict(path, None, None, None, False, None, False)\n"
        "sys.exit(8)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
