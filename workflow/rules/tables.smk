# Every table, by its file in workflow/tables/, which declares what it is computed from.
from workflow.experiment.tables import compute_sources, list_inputs, list_settings, match_tables

TABLE_FILES = EXPERIMENT.registry.tables
table_of = lambda wildcards: describe_table(EXPERIMENT, wildcards.table, requested=requested)


rule table:
    input:
        tables=lambda wildcards: [f"{PLACE.results}/{name}.csv" for name in list_inputs(EXPERIMENT, wildcards.table)],
        code=lambda wildcards: list_analysis_sources(EXPERIMENT.tree, f"workflow/tables/{wildcards.table}.py"),
        stale=lambda wildcards: update_derived(table_of(wildcards)),
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
        caption=lambda wildcards: read_docstring(EXPERIMENT.code.locate(Path(f"workflow/tables/{wildcards.table}.py"))),
    script:
        "../scripts/table.py"


use rule table as records_table with:
    input:
        records=lambda wildcards: [request.path for request in requested(TABLE_FILES[wildcards.table].records)],
        code=lambda wildcards: list_analysis_sources(EXPERIMENT.tree, f"workflow/tables/{wildcards.table}.py"),
        kernel=ancient(KERNEL) if EXPERIMENT.is_fused else [],
        stale=lambda wildcards: update_derived(table_of(wildcards)),
    output:
        f"{PLACE.results}/{{table}}.csv",
    wildcard_constraints:
        table=match_tables(EXPERIMENT, "records"),
    params:
        basis=lambda wildcards: table_of(wildcards).basis,


# As of records, no code is an input: the params are all that determines the numbers.
rule entry_table:
    input:
        stale=lambda wildcards: update_derived(table_of(wildcards)),
    output:
        f"{PLACE.results}/{{table}}.csv",
    log:
        f"{PLACE.logs}/{{table}}.log",
    wildcard_constraints:
        table=match_tables(EXPERIMENT, "entry"),
    conda:
        "../envs/lagbench.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
        disk_mb=100,
    params:
        basis=lambda wildcards: table_of(wildcards).basis,
        settings=lambda wildcards: list_settings(EXPERIMENT, wildcards.table),
        sources=lambda wildcards: compute_sources(EXPERIMENT, wildcards.table),
    script:
        "../scripts/entry_table.py"
