"""Times as the bus writes them: the runtime's functions under the names of this module."""

from everest.runtime.clock import parse_timestamp as parse_time
from everest.runtime.clock import timestamp as format_time

__all__ = ["format_time", "parse_time"]
