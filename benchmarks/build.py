"""Measure the build: against the path that everyone takes, against the floor, over size, and over workers.

    python benchmarks/build.py [--images 3000] [--scale ../shared/real/shipdataset_annotations.json.gz]

Every figure is a ratio of two runs of the same minute, each in a process of its own; start-up and imports are not
counted. Pairs are run in turn and the median of their ratios is given. With `--scale` images are drawn for that
annotation file, and the whole of it is built beside a thousand of its images, taken evenly because targets per image
change along the file.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

IDENTIFICATION = ("identification_single", "identification_multi")


# One run, in a process of its own -------------------------------------------------------------------------------------


def run_ours(source: Path, out: Path, subsets: list[str], workers: int) -> dict[str, Any]:
    from sarchat2m.build import Options, build
    from sarchat2m.schedulers import local_processes

    with local_processes(workers) as scheduler:
        warm_up(0)
        list(scheduler(warm_up, [0.5] * workers * 2))
        start, user = time.perf_counter(), os.times().user
        manifest = build(source, out, Options(subsets=tuple(subsets), shard_bytes=16_000_000), scheduler=scheduler)
        seconds, user = time.perf_counter() - start, os.times().user - user
        megabytes = max(scheduler(peak_of_memory, [0.1] * workers * 2))
    records = sum(sum(counts.values()) for counts in manifest["records"].values())
    images = sum(manifest["images"].values())
    return {
        "seconds": seconds,
        "user_seconds": user,
        "records": records,
        "images": images,
        "worker_megabytes": megabytes,
    }


def run_everyone(source: Path, out: Path, subsets: list[str], workers: int) -> dict[str, Any]:
    """Write the same records by `Dataset.from_generator` and `to_parquet`, one subset and split after the other."""
    import datasets

    from sarchat2m.dialogues import Dialogues
    from sarchat2m.schema import record_features
    from sarchat2m.source import read_source
    from sarchat2m.vocabulary import TASK_OF_SUBSET

    datasets.disable_progress_bars()

    def rows(split: str, subset: str) -> Iterator[dict[str, Any]]:
        part, dialogues = content.splits[split], Dialogues(content.categories, subsets=[subset])
        for scene, path in zip(part.scenes, part.paths, strict=True):
            records = dialogues.tell(scene)
            image = {"bytes": Path(path).read_bytes(), "path": scene.file_name} if records else None
            for record in records:
                yield {
                    "id": record.id,
                    "image": image,
                    "image_id": scene.image_id,
                    "width": scene.width,
                    "height": scene.height,
                    "task": TASK_OF_SUBSET[subset],
                    "subset": subset,
                    "question": record.question,
                    "answer": record.answer,
                    "objects": [{"bbox": target.box, "category": target.category} for target in record.objects],
                }

    start = time.perf_counter()
    content = read_source(source)
    total = 0
    for split in content.splits:
        for subset in subsets:
            data = datasets.Dataset.from_generator(
                rows,
                features=record_features(content.categories),
                gen_kwargs={"split": split, "subset": subset},
                cache_dir=str(out / "cache"),
                fingerprint=f"{split}-{subset}",
            )
            data.to_parquet(out / f"{subset}-{split}.parquet")
            total += len(data)
    return {"seconds": time.perf_counter() - start, "records": total}


def run_floor(source: Path, out: Path, subsets: list[str], workers: int) -> dict[str, Any]:
    """Read the same files once, and write the same distinct bytes once per subset with pyarrow; nothing else."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from sarchat2m.dialogues import Dialogues
    from sarchat2m.source import read_source

    content = read_source(source)
    dialogues = Dialogues(content.categories)
    work = [
        (path, [split.name, *(subset for subset in dialogues.count(scene) if subset in subsets)])
        for split in content.splits.values()
        for scene, path in zip(split.scenes, split.paths, strict=True)
    ]
    start = time.perf_counter()
    schema = pa.schema([("image", pa.binary())])
    writers: dict[tuple[str, str], pq.ParquetWriter] = {}
    pending: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    length: dict[tuple[str, str], int] = defaultdict(int)

    def flush(key: tuple[str, str]) -> None:
        if key not in writers:
            place = out / f"{'-'.join(key)}.parquet"
            writers[key] = pq.ParquetWriter(place, schema, compression="none", use_dictionary=False)
        length[key] = 0
        writers[key].write_table(pa.table({"image": pa.array(pending.pop(key), pa.binary())}, schema=schema))

    out.mkdir(parents=True)
    for path, (split, *present) in work:
        content_of_file = Path(path).read_bytes()
        for subset in ("images", *present):
            key = split, subset
            pending[key].append(content_of_file)
            length[key] += len(content_of_file)
            if length[key] > 15_000_000:
                flush(key)
    for key in list(pending):
        flush(key)
    for writer in writers.values():
        writer.close()
    return {"seconds": time.perf_counter() - start}


