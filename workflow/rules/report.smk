from sharpest.report.facts import facts_of
from sharpest.report.files import Results
from sharpest.report.render import assets_digest

REPORT_FACTS = facts_of(PROJECT)


rule write_report:
    """One self-contained page: what the paper says, and what was found."""
    input:
        [str(path) for path in Results(Path(RESULTS)).inputs(REPORT_FACTS)],
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        **REPORT_FACTS.parts(),
        folder=lambda wildcards, output: str(Path(output[0]).parent),
        assets=assets_digest(),
        code=code_behind("write_report.py"),
    script:
        "../scripts/write_report.py"
