"""What is true once a transaction commits?

Tables, queries and the business rules that span rows, one slice per subject. Never imports Ray, HTTP or the rooms
above: upper rooms register after-commit hooks (`db.session`) instead.
"""
