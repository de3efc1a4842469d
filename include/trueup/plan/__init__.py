"""What should be, and how it differs from what is: transform, plan and reverse plan, with all that is found out before
anybody is asked. Nothing here writes to a store."""
