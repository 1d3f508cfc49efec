"""Where logs go: standard output, one event after another, in a form for a person or for a machine.

Knows structlog and standard logging, and makes both come out alike: uvicorn, asyncio and games may use either. It must
not know what is logged. Tracebacks are plain: with the values of local variables they would show what players and
settings keep secret.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Literal

import structlog
from structlog.typing import Processor

__all__ = ["LogFormat", "LogLevel", "configure"]

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["console", "json"]


def configure(level: LogLevel, form: LogFormat) -> None:
    """Log what is of `level` or graver, in `form`. What was configured before, by a game too, is replaced."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        # Through standard logging: a handler that cannot write says so on stderr, and never raises in a tick.
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stdout)
    # uvicorn's loggers have a level of their own, so the root's would not hold them back.
    handler.setLevel(threshold)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                *common,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(form)],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    # It would show whole messages, with the tokens in them.
    logging.getLogger("websockets").setLevel(max(threshold, logging.INFO))


def _renderers(form: LogFormat) -> list[Processor]:
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]
