"""The exported folders in the hands of their consumers: ms-swift trains and infers by our recipes, TRL collates.

Slow, and in an environment of their own: `bash tests/export/environment.sh trainers` makes it.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from sarchat2m.export import export
from sarchat2m.vocabulary import SUBSETS

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = ROOT / ".venv-trainers" / "bin"


def run(command: list[str | Path], folder: Path, **variables: str) -> str:
    """Run a command in the trainers' environment, without network and with all caches in `folder`."""
    paths = {name: str(folder / "cache") for name in ("HF_HOME", "MODELSCOPE_CACHE", "TRITON_CACHE_DIR")}
    offline = {"HF_HUB_OFFLINE": "1", "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": ""}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **paths, **offline, **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (BIN / "swift").exists():
        pytest.skip("needs .venv-trainers: bash tests/export/environment.sh trainers")
    return tmp_path_factory.mktemp("trainers")


@pytest.fixture(scope="module")
def tiny_model(workplace: Path) -> Path:
    run([BIN / "python", HERE / "tiny_model.py", workplace / "tiny"], workplace)
    return workplace / "tiny"


@pytest.fixture(scope="module")
def swift_folder(built: Path, workplace: Path) -> Path:
    export(built, workplace / "ms-swift", format="ms-swift")
    return workplace / "ms-swift"


SWIFT_LOADS = """
import json, sys
from swift.dataset import load_dataset
loaded, _ = load_dataset(sys.argv[1:])
print("LOADED", json.dumps([loaded[number] for number in range(len(loaded))]))
"""


def test_ms_swift_loads_every_record(swift_folder, workplace):
    files = sorted(swift_folder.glob("test-*.jsonl"))
    printed = run([BIN / "python", "-c", SWIFT_LOADS, *files], workplace, ROOT_IMAGE_DIR=str(swift_folder))
    [loaded] = [line for line in printed.splitlines() if line.startswith("LOADED")]
    found = json.loads(loaded.removeprefix("LOADED"))
    expected = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert [row["messages"] for row in found] == [row["messages"] for row in expected]
    assert [[image["path"] for image in row["images"]] for row in found] == [row["images"] for row in expected]


def test_the_recipes_train_and_infer(swift_folder, tiny_model, workplace):
    """`finetune.sh` and `infer.sh` as they are; only the model, the steps and the processor are made small."""
    family = ["--model_type", "llava1_5_hf", "--template", "llava1_5_hf"]
    small = ["--use_cpu", "true", "--max_steps", "2", "--gradient_accumulation_steps", "1"]
    train = ["bash", ROOT / "recipes" / "finetune.sh", tiny_model, swift_folder, workplace / "run"]
    run([*train, *family, *small], workplace, GPUS="1")
    [adapters] = (workplace / "run").glob("checkpoint-*")
    chosen = json.loads((adapters / "adapter_config.json").read_text())
    assert (chosen["r"], chosen["lora_alpha"]) == (8, 32)
    arguments = json.loads((adapters / "args.json").read_text())
    assert arguments["learning_rate"] == 1e-4
    assert arguments["warmup_ratio"] == 0.1
    assert arguments["num_train_epochs"] == 1
    assert arguments["torch_dtype"] == "bfloat16"
    assert arguments["target_modules"] == ["all-linear"]
    files = sorted(swift_folder.glob("train-*.jsonl"))
    assert [Path(path).name for path in arguments["dataset"]] == [path.name for path in files]

    few = workplace / "few"
    few.mkdir()
    for split in ("train", "validation", "test"):
        (few / split).symlink_to(swift_folder / split)
    for subset in SUBSETS:
        text = (swift_folder / f"test-{subset}.jsonl").read_text(encoding="utf-8")
        (few / f"test-{subset}.jsonl").write_text("".join(text.splitlines(keepends=True)[:1]), encoding="utf-8")
    infer = ["bash", ROOT / "recipes" / "infer.sh", adapters, few, workplace / "result.jsonl"]
    run([*infer, "--max_new_tokens", "8"], workplace)
    rows = [json.loads(line) for line in (workplace / "result.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == len(SUBSETS)
    example = json.loads((ROOT / "tests" / "data" / "swift_infer.jsonl").read_text(encoding="utf-8").splitlines()[0])
    for row in rows:
        assert row.keys() == example.keys(), "our example of ms-swift's results is out of date"
        subset = Path(row["dataset"]).stem.removeprefix("test-")
        record = json.loads((few / f"test-{subset}.jsonl").read_text(encoding="utf-8"))
        assert row["labels"] == record["messages"][1]["content"]
        assert [image["path"] for image in row["images"]] == record["images"]
        assert isinstance(row["response"], str)


@pytest.mark.parametrize("gpus", [1, 2, 4, 8])
def test_the_effective_batch_is_32(swift_folder, workplace, gpus):
    """A `swift` that only tells what it was given stands in front of the real one."""
    teller = workplace / f"teller{gpus}"
    teller.mkdir()
    (teller / "swift").write_text('#!/bin/sh\necho "processes ${NPROC_PER_NODE:-1}"\nprintf "%s\\n" "$@"\n')
    (teller / "swift").chmod(0o755)
    command = ["bash", ROOT / "recipes" / "finetune.sh", "model", swift_folder, "out"]
    told = run(command, workplace, GPUS=str(gpus), PATH=f"{teller}:{os.environ['PATH']}").split()
    each = int(told[told.index("--per_device_train_batch_size") + 1])
    steps = int(told[told.index("--gradient_accumulation_steps") + 1])
    assert int(told[1]) == gpus
    assert each * steps * gpus == 32


COLLATES = """
import json, sys
from datasets import load_dataset
from transformers import AutoProcessor
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling
records = load_dataset("imagefolder", data_dir=sys.argv[1], split="test")
processor = AutoProcessor.from_pretrained(sys.argv[2])
batch = DataCollatorForVisionLanguageModeling(processor)([records[number] for number in range(len(records))])
texts = processor.tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True)
print("BATCH", json.dumps([list(batch["pixel_values"].shape), list(batch["labels"].shape), texts]))
"""


def test_trl_collates_images_and_messages(built, tiny_model, workplace):
    export(built, workplace / "trl", config="counting", split="test", format="trl")
    printed = run([BIN / "python", "-c", COLLATES, workplace / "trl", tiny_model], workplace)
    [batch] = [line for line in printed.splitlines() if line.startswith("BATCH")]
    pixels, labels, texts = json.loads(batch.removeprefix("BATCH"))
    metadata = (workplace / "trl" / "test" / "metadata.jsonl").read_text(encoding="utf-8")
    records = [json.loads(line) for line in metadata.splitlines()]
    assert pixels == [len(records), 3, 28, 28]
    assert labels[0] == len(records)
    for text, record in zip(texts, records, strict=True):
        user, assistant = record["messages"]
        assert user["content"][1]["text"] in text
        assert assistant["content"][0]["text"] in text
