"""Models without recurrence, beside which a user sees what recurrence buys; one file an idea."""
