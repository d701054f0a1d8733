rule draw_figure:
    """Draw one figure with the drawing function of its kind."""
    input:
        lambda wildcards: files_of_study(wildcards.figure),
    output:
        pdf=str(PATHS.figure("{figure}", "pdf")),
        png=report(
            str(PATHS.figure("{figure}", "png")),
            caption="../report/figure.rst",
            category="Figures",
            labels=caption_labels("figure"),
        ),
        csv=str(PATHS.figure("{figure}", "csv")),
        md=str(PATHS.figure("{figure}", "md")),
        made=str(PATHS.made(PATHS.figure("{figure}", "csv"))),
    log:
        str(PATHS.log("figures", "{figure}")),
    wildcard_constraints:
        figure=but(FINISHED, one_of([*PROJECT.figures, *PROJECT.beyond])),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        # captions are not drawn, so a changed caption redraws nothing
        study=lambda wildcards: PROJECT.study(wildcards.figure).model_dump(
            mode="json", exclude={"caption"}
        ),
        # run, schedule, early window in epochs
        windows=lambda wildcards: [
            [curve.run, curve.schedule, window]
            for curve in PROJECT.study(wildcards.figure).curves_by_seed()
            if (window := PROJECT.schedule(curve.run, curve.schedule).window)
        ],
        differences=lambda wildcards: differences_of(wildcards.figure),
        foot=lambda wildcards: foot_of(wildcards.figure),
        width=PROJECT.settings.width,
        code=lambda wildcards: code_of_study(
            "draw_figure.py", "figures", wildcards.figure
        ),
    script:
        "../scripts/draw_figure.py"
