"""Copying one row database into another one, of whichever kinds, while both are in use.

`tables` says what is copied, `cells` makes each cell a value of the other side's column, `merging` decides what becomes
of an interaction that the target holds already, `course` goes through all there is, and `verification` looks again.
"""
