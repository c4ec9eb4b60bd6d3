#!/usr/bin/env bash
# A fine-tuned model's answers to the test set, with ms-swift 4.6, in a file that `sarchat2m score` reads.
#
#   recipes/infer.sh ADAPTERS DATA RESULT.jsonl [further ms-swift options]
#   recipes/infer.sh runs/qwen2-vl-2b/checkpoint-57404 export qwen2-vl-2b.jsonl
#
# The model that the adapters belong to is noted in their folder. Decoding is greedy, so that a score can be repeated.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "Usage: $0 ADAPTERS DATA RESULT.jsonl [further ms-swift options]" >&2
    exit 2
fi
adapters=$1 data=$2 result=$3
shift 3
if [ -e "$result" ]; then
    echo "$result is there already, and ms-swift would append to it: name another file." >&2
    exit 1
fi

export ROOT_IMAGE_DIR=$data
swift infer \
    --adapters "$adapters" \
    --val_dataset "$data"/test-*.jsonl \
    --temperature 0 --max_new_tokens 1024 --max_batch_size 16 \
    --result_path "$result" \
    "$@"
