"""Contracts: customers whose leaving is seen, how long they stay, and how that differs by age."""
