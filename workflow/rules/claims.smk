rule judge_claims:
    """Judge the claims of the paper, or of later papers, on the measured files."""
    input:
        RULES.claim_files,
    output:
        csv=report(
            str(verdicts(PATHS, "{ledger}", "csv")),
            caption="../report/claims.rst",
            category="Claims",
        ),
        chance=str(verdicts(PATHS, "{ledger}", "by_chance.csv")),
        by_seed=str(verdicts(PATHS, "{ledger}", "by_seed.csv")),
        md=str(verdicts(PATHS, "{ledger}", "md")),
        made=str(PATHS.made(verdicts(PATHS, "{ledger}", "md"))),
    log:
        str(PATHS.log("{ledger}")),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        ledger=RULES.ledger,
        plans=RULES.plans,
        # claims with absolute numbers are judged only at the paper's scale
        paper_scale=RULES.scale == "paper",
        foot=RULES.scale_line,
        code=RULES.cheap_code("judge_claims.py"),
    script:
        "../scripts/judge_claims.py"
