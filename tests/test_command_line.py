"""The command as people use it: silent in a script, telling on a terminal, one sentence for what is wrong."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from test_build import digests, shards
from test_source import ONE_IMAGE, WHOLE_FILE, _two_images

from sarchat2m.build import Options, build, read_manifest
from sarchat2m.cli import app, main

COMMAND = Path(sys.executable).with_name("sarchat2m")
SUBSET_OPTIONS = ("--subset", "identification_single", "--subset", "counting")


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def command(*arguments: object, **options: object) -> Ran:
    """Run the installed command as a script would, without a terminal."""
    ran = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload]
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def on_terminal(*arguments: object, columns: int = 80) -> tuple[int, str]:
    """Run the installed command on a terminal of its own; give the exit code and all that the terminal was sent."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "CI")}
    process = subprocess.Popen(
        [COMMAND, *map(str, arguments)], stdin=its, stdout=its, stderr=its, env=environment | {"TERM": "xterm"}
    )
    os.close(its)
    sent = b""
    try:
        while part := os.read(ours, 65536):
            sent += part
    except OSError:  # what Linux says when the other side is closed
        pass
    finally:
        os.close(ours)
    return process.wait(60), sent.decode()


def in_process(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Ran:
    """Run the same function as the command does, without the second that a new process takes to import."""
    monkeypatch.setattr(sys, "argv", ["sarchat2m", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return Ran(code, out, err)


def is_one_error(ran: Ran) -> bool:
    return ran.code == 1 and re.fullmatch(r"Error: [^\n]+\.\n", ran.err) is not None


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source written by the command itself."""
    folder = tmp_path_factory.mktemp("command") / "source"
    assert command("synthesize", folder, "--images", 24, "--seed", 1, "--workers", 2) == (0, "", "")
    return folder


@pytest.fixture(scope="module")
def dataset(small: Path) -> Path:
    """A dataset built by the command itself, with every default."""
    folder = small.parent / "dataset"
    assert command("build", small, folder) == (0, "", "")
    return folder


# Without a terminal


def test_defaults_are_those_of_the_library(small: Path, dataset: Path, tmp_path: Path) -> None:
    build(small, tmp_path / "out")
    assert digests(tmp_path / "out") == digests(dataset)


def test_every_option_is_heeded(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, expected = tmp_path / "out", tmp_path / "expected"
    options = ["--split", "validation", "--split", "test"]
    options += ["--subset", "identification_single", "--subset", "counting"]
    options += ["--seed", "7", "--variants", "3", "--shard-size", "1 MB", "--workers", "2", "--skip-bad"]
    assert command("build", small, out, *options) == (0, "", "")
    chosen = Options(7, ("validation", "test"), ("counting", "identification_single"), 3, 1_000_000, True)
    build(small, expected, chosen)
    assert digests(out) == digests(expected)
    assert {path.parent.name for path in shards(out)} == {"counting", "identification_single", "images"}
    again = in_process(capsys, monkeypatch, "build", small, out, *options, "--resume", "--no-quiet")
    assert (again.code, "identification" in again.out, "\x1b" in again.out) == (0, True, False)
    refused = in_process(capsys, monkeypatch, "build", small, out, *options)
    assert is_one_error(refused)
    assert "--resume" in refused.err
    assert in_process(capsys, monkeypatch, "build", small, out, "--subset", "counting", "--overwrite") == (0, "", "")
    assert read_manifest(out)["options"]["subsets"] == ["counting"]


def test_check_reports_and_its_exit_code_tells(small: Path, tmp_path: Path) -> None:
    well = command("check", small, "--deep", "--workers", 2)
    assert (well.code, well.err) == (0, "")
    assert re.search(r"^ +train +20 +0 +\d+ +\d+ +0 +0 +0 +0 *$", well.out, re.MULTILINE)
    assert re.search(r"^ +harbor +\d+", well.out, re.MULTILINE)
    assert max(map(len, well.out.splitlines())) <= 80
    spoilt = _two_images(tmp_path / "spoilt")
    second = spoilt / "JPEGImages" / "train" / "train_1.png"
    second.write_bytes(second.read_bytes()[:-30])
    ran = command("check", spoilt, "--deep")
    assert is_one_error(ran)
    assert f"{second} (image 1 of train.json) cannot be decoded" in ran.out


def test_a_bad_source_is_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _two_images(tmp_path / "source", ONE_IMAGE["box NaN"][0])
    ran = in_process(capsys, monkeypatch, "build", source, tmp_path / "out", "--skip-bad", "--no-quiet")
    assert ran.code == 0
    assert "\nProblems: 1; the images concerned were left out, see manifest.json.\n" in ran.out
    assert read_manifest(tmp_path / "out")["images"] == {"train": 2}


def test_show_and_stats_write_what_they_name(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "a record.png"
    assert command("show", dataset, "counting/test/1/ship", "--out", picture) == (0, f"{picture}\n", "")
    with Image.open(picture) as image:
        assert image.format == "PNG"
        assert min(image.size) > 200
    figures = tmp_path / "figures"
    assert in_process(capsys, monkeypatch, "stats", dataset, "--out", figures) == (0, "", "")
    assert {"tasks.png", "categories.png", "heatmap.png"} <= {path.name for path in figures.iterdir()}


# On a terminal


def test_a_build_on_a_terminal_shows_bars_and_a_table(small: Path, tmp_path: Path) -> None:
    code, sent = on_terminal("build", small, tmp_path / "out", "--workers", "2")
    assert code == 0
    seen = text_of(sent)
    lines = seen.splitlines()
    for label in ("Looking at images", "Writing shards"):
        last = [line for line in lines if line.startswith(label)][-1]
        assert re.search(r" 24/24 +[\d,.]+/s +\d:\d\d:\d\d *$", last), "done, rate, time"
    assert seen.index("Looking at images") < seen.index("Writing shards")
    table = seen[seen.index("Records, beside the paper's Table 5") :]
    assert re.search(r"^ *identification +\d+ +\d+ +\d+ +1,423,548 +175,565 *$", table, re.MULTILINE)
    assert re.search(r"^ *all +\d+ +\d+ +\d+ +1,836,912 +226,636 *$", table, re.MULTILINE)
    assert max(len(line.rstrip()) for line in lines if not line.startswith("load_dataset")) <= 80
    assert lines[-1] == f'load_dataset("{tmp_path / "out"}", "referring")'

    code, sent = on_terminal("build", small, tmp_path / "out")
    assert code == 1
    assert text_of(sent).split()[0] == "Error:", "no bar is left of what never began"


def text_of(sent: str) -> str:
    """Give what a terminal was sent without the codes for colours and places, a line for every state of a bar."""
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", sent).replace("\r\n", "\n").replace("\r", "\n")


def test_a_bar_moves_and_shows_rate_and_time(tmp_path: Path) -> None:
    code, sent = on_terminal("synthesize", tmp_path / "out", "--images", 60)
    assert code == 0
    states = re.findall(r"^Drawing images .* (\d+/(?:60|\?))(.*)$", text_of(sent), re.MULTILINE)
    assert len(set(states)) >= 2, "a bar that moves"
    assert states[-1][0] == "60/60"
    assert re.fullmatch(r" +[\d.]+/s +\d:\d\d:\d\d *", states[-1][1]), "rate and time"
    assert on_terminal("synthesize", tmp_path / "quiet", "--images", 3, "--quiet") == (0, "")


@pytest.mark.parametrize("columns", [80, 120])
def test_help_lists_every_option_with_a_sentence(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.main import get_command

    monkeypatch.setenv("COLUMNS", str(columns))
    # Set on the machine where the tests run perhaps; they make rich write for a terminal.
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)
    whole = in_process(capsys, monkeypatch, "--help")
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert {"check", "synthesize", "build", "show", "stats", "predict", "score", "export", "push"} <= set(commands)
    for name, each in commands.items():
        assert re.search(rf"^│ {name} +[A-Z]", whole.out, re.MULTILINE), name
        ran = in_process(capsys, monkeypatch, name, "--help")
        assert (ran.code, ran.err) == (0, "")
        assert max(map(len, ran.out.splitlines())) <= columns
        for parameter in each.params:
            if parameter.name == "help":
                continue
            assert re.fullmatch(r"[A-Z\"].+\.", parameter.help), f"{name} {parameter.name}: {parameter.help}"
            # Releases of typer differ in whether they show an argument by its name or by what stands for it.
            names = (
                [parameter.opts[0]] if parameter.param_type_name == "option" else [parameter.name, parameter.metavar]
            )
            shown = "|".join(re.escape(each) for each in names if each)
            assert re.search(rf"^│ (\* )? *({shown}) ", ran.out, re.MULTILINE), f"{name} {shown}"


def test_the_command_alone_shows_its_help_and_its_version() -> None:
    assert "Usage: sarchat2m" in command().out
    version = command("--version")
    assert (version.code, version.err) == (0, "")
    assert re.fullmatch(r"sarchat2m \d+\.\d+\.\d+\n", version.out)


# What is wrong


@pytest.mark.parametrize("case", [*WHOLE_FILE, *ONE_IMAGE])
def test_bad_sources_are_one_line_and_nothing_is_written(
    tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change, _ = (WHOLE_FILE | ONE_IMAGE)[case]
    _refused(_two_images(tmp_path / "source", change), capsys, monkeypatch)


def _break(file: Path, content: bytes | None) -> None:
    file.unlink() if content is None else file.write_bytes(content)


# The file that is broken, below the source, and what it holds then: nothing, or less than it should.
BROKEN = {
    "annotations cut off": ("Annotations/train.json", b'{"images": [{"id": 0'),
    "annotations empty": ("Annotations/train.json", b""),
    "no annotations": ("Annotations/train.json", None),
    "image missing": ("JPEGImages/train/train_0.png", None),
    "image empty": ("JPEGImages/train/train_0.png", b""),
    "image without a header": ("JPEGImages/train/train_0.png", b"no image at all"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_one_line_and_nothing_is_written(
    tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, (name, content) = _two_images(tmp_path / "source"), BROKEN[case]
    _break(source / name, content)
    ran = _refused(source, capsys, monkeypatch)
    assert name.rpartition("/")[2] in ran.err


def _refused(source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ran:
    out = source.parent / "out"
    before = digests(source.parent)
    checked = in_process(capsys, monkeypatch, "check", source)
    assert is_one_error(checked), checked
    built = in_process(capsys, monkeypatch, "build", source, out)
    assert is_one_error(built), built
    assert built.out == ""
    assert not out.exists()
    assert digests(source.parent) == before
    return built


BAD_OPTIONS = {
    "unknown subset": (["build", "{source}", "{out}", "--subset", "refering"], "no subset 'refering'; choose of clas"),
    "one of two subsets unknown": (
        ["build", "{source}", "{out}", "--subset", "counting", "--subset", "grounding"],
        "no subset 'grounding'",
    ),
    "unknown split": (["build", "{source}", "{out}", "--split", "val"], "no split 'val'; choose of train, validation"),
    "split that is not there": (["build", "{source}", "{out}", "--split", "test"], "test.json: no such file"),
    "no size": (["build", "{source}", "{out}", "--shard-size", "large"], "'large' is no size; write it like 128MB"),
    "size of 400 digits": (["build", "{source}", "{out}", "--shard-size", "9" * 400], "is no size"),
    "tiny shards": (["build", "{source}", "{out}", "--shard-size", "10k"], "too small; give at least 1 MB"),
    "both flags": (["build", "{source}", "{out}", "--resume", "--overwrite"], "exclude each other"),
    "no source": (["build", "nowhere", "{out}"], "nowhere: no such folder"),
    "no source to check": (["check", "nowhere"], "nowhere: no such folder"),
    "a file for a source": (["check", "{source}/Annotations/train.json"], "train.json: no such folder"),
    "something else in the folder": (["build", "{source}", "{source}"], "holds something else"),
    "a file in the way": (["build", "{source}", "{file}"], "is a file; give a folder"),
    "below a file": (["build", "{source}", "{file}/out"], "Not a directory"),
    "no such file system": (["build", "{source}", "nothing://there"], "cannot be used"),
    "no scheduler": (["build", "{source}", "{out}", "--scheduler", "nonsense"], "No Dask scheduler answers"),
    "no annotations to draw": (["synthesize", "{out}", "--like", "nowhere.json"], "nowhere.json"),
    "no folder to draw into": (["synthesize", "{source}"], "is there already and not empty"),
    "no dataset to draw": (["stats", "{source}"], "is no built dataset"),
    "no dataset to score": (["stats", "{source}", "--out", "{out}"], "is no built dataset"),
    "no record's name": (["show", "{dataset}", "nonsense"], "is no id"),
    "no such record": (["show", "{dataset}", "counting/train/99/ship"], "counting/train/99/ship"),
    "no folder for the picture": (
        ["show", "{dataset}", "counting/train/0/ship", "--out", "{out}/x.png"],
        "cannot be written",
    ),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_bad_options_are_one_line_and_nothing_is_written(
    tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, words = BAD_OPTIONS[case]
    source, dataset, file = _two_images(tmp_path / "source"), tmp_path / "dataset", tmp_path / "file"
    if any("{dataset}" in argument for argument in arguments):
        build(source, dataset)
    file.write_text("mine")
    monkeypatch.chdir(tmp_path)
    before = digests(tmp_path)
    places = {"source": source, "out": tmp_path / "out", "dataset": dataset, "file": file}
    ran = in_process(capsys, monkeypatch, *(argument.format_map(places) for argument in arguments))
    assert is_one_error(ran), ran
    assert words in ran.err
    assert ran.out == ""
    assert digests(tmp_path) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["build"],
        ["build", "a", "b", "--variants", "21"],
        ["synthesize", "a", "--seed", "-1"],
        ["bild"],
        ["check", "--no"],
    ],
)
def test_what_is_no_command_line_is_told_with_the_way_to_help(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = in_process(capsys, monkeypatch, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "--help" in ran.err
    assert "Traceback" not in ran.err


def test_an_error_of_a_process_is_one_line_too(tmp_path: Path) -> None:
    source = _two_images(tmp_path / "source", ONE_IMAGE["box NaN"][0])
    ran = command("build", source, tmp_path / "out", "--workers", 2)
    assert is_one_error(ran)
    assert "annotation 0" in ran.err
    assert not (tmp_path / "out").exists()


# Stopped


def _at_most_200_kB() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_a_disk_that_takes_no_more_is_one_line_and_can_be_gone_on_with(
    small: Path, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = command("build", small, out, preexec_fn=_at_most_200_kB)
    assert is_one_error(ran), ran
    assert ran.err.endswith("File too large; mend that, then go on with --resume.\n")
    assert not list(out.rglob("*.partial"))
    assert not shards(out)
    build(small, out, resume=True)
    assert digests(out) == digests(dataset)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_stopped_by_ctrl_c_it_says_no_traceback_and_goes_on(
    small: Path, dataset: Path, tmp_path: Path, workers: str
) -> None:
    out, arguments = tmp_path / "out", ["--shard-size", "1MB", "--workers", workers]
    process = subprocess.Popen(
        [COMMAND, "build", small, out, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while not shards(out) and process.poll() is None:
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGINT)
    finally:
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (stdout, stderr) == ("", "Stopped.\n")
    assert not (out / "manifest.json").exists(), "it was stopped too late to show anything"
    build(small, out, Options(shard_bytes=1_000_000), resume=True)
    records = [read_manifest(folder)["records"] for folder in (out, dataset)]
    assert records[0] == records[1]
    assert not (out / ".building").exists()


def test_a_reader_that_goes_away_is_no_error(small: Path) -> None:
    """As in `sarchat2m check SOURCE | head -1`."""
    process = subprocess.Popen([COMMAND, "check", small], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(60)
