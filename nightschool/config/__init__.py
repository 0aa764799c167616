"""`nightschool.yaml`: what it may say (models), and how it is read.

from nightschool.config import load_config

config = load_config(None, os.environ)
"""

from nightschool.config.cautions import warnings
from nightschool.config.clients import ClientConfig
from nightschool.config.evaluation import Evaluate, Judge
from nightschool.config.faults import Fault, InvalidConfig
from nightschool.config.load import Loaded, find_config, load_config, read_config
from nightschool.config.models import (
    Config,
    Limits,
    Notify,
    PriceConfig,
    RecordConfig,
    RedactRule,
    Timeouts,
    Upstream,
    When,
    Workload,
)
from nightschool.config.promotion import Promote
from nightschool.config.resolved import origins, resolved, resolved_yaml
from nightschool.config.restart import restart_needed
from nightschool.config.student import Engine, Student
from nightschool.config.training import Distill

__all__ = [
    "ClientConfig",
    "Config",
    "Distill",
    "Engine",
    "Evaluate",
    "Fault",
    "InvalidConfig",
    "Judge",
    "Limits",
    "Loaded",
    "Notify",
    "PriceConfig",
    "Promote",
    "RecordConfig",
    "RedactRule",
    "Student",
    "Timeouts",
    "Upstream",
    "When",
    "Workload",
    "find_config",
    "load_config",
    "origins",
    "read_config",
    "resolved",
    "resolved_yaml",
    "restart_needed",
    "warnings",
]
