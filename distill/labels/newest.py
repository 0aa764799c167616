"""The label that counts where an exchange has several."""

NEWEST = "(select * from labels qualify row_number() over (partition by exchange_id order by time desc, message) = 1)"
"""SQL: the newest label of each exchange."""
