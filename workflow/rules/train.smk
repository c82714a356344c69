# One job per condition and seed block: it trains all replicas of the block and writes a run record and its provenance.
from workflow.jobs.resources import training_need


# A job's code is no input: the time of a file's last change would then retrain. `sources` is the digest of the code that
# determines the numbers, without comments, and `settings` is everything else that determines them. Whatever changes no
# number (threads, paths, the Python's place) reaches the job by another way.
# With packing it only takes over what packs have trained, beside Snakemake (pack.smk).
rule train:
    output:
        run=f"{PLACE.runs}/{paths.BLOCK}.json",
        provenance=f"{PLACE.runs}/{paths.BLOCK}.provenance.json",
    log:
        f"{PLACE.logs}/{paths.BLOCK}.log",
    localrule: config["conditions_per_job"] > 1
    conda:
        "../envs/lagbench.yaml"
    threads: config["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: training_need(EXPERIMENT.settings_text(wildcards)).mem_mb(attempt),
        runtime=lambda wildcards, attempt: training_need(EXPERIMENT.settings_text(wildcards)).runtime(attempt),
        disk_mb=100,
        gpu=lambda wildcards: int(wildcards.device == "cuda"),
    params:
        settings=lambda wildcards: EXPERIMENT.settings_text(wildcards),
        sources=lambda wildcards: EXPERIMENT.sources_of(wildcards),
    shell:
        '"$LAGBENCH_PYTHON" "$LAGBENCH_ROOT/workflow/scripts/train.py" --settings {params.settings:q}'
        " --sources {params.sources:q} --threads {threads} --minutes {resources.runtime}"
        " --run {output.run:q} --provenance {output.provenance:q} 2> {log:q}"
