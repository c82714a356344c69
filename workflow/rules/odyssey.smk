# The tables of a random search: what each variant reaches, and which hyperparameter its accuracy depends on.


rule variants:
    input:
        summary=f"{PLACE.results}/summary.csv",
        baselines=f"{PLACE.results}/baselines.csv" if "baselines" in config["tables"] else [],
        code=analysis_sources(ROOT, "workflow/tables/odyssey.py"),
    output:
        f"{PLACE.results}/odyssey.csv",
    log:
        f"{PLACE.logs}/odyssey.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        disk_mb=100,
    params:
        search=lambda wildcards: EXPERIMENT.search,
    script:
        "../scripts/odyssey.py"


rule importance:
    input:
        summary=f"{PLACE.results}/summary.csv",
        code=analysis_sources(ROOT, "workflow/tables/odyssey_importance.py"),
    output:
        f"{PLACE.results}/odyssey_importance.csv",
    log:
        f"{PLACE.logs}/odyssey_importance.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        disk_mb=100,
    params:
        search=lambda wildcards: EXPERIMENT.search,
    script:
        "../scripts/odyssey_importance.py"


rule odyssey:
    input:
        expand(f"{PLACE.results}/{{table}}.csv", table=["odyssey", "odyssey_importance"]),
        expand(
            f"{PLACE.figures}/{{figure}}.{{format}}",
            figure=["odyssey_variants", "odyssey_importance"],
            format=["pdf", "svg", "png"],
        ),
