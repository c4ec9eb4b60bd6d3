#!/usr/bin/env bash
# The paper's fine-tuning (section 5.1) with ms-swift 4.6, on a folder that `sarchat2m export --format ms-swift` wrote.
#
#   recipes/finetune.sh MODEL DATA OUT [further ms-swift options]
#   recipes/finetune.sh Qwen/Qwen2-VL-2B-Instruct export runs/qwen2-vl-2b
#
# GPUS is the number of GPUs, 2 in the paper: 4 records a GPU and step, 32 over all of them and the accumulated steps.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "Usage: $0 MODEL DATA OUT [further ms-swift options]" >&2
    exit 2
fi
model=$1 data=$2 out=$3
shift 3
gpus=${GPUS:-2}
[ "$gpus" -gt 1 ] && export NPROC_PER_NODE=$gpus

export ROOT_IMAGE_DIR=$data
swift sft \
    --model "$model" --use_hf true \
    --dataset "$data"/train-*.jsonl --split_dataset_ratio 0 \
    --tuner_type lora --lora_rank 8 --lora_alpha 32 --target_modules all-linear \
    --torch_dtype bfloat16 \
    --learning_rate 1e-4 --warmup_ratio 0.1 --num_train_epochs 1 \
    --per_device_train_batch_size 4 --gradient_accumulation_steps $((32 / (4 * gpus))) \
    --dataset_num_proc 4 --dataloader_num_workers 4 \
    --save_steps 2000 --save_total_limit 2 --logging_steps 20 \
    --output_dir "$out" --add_version false \
    "$@"