def run_text(source: Path, out: Path, subsets: list[str], workers: int) -> dict[str, Any]:
    """Write the texts of all records ten times over, and no image: what two workers bring without the disk."""
    from sarchat2m.schedulers import local_processes
    from sarchat2m.source import read_source

    content = read_source(source)
    scenes = [scene for split in content.splits.values() for scene in split.scenes]
    pieces = [(content.categories, scenes[start : start + 100]) for start in range(0, len(scenes), 100)] * 10
    with local_processes(workers) as scheduler:
        list(scheduler(warm_up, [0.5] * workers * 2))
        start = time.perf_counter()
        records = sum(scheduler(tell, pieces))
        return {"seconds": time.perf_counter() - start, "records": records}


def warm_up(seconds: float) -> None:
    """Import what a build needs, and keep the worker busy until the others have started too."""
    import sarchat2m.build
    import sarchat2m.card
    import sarchat2m.schema  # noqa: F401

    time.sleep(seconds)


def peak_of_memory(seconds: float) -> float:
    """Give the most memory, in MB, that this worker has held since its program was loaded."""
    time.sleep(seconds)
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def tell(piece: tuple[tuple[str, ...], list[Any]]) -> int:
    from sarchat2m.dialogues import Dialogues

    categories, scenes = piece
    dialogues = Dialogues(categories)
    return sum(len(dialogues.tell(scene)) for scene in scenes)


RUNS = {"ours": run_ours, "everyone": run_everyone, "floor": run_floor, "text": run_text}


# The comparisons ------------------------------------------------------------------------------------------------------


def run(
    kind: str, source: Path, subsets: tuple[str, ...], workers: int = 1, keep: Path | None = None
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        wish = {"kind": kind, "source": str(source), "out": f"{folder}/out", "subsets": subsets, "workers": workers}
        done = subprocess.run([sys.executable, __file__, "--one", json.dumps(wish)], capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr.decode())
        if keep:
            shutil.move(f"{folder}/out", keep)
    os.sync()  # what one run left to be written must not slow the next one
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def pairs(
    rounds: int, first: dict[str, Any], second: dict[str, Any]
) -> tuple[list[float], dict[str, Any], dict[str, Any]]:
    """Run two things in turn; give the ratios of their seconds, first to second, and a run of each."""
    ratios = []
    for _ in range(rounds):
        a, b = run(**first), run(**second)
        ratios.append(a["seconds"] / b["seconds"])
    return sorted(ratios), a, b


def tell_ratio(what: str, ratios: list[float], target: str) -> None:
    print(f"{what:68}{statistics.median(ratios):6.2f}   {min(ratios):.2f} to {max(ratios):.2f}   {target}", flush=True)


def sizes(dataset: Path) -> Iterator[tuple[str, float]]:
    """Give the bytes of each subset's files over those of its distinct images and its text."""
    import pyarrow.parquet as pq

    from sarchat2m.vocabulary import SUBSETS

    for subset in (*SUBSETS, "images"):
        needed = length = 0
        for path in dataset.glob(f"data/{subset}/*.parquet"):
            length += path.stat().st_size
            seen: set[int] = set()
            file = pq.ParquetFile(path)
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                needed += sum(table[name].nbytes for name in ("id", "question", "answer") if name in table.column_names)
                for image, image_id in zip(table["image"], table["image_id"].to_pylist(), strict=True):
                    if image_id not in seen:
                        seen.add(image_id)
                        needed += len(image["bytes"].as_py())
        yield subset, length / needed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=3000, help="of the made-up source")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs per figure")
    parser.add_argument("--scale", type=Path, help="an annotation file to draw images for, and to build whole")
    parser.add_argument("--work", type=Path, help="a folder to keep the drawn images in between runs")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.one:
        one = json.loads(wish.one)
        found = RUNS[one["kind"]](Path(one["source"]), Path(one["out"]), one["subsets"], one["workers"])
        print(json.dumps(found))
        return

    from sarchat2m.synthesis import synthesize
    from sarchat2m.vocabulary import SUBSETS

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{os.cpu_count()} processors, {memory:.0f} GiB of memory, Python {platform.python_version()}")
    print(f"{'':68}{'median':>6}   range over {wish.rounds} pairs\n")
    with tempfile.TemporaryDirectory() as folder:
        work = wish.work or Path(folder)
        source = work / f"made-up-{wish.images}"
        if not source.exists():
            synthesize(source, wish.images, workers=os.cpu_count() or 1)
        ours = {"kind": "ours", "source": source, "subsets": SUBSETS}

        everyone = {"kind": "everyone", "source": source}
        ratios, slow, fast = pairs(1, everyone | {"subsets": IDENTIFICATION}, ours | {"subsets": IDENTIFICATION})
        assert slow["records"] == fast["records"]
        tell_ratio("records/s, identification: ours to from_generator + to_parquet", ratios, "at least 5")
        ratios, slow, fast = pairs(1, everyone | {"subsets": SUBSETS}, ours)
        assert slow["records"] == fast["records"]
        tell_ratio("records/s, all subsets: ours to from_generator + to_parquet", ratios, "at least 2")

        floor = {"kind": "floor", "source": source, "subsets": SUBSETS}
        for workers in (1, 2):
            ratios, *_ = pairs(wish.rounds, ours | {"workers": workers}, floor)
            tell_ratio(f"time: ours to the floor, {workers} worker{'s' * (workers > 1)}", ratios, "at most 1.5")
        ratios, *_ = pairs(wish.rounds, ours, ours | {"workers": 2})
        tell_ratio("speed over all: two workers to one", ratios, "at least 1.3")
        ratios, text, _ = pairs(wish.rounds, ours | {"kind": "text"}, ours | {"kind": "text", "workers": 2})
        tell_ratio("speed of making text: two workers to one", ratios, "at least 1.7")
        print(f"\ntext of a record: {text['seconds'] / text['records'] * 1e6:.2f} µs on one worker")

        built = Path(folder, "built")
        run(**ours, keep=built)
        for subset, ratio in sizes(built):
            print(f"bytes of {subset:24} to distinct images + text: {ratio:.3f}   at most 1.05")

        if wish.scale:
            measure_scale(wish, work)


