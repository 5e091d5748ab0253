"""The table of commands, in the order in which people meet them; one file each."""

from segcore.cli.command import Command
from segcore.cli.commands import (
    check,
    demo,
    doctor,
    evaluate,
    export,
    info,
    models,
    new,
    predict,
    refine,
    train,
)

COMMANDS: tuple[Command, ...] = (
    demo.COMMAND,
    new.COMMAND,
    info.COMMAND,
    predict.COMMAND,
    refine.COMMAND,
    evaluate.COMMAND,
    train.COMMAND,
    models.COMMAND,
    export.COMMAND,
    check.COMMAND,
    doctor.COMMAND,
)
