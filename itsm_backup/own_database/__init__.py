"""The product's own database as its first customer: dumped, told of through the intake, and got back to prove it."""
