# One rule per kind of job: it writes a record and its provenance, from settings and code alone.
KERNEL = f"{PLACE.results}/kernel.compiled"


# The fused kernel, compiled before anything trains: jobs that start together then load its machine code. No run has it as
# an input, for Snakemake would then train finished runs again: all of them where one is new and the marker is missing.
# The table of runs requests it instead, and priority and all cores let it go first and alone. The marker says nothing of
# the machine code, so it goes when the table is there. A cluster's jobs do not wait: of those on one type of CPU the first
# compiles and the others wait for it (models/kernels/compilation.py), as without this rule.
rule kernel:
    output:
        temp(touch(KERNEL)),
    log:
        f"{PLACE.logs}/kernel.log",
    priority: 1000
    conda:
        "../envs/lagbench.yaml"
    threads: (workflow.resource_settings.cores or 1) if workflow.local_exec else 1
    resources:
        mem_mb=4000,
    shell:
        '"$LAGBENCH_PYTHON" "$LAGBENCH_ROOT/workflow/scripts/compile_kernel.py" 2> {log:q}'
        ' || echo "the fused kernel was not compiled ahead of the jobs; the log of rule kernel says why"'


# A job's code is no input: the time of a file's last change would then retrain. `sources` is the digest of the code that
# determines the numbers, without comments, and `settings` is everything else that determines them. Whatever changes no
# number (threads, paths, the Python's place) reaches the job by another way.
# With packing rule train only takes over what packs have trained, next to Snakemake (pack.smk).
for KIND, JOB in KINDS.items():

    rule:
        name:
            JOB.RULE
        input:
            lambda wildcards, kind=KIND: update_record(request_job(kind, wildcards)),
        output:
            record=f"{PLACE.results}/{JOB.FOLDER}/{JOB.PATTERN}.json",
            provenance=f"{PLACE.results}/{JOB.FOLDER}/{JOB.PATTERN}.provenance.json",
        log:
            log_path(f"{PLACE.results}/{JOB.FOLDER}/{JOB.PATTERN}.json"),
        localrule: KIND == "run" and config["conditions_per_job"] > 1
        conda:
            "../envs/lagbench.yaml"
        threads: config["threads"]
        resources:
            mem_mb=lambda wildcards, attempt, kind=KIND: need(kind, wildcards).mem_mb(attempt),
            runtime=lambda wildcards, attempt, kind=KIND: need(kind, wildcards).runtime(attempt),
            disk_mb=100,
            gpu=lambda wildcards: int(wildcards.device == "cuda"),
        params:
            entry=JOB.ENTRY,  # Snakemake reads the command below only when the loop is over
            settings=lambda wildcards, kind=KIND: format_canonical_json(request_job(kind, wildcards).settings),
            sources=lambda wildcards, kind=KIND: request_job(kind, wildcards).sources,
        shell:
            '"$LAGBENCH_PYTHON" "$LAGBENCH_ROOT/workflow/scripts/job.py" --settings {params.settings:q}'
            " --sources {params.sources:q} --threads {threads} --minutes {resources.runtime} --entry {params.entry}"
            " --record {output.record:q} --provenance {output.provenance:q} 2> {log:q}"
            ' || {{ status=$?; echo "exit status $status" >> {log:q}; exit $status; }}'
