"""SARChat-2M: two million dialogues over SAR images, built from SARDet-100K.

    from sarchat2m import load                      # records joined with their images, each stored once
    from sarchat2m.build import Options, build      # the dataset from SARDet-100K, or from your own COCO set
    from sarchat2m.builder import SARChat2M         # the same records straight over the images on disk

The command line `sarchat2m` offers the rest.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["__version__", "load", "with_images"]

if TYPE_CHECKING:
    from sarchat2m.join import load, with_images


def __getattr__(name: str) -> Any:
    # `datasets` takes a second to import; the command line and the workers should not wait for it unasked.
    if name in ("load", "with_images"):
        from sarchat2m import join

        return getattr(join, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
