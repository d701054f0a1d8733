rule draw_figure:
    """One figure of the paper, by the drawing function of its kind."""
    input:
        unpack(files_of_figure),
    output:
        pdf=f"{RESULTS}/figures/{{figure}}.pdf",
        png=report(
            f"{RESULTS}/figures/{{figure}}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels=caption_labels("figure"),
        ),
        csv=f"{RESULTS}/figures/{{figure}}.csv",
    log:
        f"{RESULTS}/logs/figures/{{figure}}.log",
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        # a caption stands beside its figure, never in it
        study=lambda wildcards: PROJECT.study(wildcards.figure).model_dump(
            mode="json", exclude={"caption"}
        ),
        windows=lambda wildcards: [
            PROJECT.window(curve.run, curve.schedule) or 0
            for curve in PROJECT.study(wildcards.figure).curves()
        ],
        foot=lambda wildcards: foot_of(wildcards.figure),
        code=lambda wildcards: code_behind(
            "draw_figure.py",
            f"sharpest.figures.{PROJECT.study(wildcards.figure).kind}",
        ),
    script:
        "../scripts/draw_figure.py"
