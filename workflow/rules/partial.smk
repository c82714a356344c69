# Tables and figures of what there is so far, and a map of what is missing: `snakemake partial`, at any time.


# No run is an input, for Snakemake would then make it; and no file an output, so that it is made anew whenever it is
# asked for. While another Snakemake runs here its lock forbids a second: then `make partial`, which does the same.
rule partial:
    log:
        f"{PLACE.logs}/partial.log",
    localrule: True
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
        disk_mb=1000,
    script:
        "../scripts/partial.py"
