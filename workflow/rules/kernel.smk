# The fused kernel, compiled before anything trains: jobs that start together then load its machine code.
KERNEL = f"{PLACE.results}/kernel.compiled"


# No run has it as an input, for Snakemake would then train finished runs again: all of them where one is new and the
# marker is missing. The table of runs requests it instead, and priority and all cores let it go first and alone. The
# marker says nothing of the machine code, so it goes when the table is there. A cluster's jobs do not wait: of those on
# one type of CPU the first compiles and the others wait for it (models/kernels/compilation.py), as without this rule.
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
        runtime=30,
        disk_mb=100,
    shell:
        '"$LAGBENCH_PYTHON" "$LAGBENCH_ROOT/workflow/scripts/compile_kernel.py" 2> {log:q}'
        ' || echo "the fused kernel was not compiled ahead of the jobs; the log of rule kernel says why"'
