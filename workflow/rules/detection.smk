# Fine-tune a backbone for detection: SSD300 and Faster R-CNN (C4) on VOC07+12, and the latter on COCO.
# `tracked` and `run`: see pretrain.smk.


rule detection:
    input:
        weights=lambda w: plan.find(w).start(ancient),
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
        task="ssd_voc|faster_rcnn_voc|faster_rcnn_coco",
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
        out=subpath(output.record, parent=True),
    shell:
        "python -m workflow.training.launch detection.train --run {params.run:q} --backbone {input.weights:q}"
        " --data {input.check:q} --state {params.state:q} --out {params.out:q} 2>&1 | keep {log:q}"
