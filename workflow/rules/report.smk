# Photos to the gallery, records to tables and page. At any time, also without all records: python -m
# workflow.reporting.report.
# `tracked` and `config` as `tracked` and `command` in backbones.smk.
import json

from workflow.reporting.tables.paper_deviations import departures


report: "../report/workflow.rst"


localrules:
    report,


rule gallery:
    input:
        # Nothing to draw: the command says so at once.
        check=ancient_if_exists(ancient, f"{plan.folder}/gallery.png")(plan.pretraining_check) if plan.gallery else [],
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
    threads: plan.resources["cpu_threads"]
    resources:
        gpu=0,
        mem_mb=2000,
        runtime=plan.brief,
    params:
        tracked=lambda w: plan.gallery_of,
        config=lambda w, threads: plan.text,
        check=lambda w: plan.pretraining_check,
    shell:
        "python -m pretrain gallery --config {params.config:q} --dataset-info {params.check:q} --out {output.png:q}"
        " 2>&1 | keep {log:q}"


rule draw_activations:
    input:
        weights=[run.start(ancient) for run in plan.classifiers],
        records=[run.record for run in plan.classifiers],
        check=ancient_if_exists(ancient, f"{plan.folder}/activations.png")(plan.pretraining_check),
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
        "python -m pretrain cam --runs {params.runs:q} --dataset-info {input.check:q} --out {output.png:q} 2>&1 | keep {log:q}"


for figure, room in plan.figure_kinds:

    rule:
        name:
            f"draw_{figure.name}"
        input:
            unpack(figure_inputs(figure.name)),
        output:
            drawn=in_report(f"{plan.folder}/{figure.name}_{{task}}{figure.suffix}", figure, room),
        log:
            f"{plan.folder}/{figure.name}_{{task}}.txt",
        wildcard_constraints:
            task=pattern(plan.tasks),
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            gpu=0,
            mem_mb=figure_memory(figure.name),
            runtime=plan.brief,
        params:
            command=[room.name, figure.subcommand],
            runs=lambda w: plan.folders(plan.shown(w.task)),
        shell:
            "python -m {params.command:q} --runs {params.runs:q} --dataset-info {input.check:q} --out {output.drawn:q}"
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
        json=f"{plan.folder}/transfer.json",
        pdf=plan.for_papers,
        records=plan.records_zip,
        html=report(
            f"{plan.folder}/transfer.html",
            caption="../report/transfer.rst",
            category="Table",
        ),
        answer=report(plan.answer, caption="../report/answer.rst", category="Answer"),
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
        pages=[report(page, caption=str(caption), category=title) for page, title, caption in plan.pages],
    log:
        f"{plan.folder}/log.txt",
    retries: 0
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=plan.report_memory,
    params:
        tracked=lambda w: plan.tracked,
        departures=lambda w: json.dumps(departures(plan.config)),  # follows config/paper.yaml
        config=lambda w, threads: plan.text,
        out=subpath(output.csv, parent=True),
    shell:
        "python -m workflow.reporting.report --config {params.config:q} --out {params.out:q} 2>&1 | keep {log:q}"
