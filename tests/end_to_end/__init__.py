"""The whole program as its users meet it: `holdfast serve` as a process, real clients, an upstream on loopback."""
