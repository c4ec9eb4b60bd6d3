"""Measure what it costs to write the text of a record, task by task, over made-up scenes without images.

    python benchmarks/dialogues.py [--scenes 5000]

The scenes have two targets on average, as SARDet-100K's images: most have one, a few some dozens. Counting the records
(what the build plans its shards with) is measured beside it.
"""

from __future__ import annotations

import argparse
import random
import time

from sarchat2m.dialogues import MAKERS, Dialogues
from sarchat2m.scene import Scene, Target
from sarchat2m.vocabulary import CATEGORIES, SUBSETS_OF_TASK


def made_up_scenes(count: int) -> list[Scene]:
    draw = random.Random(0)
    scenes = []
    for image_id in range(count):
        side = draw.choice((256, 512, 800))
        present = draw.choices(range(len(CATEGORIES)), k=draw.choice((1, 1, 1, 2)))
        targets = []
        for annotation_id in range(draw.choices((1, 2, 5, 40), (69, 20, 10, 1))[0]):
            x, y = draw.randrange(side - 60), draw.randrange(side - 60)
            box = (x, y, x + draw.randrange(5, 60), y + draw.randrange(5, 60))
            targets.append(Target.of(annotation_id, draw.choice(present), box, True, side, side))
        scenes.append(Scene("train", image_id, f"{image_id}.jpg", side, side, tuple(sorted(targets))))
    return scenes


def microseconds(work, scenes: list[Scene], rounds: int = 3) -> float:
    """Give the processor time of the best of some rounds over all scenes."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for scene in scenes:
            work(scene)
        times.append(time.process_time() - start)
    return min(times) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=5000)
    scenes = made_up_scenes(parser.parse_args().scenes)
    print(f"{'task':16}{'records':>10}{'µs per record':>16}{'count: µs per image':>22}")
    rows = {task: Dialogues(CATEGORIES, subsets=SUBSETS_OF_TASK[task]) for task in MAKERS} | {
        "all": Dialogues(CATEGORIES)
    }
    for task, dialogues in rows.items():
        records = sum(sum(dialogues.count(scene).values()) for scene in scenes)
        telling, counting = (microseconds(work, scenes) for work in (dialogues.tell, dialogues.count))
        print(f"{task:16}{records:10,}{telling / records:16.2f}{counting / len(scenes):22.2f}")


if __name__ == "__main__":
    main()
