#!/bin/bash
# A job script for those who submit by hand; `closedist train-variations --slurm` does the same by itself (docs/cluster.md).
# Copy it, fill in what is marked, and run: sbatch slurm_template.sh
#
# One task trains all seeds of one label count (every width and all four length settings). Two minutes before its time limit
# it saves its exact state and puts itself back into the queue; after scancel or a lost node, submit again: it goes on
# where it was, and models that are there are not trained again. Tasks never write the same file.

#SBATCH --job-name=closedist
#SBATCH --output=closedist-%A_%a.out    # beside this script; add a folder only if it exists, or the job fails silently
#SBATCH --open-mode=append              # a task in its second turn writes on
#SBATCH --array=0-3                     # one task a label count below
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120             # two minutes before the time limit, to this script
#SBATCH --requeue                       # also after a lost node or a preemption
##SBATCH --partition=FILL_IN
##SBATCH --gpus-per-task=1              # with a GPU: also add --cuda to the command

LABELS=(4 6 10 18)
CLASSES=${LABELS[$SLURM_ARRAY_TASK_ID]}
DATE=2026-11-24                         # FILL_IN: part of every file's name; keep it when submitting again

source .venv/bin/activate || exit 1     # made by `make quickstart` or `make test`

python run.py train-variations \
    --dataset-config="configs/radial_classification_20000_0_cls${CLASSES}.json" \
    --model-var-config="configs/model_variations_config_${CLASSES}_classes.json" \
    --train-config=configs/radial_classification_0_128_ADAM_0_0001.json \
    --date-str="$DATE" \
    --threads="$SLURM_CPUS_PER_TASK" &
training=$!

go_on_later() {
    kill -TERM "$training"              # saves the exact state and stops
    wait "$training"
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
    exit
}
trap go_on_later USR1
wait "$training"

# then, on any machine that sees the folder:
#   python run.py get-accuracies --date-str=$DATE --layer-size=16,32,64,128,256 --num-classes=4
#   python run.py get-distances --date-str=$DATE --layer-size=16,32,64,128,256 --num-classes=4 \
#       --dist-type=max --sum-or-max=max --weight=0.00001 --num-samples=200
