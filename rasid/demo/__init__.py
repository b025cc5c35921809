"""`rasid demo`: the whole road on one machine, offline, with invented newsrooms."""
