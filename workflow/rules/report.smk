# Photos to the gallery, records to tables and page. At any time, also without all records: python -m
# workflow.reporting.report.
# `tracked` and `config` as `tracked` and `run` in pretrain.smk.
import json

from workflow.reporting.differences import departures


report: "../report/workflow.rst"


localrules:
    report,


rule gallery:
    input:
        # Nothing to draw: the door says so at once.
        check=settled(ancient, f"{plan.folder}/gallery.png")(plan.checks["imagenet"]) if plan.gallery else [],
    output:
        png=report(
            f"{plan.folder}/gallery.png",
            caption="../report/gallery.rst",
            category="Gallery",
        ),
    log:
        f"{plan.folder}/gallery.txt",
    conda:
        "../../environment.yml"
    threads: plan.config["threads"]
    resources:
        gpu=0,
        mem_mb=2000,
        runtime=plan.brief,
    params:
        tracked=lambda w: plan.gallery_of,
        config=lambda w, threads: plan.text,
        check=lambda w: plan.checks["imagenet"],
    shell:
        "python -m pretrain.gallery --config {params.config:q} --data {params.check:q} --out {output.png:q}"
        " 2>&1 | keep {log:q}"


rule draw_activations:
    input:
        weights=[run.start(ancient) for run in plan.classifiers],
        records=[run.record for run in plan.classifiers],
        check=settled(ancient, f"{plan.folder}/activations.png")(plan.checks["imagenet"]),
    output:
        png=report(
            f"{plan.folder}/activations.png",
            caption="../report/activations.rst",
            category="Class activation maps",
        ),
    log:
        f"{plan.folder}/activations.txt",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=2000,
        runtime=plan.brief,
    params:
        tracked=lambda w: [run.tracked for run in plan.classifiers],
        runs=plan.folders(plan.classifiers),
    shell:
        "python -m pretrain.cam --run {params.runs:q} --data {input.check:q} --out {output.png:q} 2>&1 | keep {log:q}"


rule draw_detections:
    input:
        files=lambda w: plan.files(w.task, "predictions.json", "evidence.npz", "metrics.json"),
        check=lambda w: settled(ancient, f"{plan.folder}/detections_{w.task}.jpg")(plan.shown(w.task)[0].check),
    output:
        jpg=report(
            f"{plan.folder}/detections_{{task}}.jpg",
            caption="../../detection/report/detections.rst",
            category="Detections",
            labels={"task": "{task}"},
        ),
    log:
        f"{plan.folder}/detections_{{task}}.txt",
    wildcard_constraints:
        task="|".join(plan.tasks),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=lambda w: 6000 if w.task == "faster_rcnn_coco" else 2000,  # val2014's truth and detections
        runtime=plan.brief,
    params:
        runs=lambda w: plan.folders(plan.shown(w.task)),
    shell:
        "python -m detection.pictures --run {params.runs:q} --data {input.check:q} --out {output.jpg:q}"
        " 2>&1 | keep {log:q}"


rule draw_captions:
    input:
        files=plan.files("nic_coco", "predictions.json", "evidence.npz", "metrics.json"),
        check=settled(ancient, f"{plan.folder}/captions.json")(plan.checks.get("coco", [])),
    output:
        json=f"{plan.folder}/captions.json",
    log:
        f"{plan.folder}/captions.txt",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=2000,
        runtime=plan.brief,
    params:
        runs=plan.folders(plan.shown("nic_coco")),
    shell:
        "python -m captioning.examples --run {params.runs:q} --data {input.check:q} --out {output.json:q}"
        " 2>&1 | keep {log:q}"


rule report:
    input:
        figures=list(plan.figures.values()),
        records=[run.record for run in plan.runs],
        evidence=plan.evidence,
    output:
        csv=f"{plan.folder}/transfer.csv",
        md=f"{plan.folder}/transfer.md",
        tex=f"{plan.folder}/transfer.tex",
        html=report(
            f"{plan.folder}/transfer.html",
            caption="../report/transfer.rst",
            category="Table",
        ),
        curves=report(
            plan.curves,
            caption="../report/curves.rst",
            category="Learning curves",
        ),
        per_class=report(
            plan.per_class,
            caption="../report/per_class.rst",
            category="Average precision of each class",
        ),
        captions=report(
            plan.captions,
            caption="../../captioning/report/captions.rst",
            category="Captions",
        ),
    log:
        f"{plan.folder}/log.txt",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=3000 if "faster_rcnn_coco" in plan.tasks else 1000,
    params:
        tracked=lambda w: plan.tracked,
        departures=lambda w: json.dumps(departures(plan.config)),  # follows config/paper.yaml
        config=lambda w, threads: plan.text,
        out=subpath(output.csv, parent=True),
    shell:
        "python -m workflow.reporting.report --config {params.config:q} --out {params.out:q} 2>&1 | keep {log:q}"
