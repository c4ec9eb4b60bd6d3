"""Where things lie that come with the package as data: in a clone beside it, in an installed wheel inside of it."""

from __future__ import annotations

from pathlib import Path

from sarchat2m.errors import SARChatError

__all__ = ["metric_path"]

_PACKAGE = Path(__file__).parent


def metric_path() -> Path:
    """Give the folder of the metric, for `evaluate.load(str(metric_path()))`.

    Raises `SARChatError` if it is missing.
    """
    for place in (_PACKAGE / "metrics", _PACKAGE.parent / "metrics"):
        if (folder := place / "sarchat_bench").is_dir():
            return folder
    raise SARChatError("The metric is missing: reinstall sarchat2m, or use it from a whole clone.")
