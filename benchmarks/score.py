"""How long SARChat-Bench takes for a full test set, compared with a metric that does nothing.

    python benchmarks/score.py                 # all of the tables below; --records 20000 for a quick look

The test set is made up: 226,636 records in the proportions of Table 5, references written like the dataset's answers.
"tuned" predictions look like a tuned model's, right or a little wrong, so identification's texts repeat; "free"
predictions are 60 words each and all different. The floor is an evaluate metric with the same three string columns
that does nothing. Every run is a process of its own, because a process's peak memory cannot be set back.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

METRIC = Path(__file__).resolve().parent.parent / "metrics" / "sarchat_bench"
RECORDS = {
    "counting": 11_704,
    "grounding": 11_608,
    "identification": 175_565,
    "referring": 11_703,
    "description": 6_032,
    "classification": 10_024,
}
CATEGORIES = ("ship", "aircraft", "car", "tank", "bridge", "harbor")
WEIGHTS = (44, 28, 5, 7, 14, 2)
REGIONS = [f"{row} {column}" for row in ("top", "middle", "bottom") for column in ("left", "center", "right")]
SIZES = ("very small", "small", "medium", "large", "very large")
SHAPES = ("wide", "roughly square", "tall")
IDENTIFICATION = (
    "This is a {size} {category} located in the {region} portion of the image. It appears to be {shape} in shape.",
    "Examining the {region} area reveals a {size} {category}.",
    "A {size} {category} is located in the {region} part of the image.",
    "The object is a {size} {category} in the {region} region.",
    "There is a {size} {category} in the {region} portion of the image.",
    "The marked target is a {size} {category}, found in the {region} area of the image.",
    "It is a {size} {category}, situated in the {region} portion.",
    "A {size} {category} can be seen in the {region} area.",
    "I can see a {size} {category} at the {region} of the scene.",
    "Category: {category}. Size: {size}. Position: {region}. Shape: {shape}.",
    "Looking at the {region} part of the image, I find a {size} {category}.",
)
FREE_WORDS = """
    the image appears to show a bright area near water with several strong returns and speckle noise around it which
    may indicate metallic structures along the shore while darker pixels suggest calm sea surface or shadow regions
    beside land vegetation urban buildings roads fields texture contrast intensity pattern scattering radar signal
    ship ships harbor bridge aircraft small large top left right bottom center middle upper lower one two three and
"""


def box(draw):
    """Write a box and the region of its centre."""
    x, y, w, h = draw.randrange(460), draw.randrange(460), draw.randrange(8, 50), draw.randrange(8, 50)
    region = REGIONS[3 * (3 * (2 * y + h) // 1024) + 3 * (2 * x + w) // 1024]
    return f"{{<{x}><{y}><{x + w}><{y + h}>}}", region


def answer(task, draw):
    """Write one answer as the dataset does."""
    category = draw.choices(CATEGORIES, WEIGHTS)[0]
    targets = [box(draw) for _ in range(draw.choices((1, 2, 4, 8), (60, 20, 15, 5))[0])]
    if task == "classification":
        return f"It is {category}."
    if task == "description":
        return ". ".join(
            f"A {draw.choice(SIZES[1:4])} {category} is visible in the {r} portion of the image" for _, r in targets
        )
    if task == "counting":
        return f"There are {len(targets)} instances. {''.join(b for b, _ in targets)}"
    if task == "grounding":
        told = ", ".join(f"one in the {region} portion {written}" for written, region in targets)
        return (
            "In this SAR image, I can identify several objects and their locations: "
            f"There are {len(targets)} {category}s: {told}."
        )
    if task == "identification":
        return draw.choice(IDENTIFICATION).format(
            size=draw.choices(SIZES, (60, 20, 10, 6, 4))[0],
            category=category,
            region=targets[0][1],
            shape=draw.choice(SHAPES),
        )
    return "".join(f"{written} ({region})" for written, region in targets)


def columns(style, share):
    """Make predictions, references and subsets: a share of the full test set."""
    draw = random.Random(0)
    free_words = FREE_WORDS.split()
    predictions, references, subsets = [], [], []
    for task, count in RECORDS.items():
        for number in range(int(count * share)):
            right = answer(task, draw)
            references.append(right)
            halves = task in ("grounding", "identification", "referring")
            subsets.append(f"{task}_{'single' if number % 2 else 'multi'}" if halves else task)
            if style == "free":
                predictions.append(" ".join(draw.choices(free_words, k=60)))
            else:
                predictions.append(right if draw.random() < 0.7 else answer(task, draw))
    return {"predictions": predictions, "references": references, "subsets": subsets}


def run(metric, style, share, batches):
    """Score in this process and print what it took, as JSON."""
    import datasets
    import evaluate

    class Floor(evaluate.Metric):
        """The same columns, and no work."""

        def _info(self):
            features = datasets.Features({name: datasets.Value("string") for name in given})
            return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

        def _compute(self, predictions, references, subsets):
            return {}

    given = columns(style, share)
    warnings.simplefilter("ignore")
    bench = Floor() if metric == "floor" else evaluate.load(str(METRIC))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    if batches:
        size = -(-len(given["subsets"]) // batches)
        for first in range(0, len(given["subsets"]), size):
            bench.add_batch(**{name: column[first : first + size] for name, column in given.items()})
        result = bench.compute()
    else:
        result = bench.compute(**given)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {
        "seconds": seconds,
        "cpu": cpu,
        "peak_mb": peak / 1024,
        "before_mb": before / 1024,
        "records": len(given["subsets"]),
    }
    print(json.dumps({**told, "overall": result.get("overall")}))


def measure(metric, style, share, batches=0):
    """Score in a process of its own."""
    command = [sys.executable, __file__, "--run", metric, style, str(share), str(batches)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=sum(RECORDS.values()), help="how many records to score")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each kind, of which the fastest counts")
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        metric, style, share, batches = options.run
        run(metric, style, float(share), int(batches))
        return
    share = options.records / sum(RECORDS.values())

    def best(*arguments):
        return min((measure(*arguments) for _ in range(options.repeat)), key=lambda told: told["seconds"])

    print(f"{'answers':<8}{'given by':<12}{'floor':>9}{'metric':>9}{'ratio':>8}{'floor':>10}{'metric':>10}{'ratio':>8}")
    for style in ("tuned", "free"):
        for how, batches in (("compute", 0), ("add_batch", 20)):
            floor, metric = best("floor", style, share, batches), best("metric", style, share, batches)
            print(
                f"{style:<8}{how:<12}{floor['seconds']:>7.2f} s{metric['seconds']:>7.2f} s"
                f"{metric['seconds'] / floor['seconds']:>8.2f}{floor['peak_mb']:>7.0f} MB{metric['peak_mb']:>7.0f} MB"
                f"{metric['peak_mb'] / floor['peak_mb']:>8.2f}"
            )
    print("\nGrowth with the number of records (free answers, compute, all sizes in turn):")
    parts = (0.25, 0.5, 1)
    rounds = [[measure("metric", "free", share * part) for part in parts] for _ in range(options.repeat)]
    for runs in zip(*rounds, strict=True):
        told = min(runs, key=lambda run: run["seconds"])
        each = 1e6 * told["seconds"] / told["records"]
        print(f"{told['records']:>9} records {told['seconds']:>7.2f} s {each:>7.1f} µs each")


if __name__ == "__main__":
    main()
