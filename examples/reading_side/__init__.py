"""Notes, and how a service reads them before and after."""
