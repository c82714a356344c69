# Along which path, and how far, the error goes: `snakemake gradients --configfile config/gradients.yaml`.
from workflow.experiment.measurement import MEASURED
from workflow.jobs.measurement import Measurements
from workflow.jobs.resources import measuring_need

MEASUREMENTS = Measurements(EXPERIMENT)


rule gradients:
    input:
        TABLES,
        FIGURES,


# As in rule train, no code is an input: `settings` and `sources` are all that determines the numbers.
rule measure:
    output:
        measurement=f"{PLACE.results}/measurements/{paths.BLOCK}.json",
        provenance=f"{PLACE.results}/measurements/{paths.BLOCK}.provenance.json",
    log:
        f"{PLACE.logs}/measurements/{paths.BLOCK}.log",
    conda:
        "../envs/lagbench.yaml"
    threads: config["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: measuring_need(MEASUREMENTS.settings_text(wildcards)).mem_mb(attempt),
        runtime=lambda wildcards, attempt: measuring_need(MEASUREMENTS.settings_text(wildcards)).runtime(attempt),
        disk_mb=100,
        gpu=lambda wildcards: int(wildcards.device == "cuda"),
    params:
        settings=lambda wildcards: MEASUREMENTS.settings_text(wildcards),
        sources=lambda wildcards: MEASUREMENTS.sources_of(wildcards),
    shell:
        '"$LAGBENCH_PYTHON" "$LAGBENCH_ROOT/workflow/scripts/measure.py" --settings {params.settings:q}'
        " --sources {params.sources:q} --threads {threads} --minutes {resources.runtime}"
        " --run {output.measurement:q} --provenance {output.provenance:q} 2> {log:q}"


rule measured:
    input:
        measurements=lambda wildcards: MEASUREMENTS.paths,
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
        wanted=lambda wildcards: MEASUREMENTS.digest,
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
