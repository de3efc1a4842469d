"""The switch between old and new: turned on a proof, compared in the shadow, read by the application."""
