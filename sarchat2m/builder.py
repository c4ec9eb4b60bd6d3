"""A `datasets` builder straight over SARDet-100K on disk: nothing is built first, and no image is copied.

The records name their images by path, so the cache holds text only. It serves the loading script `sarchat2m.py` on
datasets < 4, and any version from Python:

    SARChat2M("referring", data_dir="SARDet-100K").download_and_prepare()
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import datasets

from sarchat2m import __version__
from sarchat2m.dialogues import Dialogues
from sarchat2m.errors import SARChatError
from sarchat2m.scene import Scene, Target
from sarchat2m.schema import features_of
from sarchat2m.source import read_categories, read_source
from sarchat2m.vocabulary import CONFIGS, TASK_OF_SUBSET

__all__ = ["SARChat2M", "SARChat2MConfig"]

DESCRIPTION = "SARChat-2M: dialogues in six tasks over the SAR images of SARDet-100K."


@dataclass
class SARChat2MConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """One of the 14 configs, with what a build is asked for too."""

    seed: int = 0
    """Every choice of a template comes from it."""
    variants: int = 7
    """Records of identification per target, 1 to 20."""


class SARChat2M(datasets.GeneratorBasedBuilder):  # type: ignore[misc]
    """SARChat-2M over the SARDet-100K (or other COCO detection set in its layout) in `data_dir`.

    Raises:
        SARChatError: `data_dir` is not given, or the source has a problem.
    """

    VERSION = datasets.Version(__version__)
    BUILDER_CONFIG_CLASS = SARChat2MConfig
    BUILDER_CONFIGS: ClassVar = [SARChat2MConfig(name=name, version=datasets.Version(__version__)) for name in CONFIGS]

    def __init__(self, *args: Any, data_dir: str | None = None, hash: str | None = None, **kwargs: Any) -> None:
        if data_dir:
            # The cache goes by this: a source whose annotations were mended must not be served from the old ones.
            digest = hashlib.sha256(f"{hash} {__version__}".encode())
            for file in sorted(Path(data_dir, "Annotations").glob("*.json")):
                digest.update(file.read_bytes())
            hash = digest.hexdigest()
        super().__init__(*args, data_dir=data_dir, hash=hash, **kwargs)

    def _info(self) -> datasets.DatasetInfo:
        subset = CONFIGS[self.config.name][0]
        return datasets.DatasetInfo(
            description=DESCRIPTION, features=features_of(subset, read_categories(self._source_folder()))
        )

    def _source_folder(self) -> Path:
        if not self.config.data_dir:
            raise SARChatError('SARChat2M needs the folder of SARDet-100K: data_dir="<folder>".')
        return Path(self.config.data_dir)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        source = read_source(self._source_folder())
        if source.problems:
            raise SARChatError(source.problems[0].sentence)
        dialogues = Dialogues(source.categories, self.config.seed, self.config.variants, self._subsets())
        generators = []
        for split in source.splits.values():
            arguments: dict[str, Any] = {"scenes": split.scenes, "paths": split.paths, "dialogues": dialogues}
            # A split without a record is not declared, as in the built dataset.
            if next(self._generate_examples(**arguments), None) is not None:
                generators.append(datasets.SplitGenerator(name=split.name, gen_kwargs=arguments))
        if not generators:
            raise SARChatError(f"{source.root} gives no record of the config {self.config.name!r}; choose another one.")
        return generators

    def _subsets(self) -> tuple[str, ...]:
        return () if self.config.name == "images" else CONFIGS[self.config.name]

    def _generate_examples(
        self, scenes: list[Scene], paths: list[str], dialogues: Dialogues
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
        for scene, path in zip(scenes, paths, strict=True):
            about_image = {"image": path, "image_id": scene.image_id, "width": scene.width, "height": scene.height}
            if self.config.name == "images":
                yield scene.image_id, about_image | {"objects": _objects(scene.targets)}
            for record in dialogues.tell(scene):
                yield (
                    record.id,
                    {
                        "id": record.id,
                        **about_image,
                        "task": TASK_OF_SUBSET[record.subset],
                        "subset": record.subset,
                        "question": record.question,
                        "answer": record.answer,
                        "objects": _objects(record.objects),
                    },
                )


def _objects(targets: Sequence[Target]) -> list[dict[str, Any]]:
    return [{"bbox": list(target.box), "category": target.category} for target in targets]
