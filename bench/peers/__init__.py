"""One network in three simulators: goldenhour, SimPy and Ciw; agreement of their means, and their speed."""
