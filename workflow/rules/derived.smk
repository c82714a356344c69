# Whatever is computed from records: tables, figures and findings. Which of them is not current is found by digests of
# code, configuration and files (update_derived), so that no code is an input.
from workflow.experiment.tables import match_tables

TABLE_FILES = EXPERIMENT.registry.tables
table_of = lambda wildcards: describe_table(EXPERIMENT, wildcards.table, requested=requested)
figure_of = lambda wildcards: describe_figure(EXPERIMENT, wildcards.figure)
caption_of = lambda path: read_docstring(EXPERIMENT.tree.locate(Path(path)))


rule table:
    input:
        tables=lambda wildcards: update_derived(table_of(wildcards)),
    output:
        report(
            f"{PLACE.results}/{{table}}.csv",
            caption="../report/caption.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
    log:
        f"{PLACE.logs}/{{table}}.log",
    wildcard_constraints:
        table=match_tables(EXPERIMENT, "needs"),
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
        disk_mb=1000,
    params:
        basis=lambda wildcards: table_of(wildcards).basis,
        caption=lambda wildcards: caption_of(f"workflow/tables/{wildcards.table}.py"),
    script:
        "../scripts/table.py"


use rule table as records_table with:
    input:
        tables=lambda wildcards: update_derived(table_of(wildcards)),
        records=lambda wildcards: [request.path for request in requested(TABLE_FILES[wildcards.table].records)],
        kernel=ancient(KERNEL) if EXPERIMENT.is_fused else [],
    output:
        f"{PLACE.results}/{{table}}.csv",
    wildcard_constraints:
        table=match_tables(EXPERIMENT, "records"),


use rule table as entry_table with:
    output:
        f"{PLACE.results}/{{table}}.csv",
    wildcard_constraints:
        table=match_tables(EXPERIMENT, "entry"),


rule figure:
    input:
        tables=lambda wildcards: update_derived(figure_of(wildcards)),
    output:
        pdf=f"{PLACE.figures}/{{figure}}.pdf",
        svg=f"{PLACE.figures}/{{figure}}.svg",
        png=report(
            f"{PLACE.figures}/{{figure}}.png",
            caption="../report/caption.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        f"{PLACE.logs}/figures/{{figure}}.log",
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        basis=lambda wildcards: figure_of(wildcards).basis,
        labels=EXPERIMENT.labels,
        caption=lambda wildcards: caption_of(f"workflow/figures/{wildcards.figure}.py"),
    script:
        "../scripts/figure.py"


# The claims of config/claims.yaml, decided from tables: `snakemake findings` writes findings.csv, findings.md and findings.html.
rule findings:
    input:
        tables=lambda wildcards: list(FINDINGS.tables.values()),
        figures=lambda wildcards: list(FINDINGS.figures.values()),
        code=[
            *EXPERIMENT.tree.list_analysis_files("workflow/tables/findings.py"),
            *EXPERIMENT.tree.list_analysis_files("workflow/report/findings_page.py"),
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
    params:
        claims=FINDINGS.claims,
        experiment=FINDINGS.name,
        names=lambda wildcards: [tuple(source) for source in FINDINGS.tables],
        figures=lambda wildcards: list(FINDINGS.figures),
    script:
        "../scripts/findings.py"


# Tables and figures of what there is so far, and a map of what is missing: `snakemake partial`, at any time. No run is
# an input, for Snakemake would then train it, and no file an output, so that it is written anew whenever requested. While
# another Snakemake runs here a second is refused: then `make partial`, which does the same.
rule partial:
    log:
        f"{PLACE.logs}/partial.log",
    localrule: True
    conda:
        "../envs/lagbench.yaml"
    script:
        "../scripts/partial.py"
