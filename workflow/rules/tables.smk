rule write_table:
    """One table of the paper: ours beside the printed numbers."""
    input:
        lambda wildcards: [
            f"{RESULTS}/evaluations/{run}.h5"
            for run in PROJECT.study(wildcards.table).runs()
        ],
    output:
        csv=report(
            f"{RESULTS}/tables/{{table}}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels=caption_labels("table"),
        ),
        md=f"{RESULTS}/tables/{{table}}.md",
        tex=f"{RESULTS}/tables/{{table}}.tex",
    log:
        f"{RESULTS}/logs/tables/{{table}}.log",
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        study=lambda wildcards: PROJECT.study(wildcards.table).model_dump(mode="json"),
        foot=lambda wildcards: foot_of(wildcards.table),
        code=lambda wildcards: code_behind(
            "write_table.py", f"sharpest.tables.{PROJECT.study(wildcards.table).kind}"
        ),
    script:
        "../scripts/write_table.py"
