"""A log configuration that prints errors only, for workers that log every job by default."""

LOG = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "ERROR"},
    "loggers": {"arq": {"level": "ERROR"}},
}
