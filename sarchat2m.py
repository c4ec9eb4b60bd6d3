"""The loading script of SARChat-2M, for datasets < 4 (newer versions run none: see the README for their way).

    load_dataset("sarchat2m.py", "referring", data_dir="<SARDet-100K>", trust_remote_code=True)

It makes the dialogues on the spot and leaves the images where they are; `pip install sarchat2m` first.
"""

from sarchat2m.builder import SARChat2M as _SARChat2M


class SARChat2M(_SARChat2M):
    """The package's builder; `datasets` looks for a class that stands in the script itself."""
