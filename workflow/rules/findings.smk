# The claims of config/claims.yaml, decided from tables: `snakemake findings` writes findings.csv, findings.md and findings.html.
FINDINGS = admit_claims(EXPERIMENT)
FOUND = [f"{PLACE.results}/findings.csv"]


rule findings:
    input:
        tables=lambda wildcards: list(FINDINGS.tables.values()),
        figures=lambda wildcards: list(FINDINGS.figures.values()),
        code=[
            *list_analysis_sources(EXPERIMENT.tree, "workflow/tables/findings.py"),
            *list_analysis_sources(EXPERIMENT.tree, "workflow/report/findings_page.py"),
        ],
    output:
        table=f"{PLACE.results}/findings.csv",
        markdown=f"{PLACE.results}/findings.md",
        page=report(
            f"{PLACE.results}/findings.html",
            caption="../report/findings.rst",
            category="Findings",
        ),
    log:
        f"{PLACE.logs}/findings.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        disk_mb=100,
    params:
        claims=FINDINGS.claims,
        experiment=FINDINGS.name,
        names=lambda wildcards: [tuple(source) for source in FINDINGS.tables],
        figures=lambda wildcards: list(FINDINGS.figures),
    script:
        "../scripts/findings.py"
