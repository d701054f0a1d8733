rule write_report:
    """Write one self-contained page with the claims of the paper and the measurements."""
    input:
        RULES.files_of_report(full=False),
    output:
        RULES.report_files(full=False),
    log:
        str(PATHS.log("report")),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        **RULES.report_params(full=False),
    script:
        "../scripts/write_report.py"


if RULES.has_later:

    use rule write_report as write_full_report with:
        input:
            RULES.files_of_report(full=True),
        output:
            RULES.report_files(full=True),
        log:
            str(PATHS.log("full_report")),
        params:
            **RULES.report_params(full=True),
