# Random weight guessing and the constant predictor, next to every accuracy: `snakemake baselines` makes the table.


rule baselines:
    input:
        records=lambda wildcards: [request.path for request in requested("baseline")],
        code=analysis_sources(ROOT, "workflow/tables/baselines.py"),
        kernel=ancient(KERNEL) if EXPERIMENT.is_fused else [],
    output:
        f"{PLACE.results}/baselines.csv",
    log:
        f"{PLACE.logs}/baselines.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        disk_mb=100,
    params:
        requested=lambda wildcards: digest_requests(requested("baseline")),
    script:
        "../scripts/baselines.py"
