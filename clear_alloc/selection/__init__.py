"""Which family to trust: rollouts set aside, and what each family's allocation is worth on them."""
