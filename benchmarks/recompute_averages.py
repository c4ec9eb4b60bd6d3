"""Recompute the averages of the paper's Table 3 by its equations 4 and 5, from the table's own columns.

    python benchmarks/recompute_averages.py

prints the table that stands in metrics/sarchat_bench/README.md; tests/metric_card keeps the two equal.
"""

import json
from pathlib import Path

import evaluate

METRIC = Path(__file__).parents[1] / "metrics" / "sarchat_bench"


def markdown() -> str:
    published = json.loads((METRIC / "published.json").read_text(encoding="utf-8"))
    bench = evaluate.load(str(METRIC))
    lines = ["| model | printed | recomputed | difference |", "| --- | ---: | ---: | ---: |"]
    differences = []
    for row in sorted(published["models"], key=lambda row: -row["overall"]):
        recomputed = bench.overall_score(row["columns"], published["test_records"])
        differences.append(recomputed - row["overall"])
        lines.append(
            f"| {row['model']}-{row['parameters']} | {row['overall']:.2f} | {recomputed:.2f} | {differences[-1]:+.2f} |"
        )
    size = sum(map(abs, differences)) / len(differences)
    below = sum(difference < 0 for difference in differences)
    lines.append("")
    lines.append(
        f"The largest difference is {max(map(abs, differences)):.2f} points, the mean of their sizes {size:.2f}; "
        f"{below} of {len(differences)} are below the printed figure."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())
