# Along which path, and how far, the error goes: `snakemake gradients --configfile config/gradients.yaml`.
from workflow.experiment.measurement import MEASURED


rule gradients:
    input:
        FILES,


rule measured:
    input:
        measurements=lambda wildcards: [request.path for request in requested("measurement")],
        code=analysis_sources(ROOT, "workflow/tables/measurements.py"),
        kernel=ancient(KERNEL) if EXPERIMENT.is_fused else [],
    output:
        **{table: f"{PLACE.results}/{table}.csv" for table in MEASURED},
    log:
        f"{PLACE.logs}/{MEASURED[0]}.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
        disk_mb=1000,
    params:
        requested=lambda wildcards: digest_requests(requested("measurement")),
    script:
        "../scripts/measured.py"


rule truncation_cost:
    input:
        summary=f"{PLACE.results}/summary.csv",
        statistics=f"{PLACE.results}/statistics.csv",
        code=analysis_sources(ROOT, "workflow/tables/truncation_cost.py"),
    output:
        f"{PLACE.results}/truncation_cost.csv",
    log:
        f"{PLACE.logs}/truncation_cost.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        disk_mb=100,
    script:
        "../scripts/truncation_cost.py"