def evenly(annotations: Path, images: int | None, beside: Path) -> Path:
    """Write an annotation file of so many images, evenly out of a larger one; without a number, give the whole."""
    if images is None:
        return annotations
    with gzip.open(annotations) if annotations.suffix == ".gz" else annotations.open("rb") as file:
        data = json.load(file)
    step = len(data["images"]) / images
    data["images"] = [data["images"][int(number * step)] for number in range(images)]
    kept = {image["id"] for image in data["images"]}
    data["annotations"] = [annotation for annotation in data["annotations"] if annotation["image_id"] in kept]
    part = beside.with_suffix(".json")
    part.write_text(json.dumps(data))
    return part


def measure_scale(wish: argparse.Namespace, work: Path) -> None:
    """Build all images of an annotation file, and a part of them: time per image, and memory of a worker."""
    from sarchat2m.synthesis import synthesize
    from sarchat2m.vocabulary import SUBSETS

    thousand, ten_thousand, whole = (work / name for name in ("thousand", "ten-thousand", "whole"))
    for source, images in ((thousand, 1000), (ten_thousand, 10_000), (whole, None)):
        if not source.exists():
            print(f"drawing {images or 'all'} images of the annotation file", flush=True)
            synthesize(source, like=evenly(wish.scale, images, source), workers=os.cpu_count() or 1)
    taken: dict[Path, list[tuple[int, float, float]]] = defaultdict(list)
    for source in (thousand, ten_thousand, whole) * wish.rounds:
        found = run("ours", source, SUBSETS)
        taken[source].append((found["images"], found["seconds"], found["user_seconds"]))
        print(f"{found['images']:,} images, one worker: {found['seconds']:.1f} s", flush=True)
    for what, figure in (("time", 1), ("time without the kernel's", 2)):
        few, more, all_of_them = (
            (taken[source][0][0], statistics.median(run[figure] for run in taken[source]))
            for source in (thousand, ten_thousand, whole)
        )
        early, late = ((b[1] - a[1]) / (b[0] - a[0]) for a, b in ((few, more), (more, all_of_them)))
        print(
            f"{what} of a further image: {early * 1e3:.2f} ms up to {more[0]:,}, "
            f"{late * 1e3:.2f} ms from there to {all_of_them[0]:,}; {late / early:.2f}   within 10 %"
        )
    a, b = (run("ours", source, SUBSETS, workers=2)["worker_megabytes"] for source in (ten_thousand, whole))
    print(f"peak memory of a worker: {a:.0f} MB for ten thousand, {b:.0f} MB for all; under 600")


if __name__ == "__main__":
    main()
