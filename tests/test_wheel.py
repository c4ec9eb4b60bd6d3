"""The wheel, installed and used outside of the clone: what an installation from an index would hold.

Slow: pip builds the wheel in an environment of its own. The installed package finds its dependencies, and nothing else,
where these tests found theirs, so that nothing is downloaded a second time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
# Where each folder of the clone stands in the wheel.
PLACES = {
    "sarchat2m": "sarchat2m",
    "metrics/sarchat_bench": "sarchat2m/metrics/sarchat_bench",
    "dataset_card": "sarchat2m/dataset_card",
    "recipes": "sarchat2m/recipes",
}


def run(command: list[Any], cwd: Path, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT], folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The `bin` of an environment that has the wheel, and behind it the packages of this one."""
    home = wheel.parent / "environment"
    venv.create(home, with_pip=False, symlinks=True)
    (packages,) = home.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", "--quiet", "--no-deps"]
    run([*pip, "--no-index", wheel], home)
    # What a .pth file names comes after the environment's own, and .pth files there, such as the clone's, do not count.
    (packages / "dependencies.pth").write_text(f"{Path(np.__file__).parents[1]}\n")
    return home / "bin"


@pytest.fixture(scope="module")
def away(wheel: Path) -> Path:
    """A working directory with a dataset that the installed command has built there."""
    folder = wheel.parent / "away"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def built(installed: Path, away: Path) -> Path:
    run([installed / "sarchat2m", "synthesize", "source", "--images", "12"], away)
    run([installed / "sarchat2m", "build", "source", "dataset"], away)
    return away / "dataset"


def test_the_wheel_holds_the_package_and_what_comes_with_it(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", *PLACES],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("needs git and a clone, to know which files are the project's")
    expected = set()
    for name in listed.stdout.splitlines():
        if (ROOT / name).exists():
            place = next(place for place in PLACES if PurePosixPath(name).is_relative_to(place))
            expected.add(PLACES[place] + name.removeprefix(place))
    with zipfile.ZipFile(wheel) as content:
        found = {name for name in content.namelist() if ".dist-info/" not in name}
        licenses = [name for name in content.namelist() if name.endswith("licenses/LICENSE")]
    assert found == expected
    assert "sarchat2m/py.typed" in found
    assert licenses
    assert wheel.stat().st_size < 4_000_000


def test_the_installed_package_is_the_one_that_is_imported(installed: Path, away: Path) -> None:
    code = (
        "import json, sarchat2m; from sarchat2m.locations import *; "
        "places = [sarchat2m.__file__, metric_path(), card_template_path(), recipes_path()]; "
        "print(json.dumps([str(place) for place in places]))"
    )
    package, *places = map(Path, json.loads(run([installed / "python", "-c", code], away)))
    assert package.is_relative_to(installed.parent)
    assert [place.relative_to(package.parent).as_posix() for place in places] == [
        "metrics/sarchat_bench",
        "dataset_card/template.md",
        "recipes",
    ]


def test_the_installed_command_builds_with_its_card(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    assert sum(manifest["images"].values()) == 12
    assert (built / "README.md").read_text().count("config_name:") >= 10
    assert "SARChat" in (built / "README.md").read_text().partition("\n---\n")[2]


def test_the_bundled_sample_is_a_dataset(installed: Path, away: Path) -> None:
    code = (
        "import sarchat2m; from pathlib import Path; from datasets import load_dataset; "
        "data = load_dataset(str(Path(sarchat2m.__file__).parent), 'referring'); "
        "print(*sorted(data), data['train'][0]['image'].mode, data['train'][0]['id'])"
    )
    told = run([installed / "python", "-c", code], away, HF_HUB_OFFLINE="1", HF_HOME=str(away / "cache"))
    *splits, mode, identifier = told.split()
    assert splits == ["test", "train", "validation"]
    assert mode in ("L", "RGB")
    assert run([installed / "sarchat2m", "show", "sarchat2m", identifier], away) == "record.png\n"


def test_the_installed_metric_scores_right_answers_with_100(installed: Path, away: Path, built: Path) -> None:
    records = [
        {"id": row["id"], "subset": row["subset"], "prediction": row["answer"], "reference": row["answer"]}
        for path in sorted(built.glob("data/*/test-*.parquet"))
        if path.parent.name != "images"
        for row in pq.read_table(path, columns=["id", "subset", "answer"]).to_pylist()
    ]
    (away / "right.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    told = run([installed / "sarchat2m", "score", "right.jsonl", "--json", "score.json"], away, HF_HUB_OFFLINE="1")
    assert "right" in told
    (scored,) = json.loads((away / "score.json").read_text())["runs"]
    assert scored["figures"]["overall"] == 100


def test_the_tasks_of_lmms_eval_find_the_metric_beside_them(installed: Path, away: Path, built: Path) -> None:
    code = (
        "import sys; from sarchat2m.locations import recipes_path; sys.path.append(str(recipes_path() / 'lmms_eval')); "
        "import utils; answer = 'There is 1 instance. {<10><10><20><20>}'; "
        "item = dict(id='a', subset='counting', prediction=answer, reference=answer); "
        "print(float(utils.score([item])))"
    )
    told = run([installed / "python", "-c", code], away, HF_HUB_OFFLINE="1", SARCHAT_DATASET=str(built))
    assert told.splitlines()[-1] == "100.0"
