#!/bin/bash
# A job script for those who submit by hand. Copy it, fill in what is marked, and run: sbatch slurm_template.sh
#
# One task trains all seeds of one label count (every width and both length settings). Stopped by its time limit, it
# saves its exact state; submitted again, it goes on. Tasks never write the same file.

#SBATCH --job-name=closedist
#SBATCH --output=logs/%x-%A_%a.out      # the folder logs/ must exist
#SBATCH --array=0-3                     # one task a label count below
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@120             # two minutes before the limit, so that the state is saved
#SBATCH --requeue
##SBATCH --partition=FILL_IN
##SBATCH --gpus-per-task=1              # with a GPU: also add --cuda to the command

set -euo pipefail

LABELS=(4 6 10 18)
CLASSES=${LABELS[$SLURM_ARRAY_TASK_ID]}
DATE=2026-11-24                         # part of every file's name: keep it when submitting again

source .venv/bin/activate               # made by `make quickstart` or `make test`

# "exec" hands the signal on to Python
exec python run.py train-variations \
    --dataset-config="configs/radial_classification_20000_0_cls${CLASSES}.json" \
    --model-var-config="configs/model_variations_config_${CLASSES}_classes.json" \
    --train-config=configs/radial_classification_0_128_ADAM_0_0001.json \
    --date-str="$DATE" \
    --threads="$SLURM_CPUS_PER_TASK"

# then, on any machine that sees the folder:
#   python run.py get-accuracies --date-str=$DATE --layer-size=16,32,64,128,256 --num-classes=4
#   python run.py get-distances --date-str=$DATE --layer-size=16,32,64,128,256 --num-classes=4 \
#       --dist-type=max --sum-or-max=max --weight=0.00001 --num-samples=200
