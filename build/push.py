"""Publish a built dataset, and with --metric the metric's Space too: `python build/push.py OUT org/sarchat2m --metric`.

Run it again after an interruption, and it goes on where it stopped; run it twice, and it sends nothing.
"""

from __future__ import annotations

import argparse
import sys

from sarchat2m.errors import SARChatError
from sarchat2m.hub import METRIC, push, push_metric


def main() -> None:
    """Push what the arguments name, and print how to load it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="the folder that `sarchat2m build` wrote")
    parser.add_argument("repo_id", help='where to, as "owner/name"')
    parser.add_argument("--private", action="store_true", help="create it private")
    parser.add_argument("--revision", help="a branch other than main")
    parser.add_argument("--pull-request", action="store_true", help="open a pull request, or go on with it")
    parser.add_argument("--overwrite", action="store_true", help="push even where something else stands")
    parser.add_argument("--metric", action="store_true", help=f"push the metric to owner/{METRIC} as well")
    options = parser.parse_args()
    how = {
        "private": options.private,
        "revision": options.revision,
        "create_pr": options.pull_request,
        "overwrite": options.overwrite,
    }
    try:
        print(push(options.dataset, options.repo_id, tell=print, **how).load_line)
        if options.metric:
            owner = options.repo_id.partition("/")[0]
            print(push_metric(f"{owner}/{METRIC}", tell=print, **how).load_line)
    except SARChatError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
