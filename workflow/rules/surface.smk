# The truncation surface: accuracy over lag and num_steps, beside what the last num_steps steps can tell.


rule surface:
    input:
        summary=f"{PLACE.results}/summary.csv",
        statistics=f"{PLACE.results}/statistics.csv",
        baselines=f"{PLACE.results}/baselines.csv",
        code=analysis_sources(ROOT, "workflow/tables/surface.py"),
    output:
        f"{PLACE.results}/surface.csv",
    log:
        f"{PLACE.logs}/surface.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        disk_mb=100,
    script:
        "../scripts/surface.py"
