# Fine-tune or score a published backbone: a rule for each room of tasks, under the room's name. Slots: backbones.smk.
from workflow.planning.runs import PLACES
from workflow.registry import room_rules

for room, kind, instances in plan.rooms:

    rule:
        name:
            room if kind == "train" else f"evaluate_{room}"
        input:
            unpack(run_inputs),
        output:
            record=f"results/{{experiment}}/{{task}}/{{backbone}}/{PLACES[kind]}/metrics.json",
            config=f"results/{{experiment}}/{{task}}/{{backbone}}/{PLACES[kind]}/config.json",
            predictions=f"results/{{experiment}}/{{task}}/{{backbone}}/{PLACES[kind]}/predictions.json",
            evidence=f"results/{{experiment}}/{{task}}/{{backbone}}/{PLACES[kind]}/per_image.npz",
        log:
            f"results/{{experiment}}/{{task}}/{{backbone}}/{PLACES[kind]}/log.txt",
        wildcard_constraints:
            experiment=plan.experiment,
            task=instances,
        conda:
            "../../environment.yml"
        threads: lambda w: plan.find(w).cores
        resources:
            gpu=lambda w: plan.find(w).gpus,
            mem_mb=lambda w: plan.memory(plan.find(w)),
            nodes=1,
            runtime=plan.minutes,
        params:
            tracked=lambda w: plan.find(w).tracked,
            command=lambda w, threads: plan.find(w).command,
        shell:
            "python -m workflow.training.distributed.launch {params.command:q} 2>&1 | keep {log:q}"


# What a room's runs share is made by rules of the room.
for rules in room_rules():

    include: rules
