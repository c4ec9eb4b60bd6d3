"""The main job from end to end, on made-up images: `python examples/demo.py FOLDER` (or `make demo`).

It runs the commands that you would run, and shows each of them: synthesize a source, build the dataset, load it, ask
two made-up models, score them beside the paper's models, and write the report page.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from datasets import Dataset, disable_progress_bars, load_dataset
from rich.console import Console

from sarchat2m.vocabulary import CATEGORIES, REGIONS

console = Console(highlight=False)


def show(step: str) -> None:
    """Print a heading."""
    console.print(f"\n[bold]{step}[/]")


def sarchat2m(*arguments: object) -> None:
    """Run a command of the project as a user would, and show it."""
    console.print(f"[cyan]$ sarchat2m {shlex.join(map(str, arguments))}[/]", soft_wrap=True)
    command = [sys.executable, "-m", "sarchat2m.cli", *map(str, arguments)]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"The demo ends here, since that command failed: {shlex.join(command)}")


def made_up_answer(answer: str, mistakes: float, draw: random.Random) -> str:
    """Spoil a reference as a model might: boxes moved, words confused, targets miscounted, or nothing said."""

    def moved(box: re.Match[str]) -> str:
        spread = 40 * mistakes
        return "".join(["{", *(f"<{max(0, round(int(v) + draw.gauss(0, spread)))}>" for v in box.groups()), "}"])

    def confused(word: re.Match[str]) -> str:
        others = REGIONS if word[0] in REGIONS else CATEGORIES
        return draw.choice(others) if draw.random() < mistakes else word[0]

    def miscounted(number: re.Match[str]) -> str:
        wrong = draw.random() < mistakes
        return str(max(1, int(number[0]) + draw.choice((-2, -1, 1, 2)))) if wrong else number[0]

    if draw.random() < mistakes / 10:
        return "I cannot tell from this image."
    spoiled = re.sub(r"\{<(\d+)><(\d+)><(\d+)><(\d+)>\}", moved, answer)
    spoiled = re.sub(r"(?<=There is )\d+|(?<=There are )\d+", miscounted, spoiled)
    return re.sub(rf"\b(?:{'|'.join((*REGIONS, *CATEGORIES))})\b", confused, spoiled)


def ask(records: Dataset, mistakes: float, out: Path) -> None:
    """Write the answers of a made-up model, in the form that `sarchat2m predict` writes those of a real one."""
    draw = random.Random(0)
    with out.open("w") as file:
        for record in records:
            prediction = made_up_answer(record["answer"], mistakes, draw)
            file.write(json.dumps({"id": record["id"], "subset": record["subset"], "prediction": prediction}) + "\n")


def main(folder: Path) -> None:
    """Run the demo in a folder, which is made anew; one that no demo made is left alone."""
    source, dataset = folder / "SARDet-made-up", folder / "sarchat2m"
    if folder.is_file() or (any(folder.glob("*")) and not any(folder.glob(f"{source.name}*"))):
        sys.exit(f"{folder} is no folder of an earlier demo: name a new one.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    show("1. A made-up source in SARDet-100K's layout; take the real one instead if you have it")
    sarchat2m("synthesize", source, "--images", 120, "--no-quiet")

    show("2. The dataset")
    sarchat2m("build", source, dataset, "--seed", 0, "--workers", 2, "--no-quiet")

    show("3. Two configs of it")
    disable_progress_bars()
    cache = str(folder / "cache")
    for config in ("grounding", "referring"):
        console.print(f'[cyan]>>> load_dataset("{dataset}", "{config}")["test"][0][/]')
        record = load_dataset(str(dataset), config, split="test", cache_dir=cache)[0]
        for name in ("id", "image", "question", "answer", "objects"):
            console.print(f"  {name}: {record[name]}", markup=False, overflow="fold")

    show("4. Two made-up models on the test split, beside three of the paper's")
    columns = ["id", "subset", "answer"]
    test = load_dataset(str(dataset), "all", split="test", columns=columns, cache_dir=cache)
    runs = []
    for model, mistakes in (("poor", 0.5), ("good", 0.05)):
        out = folder / f"{model}-model.jsonl"
        ask(test, mistakes, out)
        runs.append(f"{model}={out}")
    sarchat2m("score", *runs, "--dataset", dataset, "--published", 3)

    show("5. What came of it, as a page")
    sarchat2m("report", *runs, "--dataset", dataset, "--out", folder / "report")

    show("Where to look")
    console.print(f"  {dataset}/README.md    the dataset card\n  {dataset}/data         the Parquet shards")
    console.print(f"  {folder}/report/index.html    the report: open it in a browser")
    console.print(f'  load_dataset("{dataset}", "identification")    or any other config')


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo"), help="where to; demo by default")
    main(parser.parse_args().folder)
