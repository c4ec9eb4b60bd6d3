"""Where the data lies that comes with the package: beside it in a clone, inside of it where a wheel is installed."""

from __future__ import annotations

from pathlib import Path

from sarchat2m.errors import SARChatError

__all__ = ["card_template_path", "metric_path", "recipes_path"]


def metric_path() -> Path:
    """Give the folder of the metric, for `evaluate.load(str(metric_path()))`.

    Raises:
        SARChatError: This installation has none.
    """
    return _find("metrics/sarchat_bench")


def card_template_path() -> Path:
    """Give the text of the dataset card.

    Raises:
        SARChatError: This installation has none.
    """
    return _find("dataset_card/template.md")


def recipes_path() -> Path:
    """Give the folder of the recipes; in it is what `lmms-eval --include_path` takes, `lmms_eval`.

    Raises:
        SARChatError: This installation has none.
    """
    return _find("recipes")


def _find(name: str) -> Path:
    package = Path(__file__).parent
    for place in (package.parent / name, package / name):
        if place.exists():
            return place
    raise SARChatError(
        f"This installation of sarchat2m has no {name}: install it again, from its wheel or a whole clone."
    )
