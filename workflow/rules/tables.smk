# Run records to tables, and tables to statistics. All are made anew when a run or their own code changes; it takes seconds.


rule summary:
    input:
        runs=lambda wildcards: [request.path for request in requested("run")],
        code=analysis_sources(ROOT, "workflow/tables/summary.py"),
        kernel=ancient(KERNEL) if EXPERIMENT.is_fused else [],
    output:
        summary=f"{PLACE.results}/summary.csv",
        curves=f"{PLACE.results}/curves.csv",
    log:
        f"{PLACE.logs}/summary.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
        disk_mb=1000,
    params:
        requested=lambda wildcards: digest_requests(requested("run")),
    script:
        "../scripts/summary.py"


rule provenance:
    input:
        runs=lambda wildcards: [request.path for request in requested("run")],
        code=analysis_sources(ROOT, "workflow/tables/summary.py"),
    output:
        f"{PLACE.results}/provenance.csv",
    log:
        f"{PLACE.logs}/provenance.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        disk_mb=100,
    script:
        "../scripts/provenance.py"


rule statistics:
    input:
        summary=f"{PLACE.results}/summary.csv",
        baselines=f"{PLACE.results}/baselines.csv" if "baselines" in config["tables"] else [],
        code=analysis_sources(ROOT, "workflow/scripts/statistics.py"),
    output:
        report(
            f"{PLACE.results}/statistics.csv",
            caption="../report/statistics.rst",
            category="Tables",
        ),
    log:
        f"{PLACE.logs}/statistics.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        disk_mb=100,
    script:
        "../scripts/statistics.py"


rule comparisons:
    input:
        summary=f"{PLACE.results}/summary.csv",
        statistics=f"{PLACE.results}/statistics.csv",
        code=analysis_sources(ROOT, "workflow/tables/comparisons.py"),
    output:
        f"{PLACE.results}/comparisons.csv",
    log:
        f"{PLACE.logs}/comparisons.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        disk_mb=100,
    script:
        "../scripts/comparisons.py"
