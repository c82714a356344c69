# Every table, by its file in workflow/tables/, which declares what it is computed from.
from workflow.experiment.tables import compute_sources, list_inputs, list_settings, match_tables

TABLE_FILES = EXPERIMENT.known.tables


rule table:
    input:
        tables=lambda wildcards: [f"{PLACE.results}/{name}.csv" for name in list_inputs(EXPERIMENT, wildcards.table)],
        code=lambda wildcards: analysis_sources(ROOT, f"workflow/tables/{wildcards.table}.py"),
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
        config=lambda wildcards: {name: config.get(name) for name in ("search", "published", "gradients")},
        caption=lambda wildcards: docstring(ROOT / f"workflow/tables/{wildcards.table}.py"),
    script:
        "../scripts/table.py"


use rule table as records_table with:
    input:
        records=lambda wildcards: [request.path for request in requested(TABLE_FILES[wildcards.table].records)],
        code=lambda wildcards: analysis_sources(ROOT, f"workflow/tables/{wildcards.table}.py"),
        kernel=ancient(KERNEL) if EXPERIMENT.is_fused else [],
    output:
        f"{PLACE.results}/{{table}}.csv",
    wildcard_constraints:
        table=match_tables(EXPERIMENT, "records"),
    params:
        requested=lambda wildcards: digest_requests(requested(TABLE_FILES[wildcards.table].records)),


# As of records, no code is an input: the params are all that determines the numbers.
rule entry_table:
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
        settings=lambda wildcards: list_settings(EXPERIMENT, wildcards.table),
        sources=lambda wildcards: compute_sources(EXPERIMENT, wildcards.table),
    script:
        "../scripts/entry_table.py"
