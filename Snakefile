# Lagbench: how far back can a recurrent network learn to remember, and along which path does the error get there?
#
#   config/            what to run: default.yaml is the base of every other file, README.md explains every key
#   workflow/rules/    the rules, one file per stage


include: "workflow/rules/surroundings.smk"


configfile: default_file(ROOT)


include: "workflow/rules/experiment.smk"
include: "workflow/rules/driver.smk"
include: "workflow/rules/jobs.smk"
include: "workflow/rules/pack.smk"
include: "workflow/rules/derived.smk"
include: "workflow/rules/outcome.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        FILES,


give_back_names()
