"""What comes of reading rows that are damaged, or that have just gone."""

from __future__ import annotations

import pyarrow as pa

DAMAGE = (OSError, ValueError, KeyError, TypeError, pa.ArrowException)
