"""Small migrations, one for each page of docs/how-to: each is a folder as under include/migrations, and is run by the tests."""
