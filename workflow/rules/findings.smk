# The claims of config/claims.yaml, decided from tables: `snakemake findings` writes findings.csv, findings.md and findings.html.
FINDINGS = admit_claims(EXPERIMENT)
FOUND = [f"{PLACE.results}/findings.csv"]


# As in rule train, no code is an input: the params are all that determines the numbers.
rule constructed:
    output:
        f"{PLACE.results}/constructed.csv",
    log:
        f"{PLACE.logs}/constructed.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
        disk_mb=100,
    params:
        sources=lambda wildcards: FINDINGS.sources("training/gradients/constructed.py"),
    script:
        "../scripts/constructed.py"


rule derivatives:
    output:
        f"{PLACE.results}/derivatives.csv",
    log:
        f"{PLACE.logs}/derivatives.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
        disk_mb=100,
    params:
        settings=lambda wildcards: FINDINGS.networks,
        sources=lambda wildcards: FINDINGS.sources("training/gradients/derivatives.py"),
    script:
        "../scripts/derivatives.py"


rule findings:
    input:
        tables=lambda wildcards: list(FINDINGS.tables.values()),
        figures=lambda wildcards: list(FINDINGS.figures.values()),
        code=[
            *analysis_sources(ROOT, "workflow/tables/findings.py"),
            *analysis_sources(ROOT, "workflow/report/findings_page.py"),
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
