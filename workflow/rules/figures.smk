rule draw_figure:
    """Draw one figure with the drawing function of its kind."""
    input:
        RULES.study_files,
    output:
        pdf=str(PATHS.figure("{figure}", "pdf")),
        png=report(
            str(PATHS.figure("{figure}", "png")),
            caption="../report/figure.rst",
            category="Figures",
            labels=RULES.labels,
        ),
        csv=str(PATHS.figure("{figure}", "csv")),
        md=str(PATHS.figure("{figure}", "md")),
        made=str(PATHS.made(PATHS.figure("{figure}", "csv"))),
    log:
        str(PATHS.log("figures", "{figure}")),
    wildcard_constraints:
        figure=but(RULES.finished, one_of([*PROJECT.figures, *PROJECT.beyond])),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        study=RULES.figure_settings,
        windows=RULES.windows,
        differences=RULES.differences,
        foot=RULES.foot,
        width=PROJECT.settings.width,
        code=RULES.cheap_code("draw_figure.py"),
    script:
        "../scripts/draw_figure.py"
