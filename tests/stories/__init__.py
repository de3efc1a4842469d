"""The use cases of the documents, each as one story, told by the API and the DAGs."""
