"""What `rhapsody deploy` and `rhapsody serve` are made of: pools, deployments, automations, processes."""
