# Caption with a backbone: NIC on COCO. A frozen encoder's features are computed once for all transfer seeds, the
# vocabulary once for all runs. `tracked` and `run`: see pretrain.smk.
from workflow.reasons import fingerprint, settled


localrules:
    vocabulary,


rule vocabulary:
    input:
        check=lambda w: settled(ancient, plan.shown("nic_coco")[0].vocabulary)(plan.checks["coco"]),
        gate=lambda w: settled(ancient, plan.shown("nic_coco")[0].vocabulary)("results/data/checked.txt"),
    output:
        folder=directory("results/vocabularies/coco-{key}/{threshold}"),
    log:
        "results/vocabularies/coco-{key}/{threshold}.log",
    wildcard_constraints:
        threshold=r"\d+",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        tracked=lambda w: fingerprint(plan.shown("nic_coco")[0], plan.shown("nic_coco")[0].vocabulary),
    shell:
        "python -m captioning.vocabulary --data {input.check:q} --threshold {wildcards.threshold:q}"
        " --out {output.folder:q} 2>&1 | keep {log:q}"


rule features:
    input:
        weights=lambda w: plan.find(w, "features").start(ancient),
        check=lambda w: plan.find(w, "features").settled(ancient)(plan.find(w, "features").check),
        gate=lambda w: plan.find(w, "features").settled(ancient)("results/data/checked.txt"),
    output:
        folder=directory("results/features/{backbone}-{key}/seed{p}/{views}"),
    log:
        "results/features/{backbone}-{key}/seed{p}/{views}.log",
    wildcard_constraints:
        views="[0-9a-f]{10}",
    conda:
        "../../environment.yml"
    threads: lambda w: plan.find(w, "features").cores
    resources:
        gpu=lambda w: plan.find(w, "features").gpus,
        mem_mb=lambda w: plan.memory(plan.find(w, "features")),
        runtime=plan.minutes,
    params:
        tracked=lambda w: plan.find(w, "features").tracked,
        run=lambda w, threads: plan.find(w, "features").json,
    shell:
        "python -m workflow.training.launch captioning.features --run {params.run:q} --backbone {input.weights:q}"
        " --data {input.check:q} --out {output.folder:q} 2>&1 | keep {log:q}"


rule captioning:
    input:
        weights=lambda w: plan.find(w).start(ancient),
        features=lambda w: plan.find(w).features or [],
        vocabulary=lambda w: plan.find(w).settled(ancient)(plan.find(w).vocabulary),
        check=lambda w: plan.find(w).settled(ancient)(plan.find(w).check),
        gate=lambda w: plan.find(w).settled(ancient)("results/data/checked.txt"),
    output:
        record="results/{experiment}/{task}/{backbone}/p{p}s{s}/metrics.json",
        config="results/{experiment}/{task}/{backbone}/p{p}s{s}/config.json",
        predictions="results/{experiment}/{task}/{backbone}/p{p}s{s}/predictions.json",
        evidence="results/{experiment}/{task}/{backbone}/p{p}s{s}/evidence.npz",
    log:
        "results/{experiment}/{task}/{backbone}/p{p}s{s}/log.txt",
    wildcard_constraints:
        experiment=plan.experiment,
        task="nic_coco",
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
        run=lambda w, threads: plan.find(w).json,
        state=lambda w: plan.find(w).state,
        features=lambda w: plan.find(w).features or "none",
        out=subpath(output.record, parent=True),
    shell:
        "python -m workflow.training.launch captioning.train --run {params.run:q} --backbone {input.weights:q}"
        " --features {params.features:q} --vocabulary {input.vocabulary:q} --data {input.check:q}"
        " --state {params.state:q} --out {params.out:q} 2>&1 | keep {log:q}"
