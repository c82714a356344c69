# One script per figure; the rule is generic.


rule figure:
    input:
        summary=f"{PLACE.results}/summary.csv",
        statistics=f"{PLACE.results}/statistics.csv",
        curves=f"{PLACE.results}/curves.csv",
        more=lambda wildcards: [
            f"{PLACE.results}/{table}.csv" for table in EXPERIMENT.registry.figures[wildcards.figure]
        ],
        code=lambda wildcards: list_analysis_sources(EXPERIMENT.tree, f"workflow/figures/{wildcards.figure}.py"),
        stale=lambda wildcards: update_derived(describe_figure(EXPERIMENT, wildcards.figure)),
    output:
        pdf=f"{PLACE.figures}/{{figure}}.pdf",
        svg=f"{PLACE.figures}/{{figure}}.svg",
        png=report(
            f"{PLACE.figures}/{{figure}}.png",
            caption="../report/caption.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        f"{PLACE.logs}/figures/{{figure}}.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
        disk_mb=100,
    params:
        basis=lambda wildcards: describe_figure(EXPERIMENT, wildcards.figure).basis,
        labels=EXPERIMENT.labels,
        caption=lambda wildcards: read_docstring(
            EXPERIMENT.code.locate(Path(f"workflow/figures/{wildcards.figure}.py"))
        ),
    script:
        "../scripts/figure.py"
