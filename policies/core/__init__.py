"""The vocabulary that policies, dialects and front ends share: conversations, edits, plans, prices, cache rules."""
