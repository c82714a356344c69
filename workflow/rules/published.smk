# The numbers that a paper prints, beside what its experiments give here: `snakemake published` makes the table and its figure.


rule published_table:
    input:
        summary=f"{PLACE.results}/summary.csv",
        baselines=f"{PLACE.results}/baselines.csv" if "baselines" in config["tables"] else [],
        code=analysis_sources(ROOT, "workflow/tables/published.py"),
    output:
        f"{PLACE.results}/published.csv",
    log:
        f"{PLACE.logs}/published.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
        disk_mb=100,
    params:
        published=lambda wildcards: EXPERIMENT.published,
    script:
        "../scripts/published.py"


rule published:
    input:
        f"{PLACE.results}/published.csv",
        expand(f"{PLACE.figures}/published.{{format}}", format=["pdf", "svg", "png"]),
