"""The command `goldenhour`: the group of all commands.

All command files are imported for `goldenhour --help`. So that it starts fast they import the lazy faces of the
packages (`from goldenhour import views`), which load nothing before a command uses them.
"""

import click

from goldenhour import __version__
from goldenhour.cli import (
    cache,
    compare,
    db,
    experiment,
    experiments,
    fetch,
    measures,
    optimise,
    resume,
    run,
    runs,
    scenarios,
    schema,
    sensitivity,
    submit,
)
from goldenhour.cli.groups import SuggestingGroup


@click.group(
    cls=SuggestingGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="goldenhour", message="%(prog)s %(version)s")
def goldenhour() -> None:
    """Simulate synthetic military patients, from the point of injury to the end of their care."""


goldenhour.add_command(run.run)
goldenhour.add_command(resume.resume)
goldenhour.add_command(measures.measures)
goldenhour.add_command(compare.compare)
goldenhour.add_command(experiment.experiment)
goldenhour.add_command(sensitivity.sensitivity)
goldenhour.add_command(optimise.optimise)
goldenhour.add_command(scenarios.scenarios)
goldenhour.add_command(schema.schema)
goldenhour.add_command(runs.runs)
goldenhour.add_command(experiments.experiments)
goldenhour.add_command(db.db)
goldenhour.add_command(cache.cache)
goldenhour.add_command(submit.submit)
goldenhour.add_command(fetch.fetch)
