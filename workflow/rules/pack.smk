# Several conditions per job of a cluster: `snakemake packed` trains them into a store, from which rule train takes them.
from workflow.jobs.packs import pack_device, pack_need, plan_packs

PACKS = f"{PLACE.results}/packs"


# No rule depends on a pack, for Snakemake would train finished runs again when packing is turned on or off.
rule pack:
    input:
        f"{PACKS}/{{pack}}.json",
    output:
        temp(touch(f"{PACKS}/{{pack}}.done")),
    log:
        f"{PLACE.logs}/packs/{{pack}}.log",
    conda:
        "../envs/lagbench.yaml"
    threads: config["threads"]
    resources:
        mem_mb=lambda wildcards, input, attempt: pack_need(input[0]).mem_mb(attempt),
        runtime=lambda wildcards, input, attempt: pack_need(input[0]).runtime(attempt),
        disk_mb=100,
        gpu=lambda wildcards, input: int(pack_device(input[0]) == "cuda"),
    shell:
        '"$LAGBENCH_PYTHON" "$LAGBENCH_ROOT/workflow/scripts/pack.py" --members {input:q} --threads {threads}'
        " --minutes {resources.runtime} 2> {log:q}"
        ' || {{ status=$?; echo "exit status $status" >> {log:q}; exit $status; }}'


rule packed:
    input:
        lambda wildcards: [f"{pack}.done" for pack in plan_packs(EXPERIMENT, folder=PACKS, at=AT)],
    localrule: True
