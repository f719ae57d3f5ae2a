"""Spend risk and Treasury stress tests on a finished plan: how bad it can get, and how large a reserve has to be.

Rooms here hold the plan fixed and ask what spend may do to it; none of them decides an allocation. They import `plan`,
`stress_inputs` and below, and each other downwards: bodies, estimates, simulate, treasury, shocks, years, reverse,
pools, sizes, robust, monitoring, tables.
"""
