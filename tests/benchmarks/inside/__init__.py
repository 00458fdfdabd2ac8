"""What is measured inside a process of Clarion's: each module is a program that prints JSON."""
