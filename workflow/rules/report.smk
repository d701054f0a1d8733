from sharpest.report.page import assets_digest
from sharpest.report.setup import setup_of

LATER = bool(PROJECT.beyond) or BEYOND in CLAIMS
REPORTS = {
    False: setup_of(
        PROJECT,
        CLAIMS[PAPER],
        CLAIM_PLANS[PAPER],
        [name for name in PROJECT.studies if name not in PROJECT.beyond],
    ),
    # with what later papers add
    True: setup_of(
        PROJECT, CLAIMS[PAPER], CLAIM_PLANS[PAPER], later_claims=BEYOND in CLAIMS
    ),
}


rule write_report:
    """Write one self-contained page with the claims of the paper and the measurements."""
    input:
        files_of_report(full=False),
    output:
        report_files(full=False),
    log:
        str(PATHS.log("report")),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        **report_params(full=False),
    script:
        "../scripts/write_report.py"


if LATER:

    use rule write_report as write_full_report with:
        input:
            files_of_report(full=True),
        output:
            report_files(full=True),
        log:
            str(PATHS.log("full_report")),
        params:
            **report_params(full=True),
