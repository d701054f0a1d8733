rule write_table:
    """Write one table: our numbers and the paper's."""
    input:
        lambda wildcards: files_of_study(wildcards.table),
    output:
        csv=report(
            str(PATHS.table("{table}", "csv")),
            caption="../report/table.rst",
            category="Tables",
            labels=caption_labels("table"),
        ),
        md=str(PATHS.table("{table}", "md")),
        tex=str(PATHS.table("{table}", "tex")),
        made=str(PATHS.made(PATHS.table("{table}", "csv"))),
    log:
        str(PATHS.log("tables", "{table}")),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        study=lambda wildcards: PROJECT.study(wildcards.table).model_dump(mode="json"),
        differences=lambda wildcards: differences_of(wildcards.table),
        code=lambda wildcards: code_of_study(
            "write_table.py", "tables", wildcards.table
        ),
    script:
        "../scripts/write_table.py"
