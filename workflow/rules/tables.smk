rule write_table:
    """Write one table: our numbers and the paper's."""
    input:
        RULES.study_files,
    output:
        csv=report(
            str(PATHS.table("{table}", "csv")),
            caption="../report/table.rst",
            category="Tables",
            labels=RULES.labels,
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
        study=RULES.table_settings,
        differences=RULES.differences,
        code=RULES.cheap_code("write_table.py"),
    script:
        "../scripts/write_table.py"
