"""What a training would take on this machine, told before it: minutes and memory of each of its steps."""
