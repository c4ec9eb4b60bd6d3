"""Build the dataset as it is published: `python build/generate.py SARDet-100K OUT`.

The same function that `sarchat2m build` calls, with the settings of the release: all splits and subsets, seed 0, as
many workers as there are processors, going on where an earlier run was interrupted.
"""

import os
import sys

from sarchat2m.build import Options, build
from sarchat2m.errors import SARChatError
from sarchat2m.terminal import progress_bars

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("Usage: python build/generate.py SARDet-100K OUT")
    try:
        with progress_bars("Looking at images", "Writing shards") as (on_check, on_build):
            manifest = build(
                sys.argv[1],
                sys.argv[2],
                Options(seed=0),
                workers=os.cpu_count() or 1,
                resume=True,
                on_check=on_check,
                on_build=on_build,
            )
    except SARChatError as error:
        sys.exit(f"Error: {error}")
    print(f"{sum(sum(counts.values()) for counts in manifest['records'].values()):,} records in {sys.argv[2]}")
