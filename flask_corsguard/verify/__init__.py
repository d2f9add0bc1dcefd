"""Plays the policy table against a running deployment, and says where the world gets something
else."""
