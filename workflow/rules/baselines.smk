# Random weight guessing and the constant predictor, beside every accuracy: `snakemake baselines` makes the table.
from workflow.jobs.baseline import Baselines
from workflow.jobs.resources import guessing_need

BASELINES = Baselines(EXPERIMENT)


# As in rule train, no code is an input: `settings` and `sources` are all that determines the numbers. The job writes
# provenance beside its record; it is not declared, for then records that were made without it would be made again.
rule baseline:
    output:
        f"{PLACE.results}/baselines/{paths.BASELINE}.json",
    log:
        f"{PLACE.logs}/baselines/{paths.BASELINE}.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: guessing_need(BASELINES.settings_text(wildcards)).mem_mb(attempt),
        runtime=lambda wildcards, attempt: guessing_need(BASELINES.settings_text(wildcards)).runtime(attempt),
        disk_mb=100,
        gpu=lambda wildcards: int(wildcards.device == "cuda"),
    params:
        settings=lambda wildcards: BASELINES.settings_text(wildcards),
        sources=lambda wildcards: BASELINES.sources_of(wildcards),
    shell:
        '"$LAGBENCH_PYTHON" "$LAGBENCH_ROOT/workflow/scripts/guess.py" --settings {params.settings:q}'
        " --sources {params.sources:q} --output {output:q} 2> {log:q}"


rule baselines:
    input:
        records=lambda wildcards: BASELINES.paths,
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
        wanted=lambda wildcards: BASELINES.digest,
    script:
        "../scripts/baselines.py"
