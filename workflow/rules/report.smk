# Photos to the gallery, records to tables and page. At any time, also without all records: python -m
# workflow.reporting.report.
# `tracked` and `config` as `tracked` and `run` in pretrain.smk.
report: "../report/workflow.rst"


localrules:
    report,


rule gallery:
    input:
        check=ancient(plan.checks["imagenet"]) if plan.gallery else [],  # nothing to draw: the door says so at once
    output:
        png=report(
            f"results/{plan.experiment}/report/gallery.png",
            caption="../report/gallery.rst",
            category="Gallery",
        ),
    log:
        f"results/{plan.experiment}/report/gallery.txt",
    conda:
        "../../environment.yml"
    threads: plan.config["threads"]
    resources:
        mem_mb=2000,
    params:
        tracked=lambda w: [run.tracked for run in plan.gallery],
        config=lambda w, threads: plan.text,
        check=lambda w: plan.checks["imagenet"],
    shell:
        "python -m pretrain.gallery --config {params.config:q} --data {params.check:q} --out {output.png:q}"
        " 2>&1 | tee -ia {log:q}"


rule report:
    input:
        figures=list(plan.figures.values()),
        records=[run.record for run in plan.runs],
    output:
        csv="results/{experiment}/report/transfer.csv",
        md="results/{experiment}/report/transfer.md",
        html=report(
            "results/{experiment}/report/transfer.html",
            caption="../report/transfer.rst",
            category="Table",
        ),
    log:
        "results/{experiment}/report/log.txt",
    wildcard_constraints:
        experiment=plan.experiment,
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        tracked=lambda w: plan.tracked,
        config=lambda w, threads: plan.text,
        out=subpath(output.csv, parent=True),
    shell:
        "python -m workflow.reporting.report --config {params.config:q} --out {params.out:q} 2>&1 | tee -ia {log:q}"
